//! What a scenario is, what it works with, and what it reports.

use std::path::PathBuf;

use anyhow::ensure;
use showreport_testkit::Random;

use crate::installation::Installation;

/// One way to break the product, and what must hold while it does.
pub(crate) trait Scenario: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What must hold, in a line.
    fn about(&self) -> &'static str;

    fn rounds(&self) -> Rounds;

    /// Breaks the product as often as the setting says. What does not hold is an error.
    ///
    /// What holds is reported with a [`Control`]: a fault that this scenario has seen.
    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome>;
}

/// How often a scenario does its worst, in its own unit: kills, cuts, seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    /// By default, as docs/guarantees.md asks for.
    pub(crate) full: u64,
    /// With `--small`. Zero leaves the scenario out.
    pub(crate) small: u64,
}

/// What a scenario works with.
pub(crate) struct Setting {
    /// A build with fail points.
    pub(crate) binary: PathBuf,
    /// The scenario writes below this folder only.
    pub(crate) folder: PathBuf,
    pub(crate) random: Random,
    pub(crate) rounds: u64,
}

impl Setting {
    /// A fresh data directory of this name.
    pub(crate) fn installation(&self, name: &str) -> anyhow::Result<Installation> {
        let log = self.folder.join(name).with_extension("log");
        Installation::fresh(&self.binary, self.folder.join(name), log)
    }
}

/// What a scenario reports that found no fault.
pub(crate) enum Outcome {
    /// Everything held: what was done, in a line, and the faults that were seen on purpose.
    Held(String, Control),
    /// A program is missing: which, and how to get it. On CI that is an error.
    LeftOut(String),
    /// The machine forbids what the scenario does, and no package helps.
    Forbidden(String),
}

/// Proof that a scenario sees faults: one that was made on purpose was noticed.
pub(crate) struct Control {
    faults: Vec<String>,
}

impl Control {
    /// Fails unless the fault was noticed, because then the scenario proves nothing.
    pub(crate) fn noticed(noticed: bool, fault: &str) -> anyhow::Result<Self> {
        ensure!(noticed, "the control failed: {fault} was not noticed");
        Ok(Self {
            faults: vec![fault.to_owned()],
        })
    }

    /// Both faults were noticed.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.faults.extend(other.faults);
        self
    }

    /// The faults that were noticed, in words.
    pub(crate) fn faults(&self) -> String {
        self.faults.join("; ")
    }
}
