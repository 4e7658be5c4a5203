//! The progress of a long step: one line, only on a terminal.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};

/// A line that is written again and again, and removed when dropped.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    shown: Cell<Option<u64>>,
}

impl Progress {
    pub(crate) const fn new(what: &'static str, total: u64) -> Self {
        Self {
            what,
            total,
            shown: Cell::new(None),
        }
    }

    pub(crate) fn at(&self, done: u64) {
        let percent = (done * 100).checked_div(self.total).unwrap_or(100);
        if self.shown.get() != Some(percent) && stderr().is_terminal() {
            self.shown.set(Some(percent));
            eprint!("\r   {percent:3} % of {} {}", self.total, self.what);
            stderr().flush().ok();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.get().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
