//! What was told to a server, and what of it was acknowledged: kept outside of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

/// What a record says. Told twice, it is still one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// A stretch of a view.
    Beat { view: u64, nth: u32 },
    /// A version of a message; the latest hides those before.
    Version { message: u64, nth: u32 },
    /// A vote of somebody.
    Vote { voter: u64, nth: u32 },
}

/// A request. Its facts are kept all together or not at all.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) facts: Vec<Fact>,
    pub(crate) acknowledged: bool,
}

/// An event, and what was told about it.
#[derive(Debug)]
pub(crate) struct Show {
    pub(crate) event: String,
    pub(crate) told: Vec<Request>,
}

/// What one event's reports say, however they say it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each fact, and in how many rows it is.
    pub(crate) facts: BTreeMap<Fact, u32>,
    /// Figures that do not follow from the rows.
    pub(crate) wrong: Vec<String>,
}

impl Found {
    pub(crate) fn add(&mut self, fact: Fact) {
        *self.facts.entry(fact).or_default() += 1;
    }

    fn has(&self, fact: Fact) -> bool {
        self.facts.contains_key(&fact)
    }

    /// Whether a later version of the same message is there, behind which this one cannot be seen.
    fn hides(&self, fact: Fact) -> bool {
        let Fact::Version { message, nth } = fact else {
            return false;
        };
        let last = Fact::Version {
            message,
            nth: u32::MAX,
        };
        let later = Fact::Version {
            message,
            nth: nth + 1,
        };
        self.facts.range(later..=last).next().is_some()
    }
}

/// What is wrong with what was found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Acknowledged, and not there.
    pub(crate) lost: Vec<Fact>,
    /// There more than once.
    pub(crate) twice: Vec<Fact>,
    /// There, and never sent.
    pub(crate) foreign: Vec<Fact>,
    /// Of an unanswered request a part is there.
    pub(crate) torn: Vec<Fact>,
    /// Figures that do not follow from the rows.
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    /// Fails unless nothing is wrong.
    pub(crate) fn demand_clean(&self) -> anyhow::Result<()> {
        ensure!(self.is_clean(), "{self:?}");
        Ok(())
    }

    fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.twice.is_empty()
            && self.foreign.is_empty()
            && self.torn.is_empty()
            && self.wrong.is_empty()
    }
}

/// Compares what was told about an event with what its reports say.
pub(crate) fn compare(told: &[Request], found: &Found) -> Verdict {
    let mut verdict = Verdict {
        wrong: found.wrong.clone(),
        ..Verdict::default()
    };
    let facts_of = |acknowledged: bool| -> BTreeSet<Fact> {
        let requests = told.iter().filter(|it| it.acknowledged == acknowledged);
        requests.flat_map(|it| it.facts.iter().copied()).collect()
    };
    let (acknowledged, unanswered) = (facts_of(true), facts_of(false));
    for &fact in &acknowledged {
        if !found.has(fact) && !found.hides(fact) {
            verdict.lost.push(fact);
        }
    }
    for (&fact, &rows) in &found.facts {
        if rows > 1 {
            verdict.twice.push(fact);
        }
        if !acknowledged.contains(&fact) && !unanswered.contains(&fact) {
            verdict.foreign.push(fact);
        }
    }
    for request in told.iter().filter(|request| !request.acknowledged) {
        // What another request brought too, or what cannot be seen, says nothing about this one.
        let own = request.facts.iter().copied();
        let own = own.filter(|&fact| !acknowledged.contains(&fact) && !found.hides(fact));
        let (there, missing): (Vec<Fact>, Vec<Fact>) = own.partition(|&fact| found.has(fact));
        if !there.is_empty() {
            verdict.torn.extend(missing);
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Fact = Fact::Beat { view: 1, nth: 0 };
    const NEXT: Fact = Fact::Beat { view: 1, nth: 1 };

    fn version(nth: u32) -> Fact {
        Fact::Version { message: 7, nth }
    }

    fn request(facts: &[Fact], acknowledged: bool) -> Request {
        Request {
            facts: facts.to_vec(),
            acknowledged,
        }
    }

    fn found(facts: &[Fact]) -> Found {
        let mut found = Found::default();
        for &fact in facts {
            found.add(fact);
        }
        found
    }

    #[test]
    fn what_was_acknowledged_must_be_there_once_and_what_was_not_may_be() {
        let told = [request(&[BEAT], true), request(&[NEXT], false)];
        assert!(compare(&told, &found(&[BEAT])).is_clean());
        assert!(compare(&told, &found(&[BEAT, NEXT])).is_clean());
        assert_eq!(compare(&told, &found(&[NEXT])).lost, [BEAT]);
        assert_eq!(compare(&told, &found(&[BEAT, BEAT])).twice, [BEAT]);
        let foreign = Fact::Vote { voter: 1, nth: 0 };
        assert_eq!(compare(&told, &found(&[BEAT, foreign])).foreign, [foreign]);
    }

    #[test]
    fn a_later_version_hides_one_before_and_none_after() {
        let told = [request(&[version(0)], true), request(&[version(1)], true)];
        assert!(compare(&told, &found(&[version(1)])).is_clean());
        assert_eq!(compare(&told, &found(&[version(0)])).lost, [version(1)]);
    }

    #[test]
    fn half_an_unanswered_request_is_torn() {
        let told = [request(&[BEAT, NEXT], false)];
        assert!(compare(&told, &found(&[])).is_clean());
        assert!(compare(&told, &found(&[BEAT, NEXT])).is_clean());
        assert_eq!(compare(&told, &found(&[NEXT])).torn, [BEAT]);
    }
}
