//! Packed bodies, unpacked whole and within a bound.
//!
//! A few bytes can unpack to gigabytes. So a body is measured before it is
//! unpacked to be kept, which takes no more memory than the encoding's window.
//!
//! A body that ends early, or that something follows, is broken: what came
//! out of it so far is dropped.

mod brotli_reader;

use std::io::{self, Read};

use brotli_reader::BrotliReader;
use flate2::bufread::MultiGzDecoder;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Brotli,
}

impl Encoding {
    /// Every way to pack, as the `Accept-Encoding` of a refusal names them.
    pub(super) const NAMES: &'static str = "gzip, zstd, br";

    /// Reads a `Content-Encoding` of one name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        // RFC 9110 has a recipient take `x-gzip` for `gzip`.
        match name.to_ascii_lowercase().as_str() {
            "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "br" => Some(Self::Brotli),
            _ => None,
        }
    }

    /// Whether unpacking keeps much of what came out at hand, as the body itself demands.
    pub(super) const fn has_large_window(self) -> bool {
        matches!(self, Self::Zstd | Self::Brotli)
    }

    fn reader(self, body: &[u8], window: Window) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Identity => Box::new(body),
            Self::Gzip => Box::new(MultiGzDecoder::new(body)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
                decoder.window_log_max(window.log_max())?;
                Box::new(decoder)
            }
            Self::Brotli if brotli_reader::window_log(body) > window.log_max() => {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            Self::Brotli => Box::new(BrotliReader::new(body)),
        })
    }
}

/// How much of what came out of a body may be kept at hand to unpack the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// 4 MiB, which the usual levels of all encoders stay below.
    Usual,
    /// 16 MiB, which no body exceeds anyway.
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

/// Why a packed body gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpackable {
    /// More than the bound comes out.
    TooLarge,
    /// It is cut short, damaged, or something follows it.
    Broken,
}

/// How many bytes come out of the whole body, at most `bytes_max`.
pub(crate) fn unpacked_bytes(
    body: &[u8],
    encoding: Encoding,
    bytes_max: usize,
) -> Result<usize, Unpackable> {
    let mut reader = bounded(body, encoding, Window::Large, bytes_max)?;
    let bytes = io::copy(&mut reader, &mut io::sink()).map_err(broken)?;
    within(bytes, bytes_max)
}

/// Unpacks the whole body to at most `bytes_max` bytes, for which memory is taken at once.
pub(crate) fn unpack(
    body: &[u8],
    encoding: Encoding,
    window: Window,
    bytes_max: usize,
) -> Result<Vec<u8>, Unpackable> {
    let mut reader = bounded(body, encoding, window, bytes_max)?;
    let mut unpacked = Vec::with_capacity(bytes_max + 1);
    let bytes = reader.read_to_end(&mut unpacked).map_err(broken)?;
    within(bytes as u64, bytes_max)?;
    Ok(unpacked)
}

/// One byte more tells a body that is too large from one that just fits.
fn bounded(
    body: &[u8],
    encoding: Encoding,
    window: Window,
    bytes_max: usize,
) -> Result<impl Read + '_, Unpackable> {
    let reader = encoding.reader(body, window).map_err(broken)?;
    Ok(reader.take(bytes_max as u64 + 1))
}

fn within(bytes: u64, bytes_max: usize) -> Result<usize, Unpackable> {
    let bytes = usize::try_from(bytes).ok();
    let bytes = bytes.filter(|&bytes| bytes <= bytes_max);
    bytes.ok_or(Unpackable::TooLarge)
}

fn broken(_: io::Error) -> Unpackable {
    Unpackable::Broken
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

    /// Bytes that do not pack to nothing.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn every_encoding_gives_back_what_was_packed() {
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
    fn a_body_that_was_measured_comes_out_in_that_size() {
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
            assert_eq!(unpacked, Err(Unpackable::TooLarge), "{encoding:?}");
            let measured = unpacked_bytes(&packed, encoding, BYTES_MAX);
            assert_eq!(measured, Err(Unpackable::TooLarge), "{encoding:?}");
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_broken() {
        for (encoding, packed) in packed(&noise(2000)) {
            for end in 1..packed.len() {
                assert_eq!(
                    unpack(&packed[..end], encoding, Window::Large, BYTES_MAX),
                    Err(Unpackable::Broken),
                    "{encoding:?} cut to {end} of {}",
                    packed.len()
                );
            }
        }
    }

    #[test]
    fn what_follows_the_packed_body_breaks_it() {
        for (encoding, mut packed) in packed(b"{}") {
            packed.extend_from_slice(b"tail");
            assert_eq!(
                unpack(&packed, encoding, Window::Large, BYTES_MAX),
                Err(Unpackable::Broken),
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

    #[test]
    fn a_window_beyond_any_body_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&noise(100)).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(
            unpack(&packed, Encoding::Zstd, Window::Large, BYTES_MAX),
            Err(Unpackable::Broken)
        );
    }

    #[test]
    fn a_large_window_is_taken_only_where_it_may_be() {
        let bytes = noise(100);
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(23).unwrap();
        encoder.write_all(&bytes).unwrap();
        let large_zstd = encoder.finish().unwrap();
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
            (Encoding::Zstd, large_zstd),
            (Encoding::Brotli, brotli_of(23)),
            (Encoding::Brotli, brotli_of(24)),
        ] {
            let unpack = |window| unpack(&packed, encoding, window, BYTES_MAX);
            assert_eq!(
                unpack(Window::Usual),
                Err(Unpackable::Broken),
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
    fn a_damaged_gzip_body_is_broken() {
        let mut packed = gzip(&noise(1000));
        let middle = packed.len() / 2;
        packed[middle] ^= 1;
        assert_eq!(
            unpack(&packed, Encoding::Gzip, Window::Large, BYTES_MAX),
            Err(Unpackable::Broken)
        );
    }
}
