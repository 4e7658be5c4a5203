//! Fuzz target: bytes of strangers as records in each format. Decoding must not panic, and must
//! account for every record.

use std::io::Cursor;

use showreport_model::facts::FactsBuilder;
use showreport_model::{OrgId, Timestamp};
use showreport_origins::Origins;

use crate::blocks::Content;
use crate::context::Context;
use crate::format::decode_body;
use crate::formats::{
    BODY_FORMATS, CLOUD_EVENT_DATA, CMCD, FILE_FORMATS, SEGMENT, lines, segment_write_key,
};
use crate::record::decode_record;
use crate::viewer_tokens::read_payload;

/// Decodes the input as a body, as a file, as one record and as the payload of a viewer token.
pub fn records(input: &[u8]) {
    let now = Timestamp::MIN.saturating_add_millis(1_800_000_000_000);
    let origins = Origins::open(None).expect("no file");
    let context = &Context::new(now, origins);
    let facts = || FactsBuilder::new(OrgId::new("acme").expect("a plain name"));
    let by_path = [CLOUD_EVENT_DATA, CMCD, SEGMENT];
    for format in BODY_FORMATS.iter().chain(&by_path) {
        let mut facts = facts();
        let mut kept = 0;
        let decoded = decode_body(input, *format, context, |record| {
            record.push_to(&mut facts);
            kept += 1;
        });
        if let Ok(rejections) = decoded {
            assert_eq!(facts.records(), kept);
            assert!(rejections.listed.len() <= rejections.total);
            assert!(rejections.total + kept <= input.len());
            facts.finish();
        }
    }
    for format in FILE_FORMATS {
        let Ok(blocks) = format.read(Box::new(Cursor::new(input.to_vec()))) else {
            continue;
        };
        let mut next_line = 0;
        for block in blocks {
            let block = block.expect("memory can be read");
            assert!(block.first_line >= next_line);
            next_line = block.first_line + 1;
            if let Content::Lines(text) = block.content {
                for line in lines(&text) {
                    drop(decode_record(line, 0, context));
                }
            }
        }
    }
    drop(segment_write_key(input));
    if let Ok(record) = decode_record(input, 0, context) {
        record.push_to(&mut facts());
    }
    read_payload(input);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_input_that_fuzzing_kept_is_decoded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/records");
        let files: Vec<_> = fs::read_dir(folder).unwrap().collect();
        assert!(!files.is_empty());
        for file in files {
            super::records(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}
