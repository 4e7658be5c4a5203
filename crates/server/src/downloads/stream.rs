//! Streams of a file's bytes. A file that is too short ends with an error, so that no client takes
//! it for a whole one.

use std::io;

use async_compression::tokio::bufread::GzipEncoder;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, unfold};
use tokio_util::io::{ReaderStream, StreamReader};

/// A stream of a file's bytes.
pub(super) type Chunks = BoxStream<'static, io::Result<Bytes>>;

/// The same bytes, with an error if they are fewer or more than expected.
///
/// A client compares plain bytes with `content-length`, but a response with gzip has none.
pub(super) fn exactly(chunks: Chunks, bytes: u64) -> Chunks {
    unfold(Some((chunks, bytes)), |state| async move {
        let (mut chunks, left) = state?;
        match chunks.next().await {
            Some(Ok(chunk)) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => Some((Ok(chunk), Some((chunks, left)))),
                None => Some((Err(wrong_length()), None)),
            },
            Some(Err(error)) => Some((Err(error), None)),
            None if left == 0 => None,
            None => Some((Err(wrong_length()), None)),
        }
    })
    .boxed()
}

/// The bytes, compressed.
pub(super) fn gzip(chunks: Chunks) -> Chunks {
    ReaderStream::new(GzipEncoder::new(StreamReader::new(chunks))).boxed()
}

fn wrong_length() -> io::Error {
    tracing::error!("a report's file has another length than when it was made");
    io::Error::other("the file has another length than when it was made")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use futures::stream;

    use super::*;

    fn chunks(parts: &[&'static str]) -> Chunks {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part.as_bytes())))
            .collect();
        stream::iter(parts).boxed()
    }

    async fn collect(chunks: Chunks) -> io::Result<Vec<u8>> {
        let parts: Vec<io::Result<Bytes>> = chunks.collect().await;
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&part?);
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn a_stream_of_another_length_ends_with_an_error() {
        assert_eq!(
            collect(exactly(chunks(&["ab", "c"]), 3)).await.unwrap(),
            b"abc"
        );
        assert_eq!(collect(exactly(chunks(&[]), 0)).await.unwrap(), b"");
        assert!(collect(exactly(chunks(&["ab", "c"]), 4)).await.is_err());
        assert!(collect(exactly(chunks(&["ab", "c"]), 2)).await.is_err());
    }

    #[tokio::test]
    async fn compression_keeps_bytes_and_errors() {
        let compressed = collect(gzip(exactly(chunks(&["ab", "c"]), 3)))
            .await
            .unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*compressed)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "abc");
        assert!(collect(gzip(exactly(chunks(&["ab"]), 3))).await.is_err());
    }
}
