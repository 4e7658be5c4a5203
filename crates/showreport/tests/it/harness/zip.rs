//! Reads the files of a ZIP archive, for spreadsheets.

use std::collections::BTreeMap;
use std::io::Read;

/// The files of an archive, by name.
pub(crate) fn unzip(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let end = bytes
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .expect("a directory's end");
    let count = number(bytes, end + 10, 2);
    let mut entry = number(bytes, end + 16, 4);
    let mut files = BTreeMap::new();
    for _ in 0..count {
        assert_eq!(
            &bytes[entry..entry + 4],
            b"PK\x01\x02",
            "an entry of the directory"
        );
        let method = number(bytes, entry + 10, 2);
        let packed_size = number(bytes, entry + 20, 4);
        let name_length = number(bytes, entry + 28, 2);
        let name = String::from_utf8(bytes[entry + 46..entry + 46 + name_length].to_vec())
            .expect("a name");
        let local = number(bytes, entry + 42, 4);
        let start = local + 30 + number(bytes, local + 26, 2) + number(bytes, local + 28, 2);
        files.insert(name, unpacked(method, &bytes[start..start + packed_size]));
        entry += 46 + name_length + number(bytes, entry + 30, 2) + number(bytes, entry + 32, 2);
    }
    files
}

fn unpacked(method: usize, packed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    match method {
        0 => content.extend_from_slice(packed),
        8 => {
            let mut inflater = flate2::read::DeflateDecoder::new(packed);
            inflater.read_to_end(&mut content).expect("whole");
        }
        other => panic!("an unexpected compression: {other}"),
    }
    content
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    bytes[at..at + width]
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | usize::from(byte))
}
