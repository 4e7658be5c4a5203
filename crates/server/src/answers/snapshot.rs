//! [`Snapshot`]: the facts of an event at one instant.

use std::sync::{Mutex, MutexGuard, PoisonError};

use showreport_model::report::{Event, Heads, Pins};
use showreport_model::{EventId, OrgId, Timestamp, Zone};

use super::recent::Recent;

/// How old the facts of an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Up to [`AGE_MS_MAX`].
    Recent,
    /// Everything that was acknowledged before the request is counted.
    Fresh,
}

/// How long a state is used while facts come. Each new state costs a flush and new answers.
const AGE_MS_MAX: i64 = 10_000;

/// How long pinned versions are used. A data file is deleted a day after it has left its table.
const PINNED_MS_MAX: i64 = 12 * 3_600 * 1_000;

/// States that are kept, about a kilobyte each.
const STATES_MAX: usize = 4_096;

/// The facts of an event at one instant. Two of the same event with equal `as_of` have the same
/// facts.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    org: OrgId,
    as_of: Timestamp,
    pins: Pins,
}

impl Snapshot {
    pub(crate) fn org(&self) -> &OrgId {
        &self.org
    }

    /// Everything that was acknowledged up to this instant is counted, and nothing else.
    pub(crate) fn as_of(&self) -> Timestamp {
        self.as_of
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The event, as its records described it then.
    pub(crate) fn event(&self) -> &Event {
        &self.pins.event
    }
}

/// Versions of the tables with the facts of an event, and its record.
#[derive(Debug, Clone)]
pub(super) struct State {
    heads: Heads,
    event: Event,
    pinned_at: Timestamp,
}

impl State {
    pub(super) fn new(heads: Heads, event: Event, pinned_at: Timestamp) -> Self {
        Self {
            heads,
            event,
            pinned_at,
        }
    }

    /// The snapshot of this state in the organisation's present zone.
    pub(super) fn snapshot(self, org: OrgId, as_of: Timestamp, zone: Zone) -> Snapshot {
        let pins = Pins {
            heads: self.heads,
            zone,
            event: self.event,
        };
        Snapshot { org, as_of, pins }
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        is_within(self.pinned_at, now, PINNED_MS_MAX)
    }
}

type EventKey = (OrgId, EventId);

/// The states that are kept.
#[derive(Debug)]
pub(super) struct Snapshots(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    newest: Recent<EventKey, Newest>,
    states: Recent<(EventKey, Timestamp), State>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    as_of: Timestamp,
    /// When it was known last that no newer facts were acknowledged.
    checked_at: Timestamp,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            newest: Recent::new(STATES_MAX),
            states: Recent::new(STATES_MAX),
        }))
    }
}

impl Snapshots {
    /// Keeps a state that was pinned now.
    pub(super) fn keep(&self, key: &EventKey, as_of: Timestamp, state: State) {
        let mut kept = self.lock();
        let newest = Newest {
            as_of,
            checked_at: state.pinned_at,
        };
        kept.newest.insert(key.clone(), newest, 1);
        kept.states.insert((key.clone(), as_of), state, 1);
    }

    /// The state to use for an event that changed last at `changed_at`, as the database had it at or
    /// after `now`. `None`: it has to be pinned.
    pub(super) fn newest(
        &self,
        key: &EventKey,
        changed_at: Timestamp,
        freshness: Freshness,
        now: Timestamp,
    ) -> Option<(Timestamp, State)> {
        let mut kept = self.lock();
        let newest = kept.newest.get(key)?;
        let is_present = newest.as_of == changed_at;
        let is_old = freshness == Freshness::Fresh || !is_recent(newest.checked_at, now);
        if !is_present && is_old {
            return None;
        }
        let state = kept.states.get(&(key.clone(), newest.as_of))?;
        if !state.is_usable(now) {
            return None;
        }
        if is_present {
            let checked = Newest {
                checked_at: now,
                ..newest
            };
            kept.newest.insert(key.clone(), checked, 1);
        }
        Some((newest.as_of, state))
    }

    /// The state of an event at an `as_of`.
    pub(super) fn of(&self, key: &EventKey, as_of: Timestamp, now: Timestamp) -> Option<State> {
        let state = self.lock().states.get(&(key.clone(), as_of));
        state.filter(|state| state.is_usable(now))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // No change of it can panic halfway, so a poisoned lock has a valid state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what was right at an instant may be used now though facts have come since.
pub(super) fn is_recent(checked_at: Timestamp, now: Timestamp) -> bool {
    is_within(checked_at, now, AGE_MS_MAX - 1)
}

/// Whether an instant is at most so many milliseconds before now, and not after it.
fn is_within(at: Timestamp, now: Timestamp, millis_max: i64) -> bool {
    (0..=millis_max).contains(&(now.as_millis() - at.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::MIN.saturating_add_millis(millis)
    }

    fn key() -> EventKey {
        (
            OrgId::new("acme").unwrap(),
            EventId::new("keynote").unwrap(),
        )
    }

    /// The `as_of` that is used.
    fn used(snapshots: &Snapshots, changed_at: i64, freshness: Freshness, now: i64) -> Option<i64> {
        let newest = snapshots.newest(&key(), at(changed_at), freshness, at(now));
        newest.map(|(as_of, _)| as_of.as_millis() - Timestamp::MIN.as_millis())
    }

    fn snapshots(as_of: i64, pinned_at: i64) -> Snapshots {
        let snapshots = Snapshots::default();
        let event = Event {
            id: key().1,
            kind: None,
            title: None,
            starts_at: None,
            ends_at: None,
            duration_ms: None,
            updated_at: None,
        };
        let state = State::new(Heads::new(), event, at(pinned_at));
        snapshots.keep(&key(), at(as_of), state);
        snapshots
    }

    #[test]
    fn a_state_is_used_as_long_as_no_facts_come() {
        let snapshots = snapshots(5, 10);
        for freshness in [Freshness::Fresh, Freshness::Recent] {
            assert_eq!(used(&snapshots, 5, freshness, 10), Some(5));
            assert_eq!(used(&snapshots, 5, freshness, PINNED_MS_MAX), Some(5));
            // Files of its versions may be deleted.
            assert_eq!(used(&snapshots, 5, freshness, PINNED_MS_MAX + 11), None);
        }
    }

    #[test]
    fn while_facts_come_a_state_is_used_for_ten_seconds_after_it_was_the_present_one() {
        let snapshots = snapshots(5, 10);
        assert_eq!(used(&snapshots, 6, Freshness::Fresh, 10), None);
        assert_eq!(used(&snapshots, 6, Freshness::Recent, 10_009), Some(5));
        assert_eq!(used(&snapshots, 6, Freshness::Recent, 10_010), None);
        assert_eq!(
            used(&snapshots, 6, Freshness::Recent, 9),
            None,
            "a clock set back"
        );
        assert_eq!(used(&snapshots, 5, Freshness::Recent, 20_000), Some(5));
        assert_eq!(used(&snapshots, 6, Freshness::Recent, 29_999), Some(5));
    }

    #[test]
    fn an_earlier_state_is_found_by_its_time() {
        let snapshots = snapshots(5, 10);
        assert!(snapshots.of(&key(), at(5), at(11)).is_some());
        assert!(snapshots.of(&key(), at(6), at(11)).is_none());
        assert!(
            snapshots
                .of(&key(), at(5), at(PINNED_MS_MAX + 11))
                .is_none()
        );
    }
}
