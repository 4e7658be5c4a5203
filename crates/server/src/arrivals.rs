//! [`Arrivals`]: the newest records that came from players themselves, by organisation, token and
//! event, since this process began.
//!
//! The light of the page `/install` turns green with them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use showreport_model::{EventId, OrgId, Timestamp, TokenId};

/// Organisations whose arrivals are kept.
const ORGS_MAX: usize = 256;

/// Pairs of a token and an event of one organisation.
const ARRIVALS_MAX: usize = 64;

/// What arrived of one event by one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) token: TokenId,
    pub(crate) event: EventId,
    /// When the first request was stored, since the pair was last forgotten.
    pub(crate) first_at: Timestamp,
    pub(crate) newest_at: Timestamp,
    /// Records of these requests.
    pub(crate) records: u64,
}

/// The newest arrivals of each organisation.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<HashMap<OrgId, Vec<Arrival>>>);

impl Arrivals {
    /// Adds a request of a player that was stored.
    pub(crate) fn add(
        &self,
        org: &OrgId,
        token: TokenId,
        event: &EventId,
        records: usize,
        now: Timestamp,
    ) {
        let mut orgs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if orgs.len() >= ORGS_MAX && !orgs.contains_key(org) {
            remove_oldest(&mut orgs);
        }
        let arrivals = orgs.entry(org.clone()).or_default();
        let records = records as u64;
        let known = arrivals.iter_mut();
        let known = known
            .rev()
            .find(|it| it.token == token && it.event == *event);
        if let Some(arrival) = known {
            arrival.newest_at = now;
            arrival.records += records;
            return;
        }
        if arrivals.len() >= ARRIVALS_MAX {
            let newest_at = arrivals.iter().map(|arrival| arrival.newest_at);
            let oldest = newest_at.enumerate().min_by_key(|(_, at)| *at);
            arrivals.swap_remove(oldest.map_or(0, |(place, _)| place));
        }
        arrivals.push(Arrival {
            token,
            event: event.clone(),
            first_at: now,
            newest_at: now,
            records,
        });
    }

    /// Those of an organisation, the newest first.
    pub(crate) fn newest(&self, org: &OrgId) -> Vec<Arrival> {
        let orgs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut arrivals = orgs.get(org).cloned().unwrap_or_default();
        arrivals.sort_by_key(|arrival| std::cmp::Reverse(arrival.newest_at));
        arrivals
    }
}

/// Removes the organisation of which nothing has arrived for the longest time.
fn remove_oldest(orgs: &mut HashMap<OrgId, Vec<Arrival>>) {
    let newest = |arrivals: &[Arrival]| arrivals.iter().map(|arrival| arrival.newest_at).max();
    let oldest = orgs.iter().min_by_key(|(_, arrivals)| newest(arrivals));
    if let Some(org) = oldest.map(|(org, _)| org.clone()) {
        orgs.remove(&org);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(number: usize) -> OrgId {
        OrgId::new(format!("org-{number}")).unwrap()
    }

    fn event(number: usize) -> EventId {
        EventId::new(format!("event-{number}")).unwrap()
    }

    fn at(number: usize) -> Timestamp {
        Timestamp::MIN.saturating_add_millis(i64::try_from(number).unwrap())
    }

    #[test]
    fn the_requests_of_a_token_and_an_event_are_counted_together() {
        let arrivals = Arrivals::default();
        let (one, other) = (TokenId::generate(), TokenId::generate());
        arrivals.add(&org(1), one, &event(1), 2, at(5));
        arrivals.add(&org(1), other, &event(1), 1, at(7));
        arrivals.add(&org(1), one, &event(1), 3, at(9));
        let arrived = arrivals.newest(&org(1));
        let tokens: Vec<_> = arrived.iter().map(|arrival| arrival.token).collect();
        assert_eq!(tokens, [one, other]);
        assert_eq!((arrived[0].first_at, arrived[0].newest_at), (at(5), at(9)));
        assert_eq!(arrived[0].records, 5);
        assert_eq!(arrivals.newest(&org(2)), []);
    }

    #[test]
    fn the_newest_of_an_organisation_are_kept() {
        let arrivals = Arrivals::default();
        let token = TokenId::generate();
        for number in 0..100 {
            arrivals.add(&org(1), token, &event(number), 1, at(number));
        }
        let kept: Vec<_> = arrivals
            .newest(&org(1))
            .into_iter()
            .map(|it| it.event)
            .collect();
        let newest: Vec<_> = (100 - ARRIVALS_MAX..100).rev().map(event).collect();
        assert_eq!(kept, newest);
    }

    #[test]
    fn the_number_of_organisations_is_bounded() {
        let arrivals = Arrivals::default();
        for number in 0..=ORGS_MAX {
            arrivals.add(&org(number), TokenId::generate(), &event(0), 1, at(number));
        }
        assert_eq!(arrivals.newest(&org(0)), []);
        assert_eq!(arrivals.newest(&org(1)).len(), 1);
        assert_eq!(arrivals.0.lock().unwrap().len(), ORGS_MAX);
    }
}
