//! Unpacks bodies, whole and within a bound, and files.
//!
//! Both may be all that the usual tools unpack: gzip of several members, zstd of several frames
//! with any window that `zstd -d` accepts, and brotli.
//!
//! A few bytes can unpack to gigabytes. So a body is measured before it is unpacked. Measuring
//! takes the memory of the encoding's window, or for zstd of the bound.
//!
//! A body that is cut short, or that other bytes follow, is damaged. Nothing of it is used.

mod brotli_reader;
mod gzip_reader;

use std::io::{self, BufRead, BufReader, Read};

use brotli_reader::BrotliReader;
use gzip_reader::GzipReader;
use zstd::zstd_safe;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Brotli,
}

impl Encoding {
    /// The names of all encodings, for `Accept-Encoding`.
    pub(super) const NAMES: &'static str = "gzip, zstd, br";

    /// Reads a `Content-Encoding` of one name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        // RFC 9110: `x-gzip` is the same as `gzip`.
        match name.to_ascii_lowercase().as_str() {
            "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "br" => Some(Self::Brotli),
            _ => None,
        }
    }

    /// Whether unpacking may keep up to 16 MiB at hand, as the body itself requires.
    pub(super) const fn has_large_window(self) -> bool {
        matches!(self, Self::Zstd | Self::Brotli)
    }

    /// Detects gzip and zstd by their first bytes. Brotli has no such mark.
    pub(super) fn from_head(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or a skippable frame, which pzstd writes first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Brotli => "br",
        }
    }
}

/// Formats that are not unpacked: first bytes, name, and the tool that unpacks them.
const FOREIGN: [(&[u8], &str, &str); 5] = [
    (b"BZh", "bzip2", "bunzip2"),
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"PK\x03\x04", "a zip archive or a workbook", "unzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "7z x"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -d"),
];

/// Bytes that are read of a file at a time.
const FILE_BUFFER_BYTES: usize = 256 << 10;

/// Unpacks a file if it is packed. Gzip and zstd are detected by their first bytes, brotli is not.
pub fn unpack_file(mut input: Box<dyn BufRead>, is_brotli: bool) -> io::Result<Box<dyn BufRead>> {
    let head = input.fill_buf()?;
    let unpacked: Box<dyn Read> = match Encoding::from_head(head) {
        Some(Encoding::Gzip) => Box::new(GzipReader::new(input)),
        Some(Encoding::Zstd) => Box::new(zstd::Decoder::with_buffer(input)?),
        _ if is_brotli => Box::new(BrotliReader::new(input)),
        _ => {
            let foreign = FOREIGN.iter().find(|(mark, ..)| head.starts_with(mark));
            return match foreign {
                Some((_, name, tool)) => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the file is {name}; unpack it first, with `{tool}`"),
                )),
                None => Ok(input),
            };
        }
    };
    Ok(Box::new(BufReader::with_capacity(
        FILE_BUFFER_BYTES,
        unpacked,
    )))
}

/// The largest window of a brotli body. Zstd needs none, since a body is unpacked in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// 4 MiB, which the usual levels of all encoders stay below.
    Usual,
    /// 16 MiB, the largest that brotli has, and the most bytes of a body.
    Large,
}

impl Window {
    const fn log_max(self) -> u32 {
        match self {
            Self::Usual => 22,
            Self::Large => 24,
        }
    }
}

/// Why a packed body cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnpackError {
    /// The result is larger than the bound.
    TooLarge,
    /// The body is cut short or damaged, or other bytes follow it.
    Damaged,
}

/// The number of bytes that the body unpacks to, at most `bytes_max`.
pub(crate) fn unpacked_bytes(
    body: &[u8],
    encoding: Encoding,
    bytes_max: usize,
) -> Result<usize, UnpackError> {
    if encoding == Encoding::Zstd {
        return unpack_zstd(body, bytes_max).map(|unpacked| unpacked.len());
    }
    let mut reader = bounded(body, encoding, Window::Large, bytes_max)?;
    let bytes = io::copy(&mut reader, &mut io::sink()).map_err(damaged)?;
    within(bytes, bytes_max)
}

/// Unpacks the body to at most `bytes_max` bytes, for which memory is allocated first.
pub(crate) fn unpack(
    body: &[u8],
    encoding: Encoding,
    window: Window,
    bytes_max: usize,
) -> Result<Vec<u8>, UnpackError> {
    if encoding == Encoding::Zstd {
        return unpack_zstd(body, bytes_max);
    }
    let mut reader = bounded(body, encoding, window, bytes_max)?;
    let mut unpacked = Vec::with_capacity(bytes_max + 1);
    let bytes = reader.read_to_end(&mut unpacked).map_err(damaged)?;
    within(bytes as u64, bytes_max)?;
    Ok(unpacked)
}

