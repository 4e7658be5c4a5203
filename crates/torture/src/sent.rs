//! What was sent to a server, what of it was acknowledged, and how that compares with its reports.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

/// What a record states. Sent twice, it is still one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// One span of a view.
    Beat {
        view: u64,
        nth: u32,
    },
    /// A version of a message; the latest hides those before.
    Version {
        message: u64,
        nth: u32,
    },
    Vote {
        voter: u64,
        nth: u32,
    },
}

/// A request. The server keeps all its facts or none.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) facts: Vec<Fact>,
    pub(crate) acknowledged: bool,
}

/// An event, and the requests about it.
#[derive(Debug)]
pub(crate) struct Show {
    pub(crate) event: String,
    pub(crate) requests: Vec<Request>,
}

/// What the reports of one event hold.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The number of rows that hold each fact.
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

    /// Whether a later version of the same message is there: reports show the latest only.
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

/// How what was found differs from what was sent.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Acknowledged, and absent.
    pub(crate) lost: Vec<Fact>,
    /// In more than one row.
    pub(crate) twice: Vec<Fact>,
    /// Present, and never sent.
    pub(crate) foreign: Vec<Fact>,
    /// Absent, while another part of the same unanswered request is present.
    pub(crate) torn: Vec<Fact>,
    /// Figures that do not follow from the rows.
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    /// Fails if anything differs.
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

/// Compares what was sent about an event with what its reports hold.
pub(crate) fn compare(sent: &[Request], found: &Found) -> Verdict {
    let mut verdict = Verdict {
        wrong: found.wrong.clone(),
        ..Verdict::default()
    };
    let facts_of = |acknowledged: bool| -> BTreeSet<Fact> {
        let requests = sent.iter().filter(|it| it.acknowledged == acknowledged);
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
    for request in sent.iter().filter(|request| !request.acknowledged) {
        // A fact that another request brought too, or that is hidden, proves nothing about this
        // one.
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
    fn an_acknowledged_fact_must_be_there_once_and_an_unanswered_one_may_be() {
        let sent = [request(&[BEAT], true), request(&[NEXT], false)];
        assert!(compare(&sent, &found(&[BEAT])).is_clean());
        assert!(compare(&sent, &found(&[BEAT, NEXT])).is_clean());
        assert_eq!(compare(&sent, &found(&[NEXT])).lost, [BEAT]);
        assert_eq!(compare(&sent, &found(&[BEAT, BEAT])).twice, [BEAT]);
        let foreign = Fact::Vote { voter: 1, nth: 0 };
        assert_eq!(compare(&sent, &found(&[BEAT, foreign])).foreign, [foreign]);
    }

    #[test]
    fn a_later_version_hides_one_before_and_none_after() {
        let sent = [request(&[version(0)], true), request(&[version(1)], true)];
        assert!(compare(&sent, &found(&[version(1)])).is_clean());
        assert_eq!(compare(&sent, &found(&[version(0)])).lost, [version(1)]);
    }

    #[test]
    fn half_an_unanswered_request_is_torn() {
        let sent = [request(&[BEAT, NEXT], false)];
        assert!(compare(&sent, &found(&[])).is_clean());
        assert!(compare(&sent, &found(&[BEAT, NEXT])).is_clean());
        assert_eq!(compare(&sent, &found(&[NEXT])).torn, [BEAT]);
    }
}
