//! A bound on the memory that all requests together may take, and those of one organisation.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use showreport_model::OrgId;

/// How many bytes of bodies, and of what was made of them, may be in memory at one time.
///
/// Bytes are counted as they arrive, so that announcing a large body takes nothing.
#[derive(Debug)]
pub(crate) struct Budget {
    used: Mutex<Used>,
    max: usize,
    each_max: usize,
}

#[derive(Debug, Default)]
struct Used {
    all: usize,
    by_org: HashMap<OrgId, usize>,
}

impl Budget {
    /// So many at most; three quarters of them for one organisation.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            used: Mutex::default(),
            max,
            each_max: max / 4 * 3,
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Nothing panics while it is held.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's part of the [`Budget`], given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    org: OrgId,
    bytes: usize,
}

impl Share {
    /// Nothing yet.
    pub(crate) fn new(budget: Arc<Budget>, org: OrgId) -> Self {
        Self {
            budget,
            org,
            bytes: 0,
        }
    }

    /// Takes more; false where that is more than there is.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        self.set(self.bytes + bytes);
        let used = self.budget.used();
        let of_org = used.by_org.get(&self.org).copied().unwrap_or(0);
        used.all <= self.budget.max && of_org <= self.budget.each_max
    }

    /// Stands for something else from now on, such as what was read from a body.
    /// That is granted in any case: it is there already.
    pub(crate) fn set(&mut self, bytes: usize) {
        let mut used = self.budget.used();
        used.all = used.all + bytes - self.bytes;
        match used.by_org.entry(self.org.clone()) {
            Entry::Vacant(_) if bytes == 0 => {}
            Entry::Vacant(of_org) => {
                of_org.insert(bytes);
            }
            Entry::Occupied(mut of_org) => {
                *of_org.get_mut() = *of_org.get() + bytes - self.bytes;
                if *of_org.get() == 0 {
                    of_org.remove();
                }
            }
        }
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back() {
        let budget = Arc::new(Budget::new(12));
        let share = |org: &str, bytes| {
            let mut share = Share::new(budget.clone(), OrgId::new(org).unwrap());
            let granted = share.grow(bytes);
            (share, granted)
        };
        let (first, granted) = share("acme", 8);
        assert!(granted);
        assert!(!share("rival", 5).1);
        drop(first);
        let (mut second, granted) = share("acme", 2);
        assert!(granted);
        second.set(11);
        assert!(!share("rival", 2).1);
        drop(second);
        assert!(share("rival", 9).1);
        assert_eq!(budget.used().all, 0);
        assert!(budget.used().by_org.is_empty());
    }

    #[test]
    fn one_organisation_leaves_a_quarter_to_others() {
        let budget = Arc::new(Budget::new(12));
        let mut shares: Vec<Share> = ["acme", "acme", "rival"]
            .map(|org| Share::new(budget.clone(), OrgId::new(org).unwrap()))
            .into();
        assert!(shares[0].grow(8));
        assert!(shares[1].grow(1));
        assert!(!shares[1].grow(1));
        assert!(shares[2].grow(2));
        shares.remove(0);
        assert!(shares[0].grow(1));
    }
}
