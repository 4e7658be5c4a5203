//! Imports beside the servers: killed like them, at any time and at named points.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::load::Client;
use crate::victim::{House, dies_at};
use showreport_testkit::{ORG, Random};

/// Where an import can be made to end as if killed, and how many passes may come before.
pub(super) const POINTS: [(&str, u64); 5] = [
    ("flush-after-file", 4),
    ("flush-after-table", 4),
    ("load-after-tables", 1),
    ("load-before-commit", 1),
    ("load-after-commit", 1),
];

/// The longest that an import lives which is killed at any time.
const LIFE_MS_MAX: u64 = 400;

/// After which a hanging import is a fault.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// Imports a request's records as a file. What was not confirmed is there whole or not at all.
///
/// Gives the fail point that it died at, if it came to one.
pub(super) fn import_once(
    house: &House,
    client: &mut Client,
    random: &mut Random,
) -> anyhow::Result<Option<&'static str>> {
    let (at, records) = client.write();
    let file = house.product.data_dir.with_extension("import.ndjson");
    fs::write(&file, records).context("write the records")?;
    let (mut point, mut life) = (None, ENDS_WITHIN);
    match random.below(3) {
        0 => life = Duration::from_millis(random.below(LIFE_MS_MAX)),
        1 => {}
        _ => {
            let chosen = usize::try_from(random.below(POINTS.len() as u64)).expect("it is small");
            point = Some(POINTS[chosen]);
        }
    }
    let mut command = house.product.command(&["import", "--org", ORG]);
    command.arg(&file).stdout(Stdio::null());
    command.stderr(house.log()?);
    if let Some((name, passes_max)) = point {
        command.env("FAILPOINTS", dies_at(name, random.below(passes_max)));
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
        (true, _) => client.acknowledge(at),
        (_, Some(6)) => return Ok(point.map(|(name, _)| name)),
        (_, Some(9)) => {}
        _ => anyhow::bail!("an import ended with {status} by itself"),
    }
    Ok(None)
}
