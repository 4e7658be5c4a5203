//! Fuzz targets: bytes of strangers as packed bodies, links and requests. None may panic or take
//! memory without bound.

use crate::blendvision::{CreateReports, read_ids};
use crate::collect::{Encoding, Window, unpack};
use crate::downloads::{Link, LinkParts, RequestedRange, parse_range};

/// The most bytes that a body may unpack to.
const UNPACKED_BYTES_MAX: usize = 64 << 10;

/// Unpacks a body. The first byte selects the encoding.
pub fn packed(input: &[u8]) {
    let Some((how, body)) = input.split_first() else {
        return;
    };
    let encoding = [Encoding::Gzip, Encoding::Zstd, Encoding::Brotli][usize::from(how % 3)];
    if let Ok(unpacked) = unpack(body, encoding, Window::Large, UNPACKED_BYTES_MAX) {
        assert!(unpacked.len() <= UNPACKED_BYTES_MAX);
    }
}

/// Verifies the parts of a link, one a line: none is valid, since none is signed. The whole input
/// is also parsed as a range.
pub fn links(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(4, '\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let parts = LinkParts {
        report: next(),
        expires: next(),
        signature: next(),
        file_name: next(),
    };
    let opened = Link::verify_with(&parts, &[7; 32]);
    assert!(opened.is_none(), "{parts:?}");
    if let RequestedRange::Part(part) = parse_range(&text, 1_000) {
        assert!(part.start < part.end && part.end <= 1_000);
    }
}

/// Parses the bodies of requests for reports.
pub fn requests(input: &[u8]) {
    let event_reports = CreateReports::read(input);
    // Parsing the same bytes twice gives the same request.
    if let Ok(asked) = event_reports {
        assert_eq!(CreateReports::read(input).ok(), Some(asked));
    }
    drop(read_ids(input));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A target and its name.
    type Target = (&'static str, fn(&[u8]));

    /// The inputs that fuzzing kept for a target.
    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let files = fs::read_dir(folder.join(target)).unwrap();
        let inputs: Vec<_> = files
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect();
        assert!(!inputs.is_empty(), "{target}");
        inputs
    }

    #[test]
    fn every_input_that_fuzzing_kept_is_handled() {
        let targets: [Target; 3] = [("packed", packed), ("links", links), ("requests", requests)];
        for (name, target) in targets {
            for input in corpus(name) {
                target(&input);
            }
        }
    }
}
