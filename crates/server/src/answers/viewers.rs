//! [`Viewers`]: the viewers of all events of an organisation, for lists in their order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use showreport_model::{EventId, OrgId, Timestamp};

use super::one_at_a_time::OneAtATime;
use super::recent::Recent;
use super::snapshot::is_recent;

/// The viewers of each event that has any.
pub(crate) type ViewersOfEvents = BTreeMap<EventId, i64>;

/// Bytes of the numbers that are kept.
const BYTES_MAX: usize = 16 << 20;

/// Bytes of an event beside its id.
const ENTRY_BYTES: usize = 64;

/// The numbers that are kept, by organisation.
#[derive(Debug)]
pub(super) struct Viewers {
    kept: Mutex<Recent<OrgId, Kept>>,
    pub(super) working: OneAtATime<OrgId>,
}

#[derive(Debug, Clone)]
struct Kept {
    viewers: Arc<ViewersOfEvents>,
    /// When any event of the organisation had changed last.
    changed_at: Option<Timestamp>,
    /// When it was known last that none had changed since.
    checked_at: Timestamp,
}

impl Default for Viewers {
    fn default() -> Self {
        Self {
            kept: Mutex::new(Recent::new(BYTES_MAX)),
            working: OneAtATime::default(),
        }
    }
}

impl Viewers {
    /// The numbers, if no event has changed since they were counted, or if they are recent.
    pub(super) fn kept(
        &self,
        org: &OrgId,
        changed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Arc<ViewersOfEvents>> {
        let mut kept = self.lock();
        let found = kept.get(org)?;
        if found.changed_at == changed_at {
            let checked = Kept {
                checked_at: now,
                ..found.clone()
            };
            kept.insert(org.clone(), checked, bytes(&found.viewers));
            return Some(found.viewers);
        }
        is_recent(found.checked_at, now).then_some(found.viewers)
    }

    /// Keeps numbers that were counted after `now`.
    pub(super) fn keep(
        &self,
        org: &OrgId,
        changed_at: Option<Timestamp>,
        now: Timestamp,
        viewers: ViewersOfEvents,
    ) -> Arc<ViewersOfEvents> {
        let viewers = Arc::new(viewers);
        let kept = Kept {
            viewers: viewers.clone(),
            changed_at,
            checked_at: now,
        };
        self.lock().insert(org.clone(), kept, bytes(&viewers));
        viewers
    }

    fn lock(&self) -> MutexGuard<'_, Recent<OrgId, Kept>> {
        // No change of it can panic halfway, so a poisoned lock has a valid state.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(viewers: &ViewersOfEvents) -> usize {
    let entries = viewers.keys().map(|id| id.as_str().len() + ENTRY_BYTES);
    ENTRY_BYTES + entries.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_until_an_event_changes_and_for_ten_seconds_then() {
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        let org = OrgId::new("acme").unwrap();
        let viewers = Viewers::default();
        let is_kept = |changed_at, now| {
            let kept = viewers.kept(&org, Some(at(changed_at)), at(now));
            kept.is_some()
        };
        assert!(!is_kept(1, 2));
        viewers.keep(&org, Some(at(1)), at(2), ViewersOfEvents::new());
        assert!(is_kept(1, 100_000));
        assert!(is_kept(2, 109_999));
        assert!(!is_kept(2, 110_000));
    }
}
