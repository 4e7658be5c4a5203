//! [`RejectedRecords`]: the newest rejected records of each organisation, since this process began.
//!
//! The page `/install` lists them. A message may quote a text of the record, such as
//! an unknown role. Nothing of a record is kept, so the text is left out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use showreport_model::{OrgId, Timestamp, TokenId};
use showreport_records::{Reason, Rejection};

/// Rejected records that are kept of one organisation.
pub(crate) const REJECTED_MAX: usize = 50;

/// Rejected records that are kept of one request. With more, a single body would push out those of
/// all other players.
const REJECTED_OF_REQUEST_MAX: usize = 10;

/// Organisations with rejected records. With those of one they bound the memory: 12,800 rejections
/// of about half a kilobyte.
const ORGS_MAX: usize = 256;

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectedRecord {
    pub(crate) at: Timestamp,
    /// The token of its request.
    pub(crate) token: TokenId,
    /// The line or the element of the body, from 0.
    pub(crate) index: usize,
    pub(crate) reason: Reason,
    /// What is wrong and what would be right.
    pub(crate) message: String,
    pub(crate) field: Option<String>,
}

/// The newest rejected records of each organisation.
#[derive(Debug, Default)]
pub(crate) struct RejectedRecords(Mutex<HashMap<OrgId, VecDeque<RejectedRecord>>>);

impl RejectedRecords {
    /// Adds the first rejections of a request.
    pub(crate) fn add(
        &self,
        org: &OrgId,
        token: TokenId,
        rejections: &[Rejection],
        now: Timestamp,
    ) {
        if rejections.is_empty() {
            return;
        }
        let mut orgs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if orgs.len() >= ORGS_MAX && !orgs.contains_key(org) {
            remove_oldest(&mut orgs);
        }
        let records = orgs.entry(org.clone()).or_default();
        for rejection in rejections.iter().take(REJECTED_OF_REQUEST_MAX).rev() {
            if records.len() >= REJECTED_MAX {
                records.pop_front();
            }
            records.push_back(RejectedRecord {
                at: now,
                token,
                index: rejection.index,
                reason: rejection.reason,
                message: without_text(&rejection.message),
                field: rejection.field.clone(),
            });
        }
    }

    /// Those of an organisation, the newest requests first.
    pub(crate) fn newest(&self, org: &OrgId) -> Vec<RejectedRecord> {
        let orgs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let records = orgs.get(org).into_iter().flatten();
        records.rev().cloned().collect()
    }
}

/// A message without the text of the record that it quotes.
fn without_text(message: &str) -> String {
    const QUOTES: &str = " is \"";
    let Some((before, quoted)) = message.split_once(QUOTES) else {
        return message.to_owned();
    };
    let mut is_escaped = false;
    let end = quoted.find(|letter| {
        let is_end = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_end
    });
    let after = end.map_or("", |end| &quoted[end + 1..]);
    // Long texts are cut.
    let after = after.strip_prefix('…').unwrap_or(after);
    format!("{before} is another text{after}")
}

/// Removes the organisation of which no record was rejected for the longest time.
fn remove_oldest(orgs: &mut HashMap<OrgId, VecDeque<RejectedRecord>>) {
    let newest = |records: &VecDeque<RejectedRecord>| records.back().map(|record| record.at);
    let oldest = orgs.iter().min_by_key(|(_, records)| newest(records));
    if let Some(org) = oldest.map(|(org, _)| org.clone()) {
        orgs.remove(&org);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::new(name).unwrap()
    }

    fn rejections(count: usize) -> Vec<Rejection> {
        let rejection = |index| Rejection {
            index,
            reason: Reason::MissingField,
            message: "`event_id` is missing".to_owned(),
            field: Some("event_id".to_owned()),
        };
        (0..count).map(rejection).collect()
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::MIN.saturating_add_millis(millis)
    }

    #[test]
    fn the_newest_of_an_organisation_are_kept() {
        let records = RejectedRecords::default();
        let token = TokenId::generate();
        for millis in 0..100 {
            records.add(&org("acme"), token, &rejections(2), at(millis));
        }
        let newest = records.newest(&org("acme"));
        assert_eq!(newest.len(), REJECTED_MAX);
        assert_eq!((newest[0].at, newest[0].index), (at(99), 0));
        assert_eq!(newest[49].at, at(75));
        assert_eq!(records.newest(&org("globex")), []);
    }

    #[test]
    fn one_request_does_not_push_out_all_others() {
        let records = RejectedRecords::default();
        let (one, other) = (TokenId::generate(), TokenId::generate());
        records.add(&org("acme"), one, &rejections(1), at(0));
        records.add(&org("acme"), other, &rejections(10_000), at(1));
        let newest = records.newest(&org("acme"));
        assert_eq!(newest.len(), REJECTED_OF_REQUEST_MAX + 1);
        assert_eq!(newest.last().map(|record| record.token), Some(one));
    }

    #[test]
    fn the_text_that_a_message_quotes_is_left_out() {
        for (message, kept) in [
            (
                r#"`role` is "a \"b\\"; it must be one of viewer, guest"#,
                "`role` is another text; it must be one of viewer, guest",
            ),
            (
                r#"`at` is "a long text"…; it must be a time"#,
                "`at` is another text; it must be a time",
            ),
            (r#"`at` is "never closed; it"#, "`at` is another text"),
            (
                "`to` is missing; it must be \"1.0\"",
                "`to` is missing; it must be \"1.0\"",
            ),
        ] {
            assert_eq!(without_text(message), kept);
        }
    }

    #[test]
    fn the_number_of_organisations_is_bounded() {
        let records = RejectedRecords::default();
        for number in 0..=ORGS_MAX {
            let now = at(i64::try_from(number).unwrap());
            let name = org(&format!("org-{number}"));
            records.add(&name, TokenId::generate(), &rejections(1), now);
        }
        assert_eq!(records.newest(&org("org-0")), []);
        assert_eq!(records.newest(&org("org-1")).len(), 1);
        assert_eq!(records.0.lock().unwrap().len(), ORGS_MAX);
    }
}