/// Unpacks in one piece, so that the result serves as the window. In several pieces a frame could
/// require 128 MiB beside the result, as frames of `zstd --ultra -22` do that come from a pipe.
fn unpack_zstd(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, UnpackError> {
    let mut unpacked = Vec::with_capacity(bytes_max.max(1));
    let mut context = zstd_safe::DCtx::try_create().ok_or(UnpackError::Damaged)?;
    match context.decompress(&mut unpacked, body) {
        Ok(bytes) => within(bytes as u64, bytes_max).map(|_| unpacked),
        Err(code) if zstd_safe::get_error_name(code) == ZSTD_NO_ROOM => Err(UnpackError::TooLarge),
        Err(_) => Err(UnpackError::Damaged),
    }
}

/// The library's name of the error for a result that is too large. The code itself is not public.
const ZSTD_NO_ROOM: &str = "Destination buffer is too small";

/// A reader of at most `bytes_max` bytes and one more, which shows that a body is too large.
fn bounded(
    body: &[u8],
    encoding: Encoding,
    window: Window,
    bytes_max: usize,
) -> Result<impl Read + '_, UnpackError> {
    let reader: Box<dyn Read> = match encoding {
        Encoding::Gzip => Box::new(GzipReader::new(body)),
        Encoding::Brotli if brotli_reader::window_log(body) > window.log_max() => {
            return Err(UnpackError::Damaged);
        }
        Encoding::Brotli => Box::new(BrotliReader::new(body)),
        Encoding::Identity | Encoding::Zstd => Box::new(body),
    };
    Ok(reader.take(bytes_max as u64 + 1))
}

fn within(bytes: u64, bytes_max: usize) -> Result<usize, UnpackError> {
    let bytes = usize::try_from(bytes).ok();
    let bytes = bytes.filter(|&bytes| bytes <= bytes_max);
    bytes.ok_or(UnpackError::TooLarge)
}

