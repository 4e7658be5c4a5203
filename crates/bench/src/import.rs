//! `showreport import`, measured, and as other parts use it to prepare data.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::figures::Measured;
use super::show::Show;
use showreport_testkit::{ORG, Product, finish_watched};

/// Imports a file; the number of accepted records.
pub(crate) fn file(product: &Product, file: &Path) -> anyhow::Result<(Measured, u64)> {
    let mut command = product.command(&["import", "--org", ORG]);
    command
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let begun = Instant::now();
    let child = command.spawn().context("start the import")?;
    let (printed, peak_bytes) = finish_watched(child, Duration::from_millis(5))?;
    let seconds = begun.elapsed().as_secs_f64();
    let words: Vec<&str> = printed.split_whitespace().collect();
    ensure!(words.get(4) == Some(&"0"), "the import printed: {printed}");
    let accepted = words[1]
        .parse()
        .with_context(|| format!("the import printed: {printed}"))?;
    Ok((
        Measured {
            seconds,
            peak_bytes,
        },
        accepted,
    ))
}

/// Imports a show as it is made, without a file.
pub(crate) fn show(product: &Product, org: &str, mut show: Show) -> anyhow::Result<()> {
    let mut command = product.command(&["import", "-", "--org", org]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().context("start an import")?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut lines = Vec::new();
    while show.next_second(&mut lines).is_some() {
        stdin.write_all(&lines).context("write to the import")?;
        lines.clear();
    }
    drop(stdin);
    let status = child.wait().context("wait for an import")?;
    ensure!(status.success(), "an import ended with {status}");
    Ok(())
}
