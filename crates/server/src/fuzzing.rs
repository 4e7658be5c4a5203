//! Fuzz targets: bytes of strangers as packed bodies, links and requests. None may panic or take
//! memory without bound.

use crate::blendvision::{CreateReports, read_ids};
use crate::collect::{Encoding, Window, unpack};
use crate::downloads::{Link, LinkParts, Wanted, wanted};

/// The most that comes out of a packed body.
const UNPACKED_BYTES_MAX: usize = 64 << 10;

/// A packed body; the first byte says how.
pub fn packed(input: &[u8]) {
    let Some((how, body)) = input.split_first() else {
        return;
    };
    let encoding = [Encoding::Gzip, Encoding::Zstd, Encoding::Brotli][usize::from(how % 3)];
    if let Ok(unpacked) = unpack(body, encoding, Window::Large, UNPACKED_BYTES_MAX) {
        assert!(unpacked.len() <= UNPACKED_BYTES_MAX);
    }
}

/// The parts of a link, a line each: none opens, since none is signed. The last is a range too.
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
    if let Wanted::Part(part) = wanted(&text, 1_000) {
        assert!(part.start < part.end && part.end <= 1_000);
    }
}

/// What a client asks for, in each of the bodies that ask.
pub fn requests(input: &[u8]) {
    let event_reports = CreateReports::read(input);
    // Whatever is taken has no two ways of being read.
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

    /// What fuzzing has found worth keeping of a target.
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
    fn every_input_that_fuzzing_kept_is_still_taken() {
        let targets: [Target; 3] = [("packed", packed), ("links", links), ("requests", requests)];
        for (name, target) in targets {
            for input in corpus(name) {
                target(&input);
            }
        }
    }
}
