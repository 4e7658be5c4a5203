//! `showreport import`, as it is measured, and as other parts prepare what they measure.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::figures::Measured;
use super::show::Show;
use showreport_testkit::{ORG, Product, finish_watched};

/// Loads files; with how many records were accepted.
pub(crate) fn file(product: &Product, file: &Path) -> anyhow::Result<(Measured, u64)> {
    let mut command = product.command(&["import", "--org", ORG]);
    command
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let begun = Instant::now();
    let child = command.spawn().context("start the import")?;
    let (said, peak_bytes) = finish_watched(child, Duration::from_millis(5))?;
    let seconds = begun.elapsed().as_secs_f64();
    let words: Vec<&str> = said.split_whitespace().collect();
    ensure!(words.get(4) == Some(&"0"), "the import said: {said}");
    let accepted = words[1]
        .parse()
        .with_context(|| format!("the import said: {said}"))?;
    Ok((
        Measured {
            seconds,
            peak_bytes,
        },
        accepted,
    ))
}

/// Loads a show while it is told: no file is made of it.
pub(crate) fn told(product: &Product, org: &str, mut show: Show) -> anyhow::Result<()> {
    let mut command = product.command(&["import", "-", "--org", org]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().context("start an import")?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut lines = Vec::new();
    while show.tell(&mut lines).is_some() {
        stdin.write_all(&lines).context("tell the import a show")?;
        lines.clear();
    }
    drop(stdin);
    let status = child.wait().context("wait for an import")?;
    ensure!(status.success(), "an import ended with {status}");
    Ok(())
}
