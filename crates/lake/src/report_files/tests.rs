use std::path::Path as FilePath;

use tokio::io::AsyncWriteExt;

use super::*;

fn files(directory: &FilePath) -> ReportFiles {
    ReportFiles::new(Store::new(DurableStore::open(directory).unwrap(), "store"))
}

fn path(attempt: u32, variant: Variant) -> (OrgId, ReportId, ReportPath) {
    let org = OrgId::new("acme").unwrap();
    let id = ReportId::generate();
    let path = ReportPath::new(&org, id, attempt, variant);
    (org, id, path)
}

async fn read(files: &ReportFiles, path: &ReportPath, range: Range<u64>) -> Vec<u8> {
    let parts: Vec<Bytes> = files
        .read(path, range)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    parts.concat()
}

fn entries(directory: &FilePath) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// Larger than a part, so that it goes to the store in several.
fn long_text() -> Vec<u8> {
    (0u8..=255).cycle().take(3 * PART_BYTES + 17).collect()
}

#[tokio::test]
async fn a_report_is_read_in_ranges() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    for text in [b"0123456789".to_vec(), long_text()] {
        let (.., path) = path(1, Variant::Main);
        let mut writer = files.create(&path);
        for chunk in text.chunks(100_000) {
            writer.write_all(chunk).await.unwrap();
        }
        assert!(matches!(files.size(&path).await, Err(Error::FileGone)));
        writer.shutdown().await.unwrap();
        let size = files.size(&path).await.unwrap();
        assert_eq!(size, text.len() as u64);
        assert_eq!(read(&files, &path, 0..size).await, text);
        assert_eq!(read(&files, &path, 3..7).await, text[3..7]);
        assert!(read(&files, &path, 4..4).await.is_empty());
        assert!(writer.write_all(b"more").await.is_err());
    }
}

#[tokio::test]
async fn a_writer_that_is_aborted_or_dropped_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    for text in [b"short".to_vec(), long_text()] {
        for stage in ["dropped", "aborted", "complete"] {
            let (.., path) = path(1, Variant::Raw);
            let mut writer = files.create(&path);
            writer.write_all(&text).await.unwrap();
            match stage {
                "dropped" => drop(writer),
                "aborted" => writer.abort().await.unwrap(),
                _ => {
                    writer.shutdown().await.unwrap();
                    writer.abort().await.unwrap();
                }
            }
            assert!(matches!(files.size(&path).await, Err(Error::FileGone)));
            assert!(!directory.path().join(REPORTS).exists());
        }
    }
    drop(files);
    assert_eq!(entries(&directory.path().join(".staging")), 0);
}

#[tokio::test]
async fn all_files_of_a_report_are_deleted_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    let (org, id, first) = path(1, Variant::Main);
    let second = ReportPath::new(&org, id, 2, Variant::Raw);
    let (.., other) = path(1, Variant::Main);
    for path in [&first, &second, &other] {
        let mut writer = files.create(path);
        writer.write_all(b"text").await.unwrap();
        writer.shutdown().await.unwrap();
    }
    files.delete_all(&org, id).await.unwrap();
    files.delete_all(&org, id).await.unwrap();
    for path in [&first, &second] {
        assert!(matches!(files.size(path).await, Err(Error::FileGone)));
        let gone = files.read(path, 0..1).await;
        assert!(matches!(gone.err(), Some(Error::FileGone)));
    }
    assert_eq!(files.size(&other).await.unwrap(), 4);
}

#[test]
fn an_organisation_cannot_reach_beyond_its_directory() {
    let org = OrgId::new("..").unwrap();
    let path = ReportPath::new(&org, ReportId::generate(), 1, Variant::Main);
    assert!(path.0.as_ref().starts_with("reports/%2E%2E/"), "{}", path.0);
}
