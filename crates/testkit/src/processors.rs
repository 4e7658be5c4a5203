//! Pins a server to one processor and its clients to the others, as if on two machines.

use std::fs;
use std::process::{Command, id};

use anyhow::{Context, bail};

use crate::process::output;

pub const MISSING: &str = "a server of its own processor needs two processors and \
     `taskset`: apt-get install util-linux";

/// Pins this process to all its processors but the first, until dropped.
pub struct Apart {
    all: Vec<u32>,
}

impl Apart {
    /// Runs `start` on the first processor, where the processes that it starts stay. `None` where
    /// the machine has one processor or no `taskset`.
    pub fn start<T>(
        start: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<(Self, T)>> {
        let all = allowed()?;
        let [first, others @ ..] = all.as_slice() else {
            bail!("this process has no processor");
        };
        if others.is_empty() || Command::new("taskset").arg("--version").output().is_err() {
            return Ok(None);
        }
        let (first, others) = (*first, others.to_vec());
        let apart = Self { all };
        // A process inherits the processors of the thread that starts it.
        keep_to(&[first])?;
        let started = start()?;
        keep_to(&others)?;
        Ok(Some((apart, started)))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        keep_to(&self.all).ok();
    }
}

fn keep_to(processors: &[u32]) -> anyhow::Result<()> {
    let list: Vec<String> = processors.iter().map(u32::to_string).collect();
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", "--pid", &list.join(","), &id().to_string()]);
    output(&mut taskset).map(drop)
}

/// The processors that this process may run on.
fn allowed() -> anyhow::Result<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let list = list.context("find the processors of this process")?;
    let mut processors = Vec::new();
    for range in list.trim().split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        processors.extend(from.parse::<u32>()?..=to.parse()?);
    }
    Ok(processors)
}
