//! Files of records, made once and kept under `target/bench/data`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::progress::Progress;
use super::show::Show;

/// A file of records, all of one event.
pub(crate) struct Data {
    pub(crate) path: PathBuf,
    pub(crate) event: String,
    pub(crate) records: u64,
}

/// Finds or makes the records of a show. The seed follows from the name, so that shows differ.
pub(crate) fn show(folder: &Path, event: &str, records: u64) -> anyhow::Result<Data> {
    let path = folder.join(format!("{event}-{records}.ndjson"));
    if !path.exists() {
        // Renamed once it is whole, so that a run that was stopped leaves no half of it.
        let partly = path.with_extension("partly");
        write(&partly, event, records).context("make the records of a show")?;
        fs::rename(&partly, &path).context("name the records")?;
    }
    Ok(Data {
        path,
        event: event.to_owned(),
        records,
    })
}

fn write(path: &Path, event: &str, records: u64) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut show = Show::new(event, seed(event), records);
    let progress = Progress::new("records", records);
    let mut lines = Vec::new();
    let mut written = 0;
    while let Some(more) = show.next_second(&mut lines) {
        file.write_all(&lines)?;
        lines.clear();
        written += more;
        progress.at(written);
    }
    Ok(file.flush()?)
}

/// The FNV-1a hash of the name.
fn seed(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
