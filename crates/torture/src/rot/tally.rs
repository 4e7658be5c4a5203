//! The outcomes of all rounds, by kind of file.

use std::collections::BTreeMap;
use std::fmt;

use super::flip::Kind;
use super::round::Round;

/// What a flipped bit did, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// Every response was as before.
    Same,
    /// A request was refused with a reason that names the damaged file.
    Refused,
    /// A request was refused with another reason.
    Unnamed,
    /// A response was wrong.
    Wrong,
}

impl Ending {
    pub(super) const fn is_bad(self) -> bool {
        matches!(self, Self::Unnamed | Self::Wrong)
    }
}

/// Counts by kind of file and ending.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(Kind, Ending), u64>);

impl Tally {
    pub(super) fn add(&mut self, round: &Round) {
        *self.0.entry((round.kind, round.ending)).or_default() += 1;
    }

    pub(super) fn join(&mut self, other: Self) {
        for (kind_and_ending, count) in other.0 {
            *self.0.entry(kind_and_ending).or_default() += count;
        }
    }

    /// The rounds with this ending.
    pub(super) fn of(&self, ending: Ending) -> u64 {
        let counts = self.0.iter().filter(|((_, it), _)| *it == ending);
        counts.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endings = [
            Ending::Same,
            Ending::Refused,
            Ending::Unnamed,
            Ending::Wrong,
        ];
        writeln!(
            f,
            "{:24} {:>7} {:>7} {:>7} {:>7}",
            "file", "same", "refused", "unnamed", "wrong"
        )?;
        for kind in Kind::ALL {
            write!(f, "{:24}", kind.name())?;
            for ending in endings {
                let count = self.0.get(&(kind, ending)).copied().unwrap_or(0);
                write!(f, " {count:>7}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
