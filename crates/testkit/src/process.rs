//! Running programs, and the memory of processes.

use std::fs;
use std::io::Read;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, ensure};

/// What a program prints, without the last newline. Fails unless the program succeeds.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("start {name}"))?;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{name} ended with {}: {problem}",
        output.status
    );
    let printed = String::from_utf8(output.stdout).context("read what a program printed")?;
    Ok(printed.trim_end().to_owned())
}

/// Waits for a program and samples its memory. What it prints must fit into a pipe.
///
/// Gives what it printed and its peak in bytes, which may miss the last `every` of its life.
pub fn finish_watched(mut child: Child, every: Duration) -> anyhow::Result<(String, u64)> {
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_bytes(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait().context("wait for a program")? {
            break status;
        }
        std::thread::sleep(every);
    };
    let (mut printed, mut problem) = (String::new(), String::new());
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut printed)?;
    }
    if let Some(stderr) = &mut child.stderr {
        stderr.read_to_string(&mut problem)?;
    }
    ensure!(status.success(), "a program ended with {status}: {problem}");
    Ok((printed, peak))
}

/// The greatest resident memory of a process since its start or `forget_peak`.
pub(crate) fn peak_bytes(process: u32) -> anyhow::Result<u64> {
    status_bytes(process, "VmHWM:")
}

/// The resident memory of a process.
pub(crate) fn resident_bytes(process: u32) -> anyhow::Result<u64> {
    status_bytes(process, "VmRSS:")
}

fn status_bytes(process: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib
        .context("find the memory of a process")?
        .trim()
        .parse()?;
    Ok(kib * 1_024)
}

/// Resets the peak of a process.
pub(crate) fn forget_peak(process: u32) -> anyhow::Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), "5").context("reset the peak of a process")
}