fn damaged(_: io::Error) -> UnpackError {
    UnpackError::Damaged
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use brotli::enc::BrotliEncoderParams;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const BYTES_MAX: usize = 3 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        brotli::BrotliCompress(&mut &*bytes, &mut packed, &BrotliEncoderParams::default()).unwrap();
        packed
    }

    fn packed(bytes: &[u8]) -> [(Encoding, Vec<u8>); 3] {
        [
            (Encoding::Gzip, gzip(bytes)),
            (Encoding::Zstd, zstd::encode_all(bytes, 3).unwrap()),
            (Encoding::Brotli, brotli(bytes)),
        ]
    }

    /// Bytes that cannot be packed.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn every_encoding_unpacks_what_was_packed() {
        for bytes in [noise(100_000), b"{}".to_vec(), vec![7; BYTES_MAX]] {
            for (encoding, packed) in packed(&bytes) {
                assert_eq!(
                    unpack(&packed, encoding, Window::Large, BYTES_MAX),
                    Ok(bytes.clone()),
                    "{encoding:?}"
                );
            }
        }
    }

    #[test]
    fn a_body_unpacks_to_the_size_that_was_measured() {
        for length in [0, 1, 100_000, BYTES_MAX] {
            let bytes = noise(length);
            for (encoding, packed) in packed(&bytes) {
                let measured = unpacked_bytes(&packed, encoding, BYTES_MAX).unwrap();
                assert_eq!(measured, length, "{encoding:?}");
                let unpacked = unpack(&packed, encoding, Window::Large, measured).unwrap();
                assert!(unpacked == bytes, "{encoding:?}, {length}");
            }
        }
    }

    #[test]
    fn one_byte_too_many_is_too_large() {
        for (encoding, packed) in packed(&vec![7; BYTES_MAX + 1]) {
            let unpacked = unpack(&packed, encoding, Window::Large, BYTES_MAX);
            assert_eq!(unpacked, Err(UnpackError::TooLarge), "{encoding:?}");
            let measured = unpacked_bytes(&packed, encoding, BYTES_MAX);
            assert_eq!(measured, Err(UnpackError::TooLarge), "{encoding:?}");
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_damaged() {
        for (encoding, packed) in packed(&noise(2000)) {
            for end in 1..packed.len() {
                assert_eq!(
                    unpack(&packed[..end], encoding, Window::Large, BYTES_MAX),
                    Err(UnpackError::Damaged),
                    "{encoding:?} cut to {end} of {}",
                    packed.len()
                );
            }
        }
    }

    #[test]
    fn bytes_after_the_packed_body_make_it_damaged() {
        for (encoding, mut packed) in packed(b"{}") {
            packed.extend_from_slice(b"tail");
            assert_eq!(
                unpack(&packed, encoding, Window::Large, BYTES_MAX),
                Err(UnpackError::Damaged),
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn a_gzip_body_may_have_several_members() {
        let members = [gzip(b"{}\n"), gzip(b"[]")].concat();
        assert_eq!(
            unpack(&members, Encoding::Gzip, Window::Large, BYTES_MAX),
            Ok(b"{}\n[]".to_vec())
        );
    }

    fn zstd_with_window(bytes: &[u8], log: u32) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_window_of_zstd_takes_no_memory() {
        let bytes = noise(100);
        for log in [10, 22, 24, 27, 30] {
            let packed = zstd_with_window(&bytes, log);
            for window in [Window::Usual, Window::Large] {
                let unpacked = unpack(&packed, Encoding::Zstd, window, BYTES_MAX);
                assert_eq!(unpacked, Ok(bytes.clone()), "{log}");
            }
        }
    }

    #[test]
    fn a_file_is_unpacked_as_a_body_is() {
        let bytes = noise(300_000);
        let mut files = packed(&bytes).to_vec();
        files.push((Encoding::Zstd, zstd_with_window(&bytes, 27)));
        let halves = bytes.split_at(100_000);
        files.push((Encoding::Gzip, [gzip(halves.0), gzip(halves.1)].concat()));
        let zeros = vec![0; 70_000];
        files.push((
            Encoding::Gzip,
            [gzip(halves.0), gzip(halves.1), zeros].concat(),
        ));
        let frames = [zstd::encode_all(halves.0, 1), zstd::encode_all(halves.1, 1)];
        let [first, second] = frames.map(|frame| frame.unwrap());
        // As pzstd writes before each of its frames.
        let skipped = [&b"\x50\x2a\x4d\x18\x04\0\0\0"[..], b"size"].concat();
        files.push((
            Encoding::Zstd,
            [&skipped[..], &first, &skipped, &second].concat(),
        ));
        for (encoding, packed) in files {
            let unpacked = unpack(&packed, encoding, Window::Large, BYTES_MAX);
            assert!(unpacked.as_ref() == Ok(&bytes), "{encoding:?}");
            let input = Box::new(io::Cursor::new(packed));
            let mut file = unpack_file(input, encoding == Encoding::Brotli).unwrap();
            let mut read = Vec::new();
            file.read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{encoding:?}");
        }
    }

    #[test]
    fn zeros_may_follow_a_gzip_body_and_nothing_after_them() {
        let with_zeros = [gzip(b"{}"), vec![0; 1000]].concat();
        let unpacked = |body: &[u8]| unpack(body, Encoding::Gzip, Window::Large, BYTES_MAX);
        assert_eq!(unpacked(&with_zeros), Ok(b"{}".to_vec()));
        let after = [with_zeros, gzip(b"{}")].concat();
        assert_eq!(unpacked(&after), Err(UnpackError::Damaged));
    }

    #[test]
    fn a_file_of_another_format_is_refused_by_name() {
        let open = |bytes: &'static [u8]| unpack_file(Box::new(bytes), false);
        for (mark, name, tool) in FOREIGN {
            let problem = open(mark).err().expect("it is refused").to_string();
            assert!(
                problem.contains(name) && problem.contains(tool),
                "{problem}"
            );
        }
        assert!(open(b"{}").is_ok());
    }

    #[test]
    fn a_large_window_is_refused_where_it_is_not_allowed() {
        let bytes = noise(100);
        let brotli_of = |lgwin| {
            let mut packed = Vec::new();
            let params = BrotliEncoderParams {
                lgwin,
                ..BrotliEncoderParams::default()
            };
            brotli::BrotliCompress(&mut &*bytes, &mut packed, &params).unwrap();
            packed
        };
        for (encoding, packed) in [
            (Encoding::Brotli, brotli_of(23)),
            (Encoding::Brotli, brotli_of(24)),
        ] {
            let unpack = |window| unpack(&packed, encoding, window, BYTES_MAX);
            assert_eq!(
                unpack(Window::Usual),
                Err(UnpackError::Damaged),
                "{encoding:?}"
            );
            assert_eq!(unpack(Window::Large), Ok(bytes.clone()), "{encoding:?}");
        }
        for lgwin in 10..=22 {
            let unpacked = unpack(
                &brotli_of(lgwin),
                Encoding::Brotli,
                Window::Usual,
                BYTES_MAX,
            );
            assert_eq!(unpacked, Ok(bytes.clone()), "{lgwin}");
        }
    }

    #[test]
    fn a_changed_bit_makes_a_gzip_body_damaged() {
        let mut packed = gzip(&noise(1000));
        let middle = packed.len() / 2;
        packed[middle] ^= 1;
        assert_eq!(
            unpack(&packed, Encoding::Gzip, Window::Large, BYTES_MAX),
            Err(UnpackError::Damaged)
        );
    }
}
