#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| showreport_records::fuzzing::records(input));
