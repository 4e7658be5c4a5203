//! Opens files: decompresses them and converts their text to UTF-8.

use std::io::{self, BufRead, BufReader, Read};

use showreport_records::{Blocks, Charset, FileFormat};
use showreport_server::collect::unpack_file;

use super::source::Compression;
use super::wide::Utf16Reader;

/// Bytes that are read of a file at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// Opens a file of records.
pub(super) fn open(
    input: impl Read + 'static,
    format: &dyn FileFormat,
    compression: Compression,
) -> io::Result<Blocks> {
    let input = Box::new(BufReader::with_capacity(BUFFER_BYTES, input));
    let mut input = unpack_file(input, compression == Compression::Brotli)?;
    // Before its end, even a pipe returns at least one byte.
    if let Some(charset) = Charset::detect(input.fill_buf()?) {
        let text: Box<dyn Read> = match charset {
            Charset::Utf16Le => Box::new(Utf16Reader::little(input)),
            Charset::Utf16Be => Box::new(Utf16Reader::big(input)),
            Charset::Utf32 => {
                let problem = "the file is UTF-32; convert it with `iconv -f UTF-32 -t UTF-8`";
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
        };
        input = Box::new(BufReader::with_capacity(BUFFER_BYTES, text));
    }
    format.read(input)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use showreport_records::{Block, Content, Ndjson};

    use super::*;

    /// All lines with their numbers.
    fn lines(bytes: Vec<u8>) -> io::Result<Vec<(usize, String)>> {
        let blocks = open(Cursor::new(bytes), &Ndjson, Compression::Detected)?;
        let mut all = Vec::new();
        for block in blocks {
            let Block {
                first_line,
                content,
            } = block?;
            let Content::Lines(text) = content else {
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
    fn the_lines_are_the_same_whatever_the_compression_and_the_charset() {
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
            // Compressed files can be joined.
            let parts = [gzip(&bytes[..5]), gzip(&bytes[5..]), vec![0; 512]].concat();
            assert_eq!(lines(parts).expect("whole"), wanted);
        }
        assert!(lines(Vec::new()).expect("empty").is_empty());
    }

    #[test]
    fn a_file_that_is_cut_short_or_utf_32_is_an_error() {
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
