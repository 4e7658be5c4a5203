//! Kills imports beside the servers, at random times and at fail points.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::installation::{Installation, dies_at};
use crate::load::Sender;
use showreport_testkit::{ORG, Random};

/// Fail points at which an import dies, each with the most passes before.
pub(super) const POINTS: [(&str, u64); 5] = [
    ("flush-after-file", 4),
    ("flush-after-table", 4),
    ("load-after-tables", 1),
    ("load-before-commit", 1),
    ("load-after-commit", 1),
];

/// The longest life of an import that is killed at a random time.
const LIFE_MS_MAX: u64 = 400;

/// An import that takes longer hangs.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// Imports a request's records as a file. If it fails, all its facts are kept or none.
///
/// Gives the fail point at which it died, if it reached one.
pub(super) fn import_once(
    installation: &Installation,
    sender: &mut Sender,
    random: &mut Random,
) -> anyhow::Result<Option<&'static str>> {
    let (at, records) = sender.write();
    let file = installation
        .product
        .data_dir
        .with_extension("import.ndjson");
    fs::write(&file, records).context("write the records")?;
    let (mut point, mut life) = (None, ENDS_WITHIN);
    match random.u64(..3) {
        0 => life = Duration::from_millis(random.u64(..LIFE_MS_MAX)),
        1 => {}
        _ => {
            point = random.choice(POINTS);
        }
    }
    let mut command = installation.product.command(&["import", "--org", ORG]);
    command.arg(&file).stdout(Stdio::null());
    command.stderr(installation.log()?);
    if let Some((name, passes_max)) = point {
        command.env("FAILPOINTS", dies_at(name, random.u64(..passes_max)));
    }
    let mut child = command.spawn().context("start an import")?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() >= life {
            child.kill().ok();
            break child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    ensure!(begun.elapsed() < ENDS_WITHIN, "an import did not end");
    match (status.success(), status.signal()) {
        (true, _) => sender.acknowledge(at),
        (_, Some(6)) => return Ok(point.map(|(name, _)| name)),
        (_, Some(9)) => {}
        _ => anyhow::bail!("an import ended with {status} by itself"),
    }
    Ok(None)
}
