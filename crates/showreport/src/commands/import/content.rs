//! What a file holds, whatever it is packed in, and in which code its text is.

use std::io::{self, BufRead, BufReader, Read};

use showreport_server::collect::{Wide, unpack_file};

use super::blocks::{BLOCK_BYTES, Block, Blocks};
use super::csv_blocks::CsvBlocks;
use super::source::{Form, Packing};
use super::wide::Utf16Reader;

/// The records of a file, in blocks of lines.
pub(super) enum Content {
    Lines(Blocks),
    Csv(CsvBlocks),
}

impl Content {
    pub(super) fn open(
        input: impl Read + 'static,
        form: Form,
        packing: Packing,
    ) -> io::Result<Self> {
        let input = Box::new(BufReader::with_capacity(BLOCK_BYTES, input));
        let mut input = unpack_file(input, packing == Packing::Brotli)?;
        // A pipe may give less than asked for, but never nothing before its end.
        if let Some(wide) = Wide::of(input.fill_buf()?) {
            let text: Box<dyn Read> = match wide {
                Wide::Utf16Le => Box::new(Utf16Reader::little(input)),
                Wide::Utf16Be => Box::new(Utf16Reader::big(input)),
                Wide::Utf32 => {
                    let problem = "the file is UTF-32; convert it with `iconv -f UTF-32 -t UTF-8`";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
                }
            };
            input = Box::new(BufReader::with_capacity(BLOCK_BYTES, text));
        }
        match form {
            Form::Ndjson => Ok(Self::Lines(Blocks::new(input))),
            Form::Csv => CsvBlocks::open(input).map(Self::Csv),
        }
    }

    /// The next block, or nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        match self {
            Self::Lines(blocks) => blocks.next(),
            Self::Csv(blocks) => blocks.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::commands::import::blocks::Text;

    /// All lines with their numbers.
    fn lines(bytes: Vec<u8>) -> io::Result<Vec<(usize, String)>> {
        let mut content = Content::open(Cursor::new(bytes), Form::Ndjson, Packing::ByContent)?;
        let mut all = Vec::new();
        while let Some(Block { first_line, text }) = content.next()? {
            let Text::Lines(text) = text else {
                panic!("no line is too long")
            };
            let text = String::from_utf8(text).expect("UTF-8");
            all.extend((first_line..).zip(text.lines().map(str::to_owned)));
        }
        Ok(all)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).expect("memory");
        packer.finish().expect("memory")
    }

    #[test]
    fn packed_or_not_and_in_each_code_the_lines_are_the_same() {
        let text = "\u{feff}one\n\ntwo \u{1f44b}\r\nthree";
        let wanted = ["\u{feff}one", "", "two \u{1f44b}", "three"].map(str::to_owned);
        let wanted: Vec<(usize, String)> = wanted.into_iter().enumerate().collect();
        let utf8 = text.as_bytes().to_vec();
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [utf8, utf16] {
            assert_eq!(lines(bytes.clone()).expect("whole"), wanted);
            assert_eq!(lines(gzip(&bytes)).expect("whole"), wanted);
            let zstd = zstd::encode_all(&bytes[..], 1).expect("memory");
            assert_eq!(lines(zstd).expect("whole"), wanted);
            // Files that were packed in parts are one file.
            let parts = [gzip(&bytes[..5]), gzip(&bytes[5..]), vec![0; 512]].concat();
            assert_eq!(lines(parts).expect("whole"), wanted);
        }
        assert!(lines(Vec::new()).expect("empty").is_empty());
    }

    #[test]
    fn a_file_that_is_cut_short_or_of_another_code_is_an_error() {
        let mut packed = gzip(b"one\ntwo\n");
        packed.truncate(packed.len() - 5);
        assert!(lines(packed).is_err());
        let utf32: Vec<u8> = "one"
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        assert!(lines(utf32).is_err());
    }
}
