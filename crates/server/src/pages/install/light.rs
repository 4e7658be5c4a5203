//! [`Light`]: whether records of a player have come.

use showreport_model::{EventId, TokenId, Zone};

use crate::arrivals::Arrival;
use crate::pages::address::encoded;
use crate::rejected::RejectedRecord;
use crate::texts::{count, date_time};

/// Whether records have come since the process began.
pub(super) enum Light {
    /// Nothing has come.
    Waiting,
    /// Records have come, and all of them were rejected.
    Rejected { at: String },
    /// Records have come by the key, of another event than the one that was chosen.
    OtherEvent { event: String, at: String },
    /// Records have come.
    Green {
        event: String,
        /// The path of the event's page.
        event_path: String,
        first_at: String,
        newest_at: String,
        records: String,
    },
}

impl Light {
    /// The light for a token and an event, or for any.
    pub(super) fn of(
        arrivals: &[Arrival],
        rejected: &[RejectedRecord],
        token: Option<TokenId>,
        event: Option<&EventId>,
        zone: &Zone,
    ) -> Self {
        let of_token = || {
            arrivals
                .iter()
                .filter(|arrival| token.is_none_or(|token| arrival.token == token))
        };
        let mut matching = of_token().filter(|it| event.is_none_or(|event| it.event == *event));
        if let Some(arrival) = matching.next() {
            return Self::Green {
                event: arrival.event.to_string(),
                event_path: format!("/events/{}", encoded(arrival.event.as_str())),
                first_at: date_time(arrival.first_at, zone),
                newest_at: date_time(arrival.newest_at, zone),
                records: count(arrival.records),
            };
        }
        let mut rejected = rejected.iter();
        let rejected = rejected.find(|record| token.is_none_or(|token| record.token == token));
        let other = of_token().next().filter(|_| token.is_some());
        match (other, rejected) {
            (Some(other), _) => Self::OtherEvent {
                event: other.event.to_string(),
                at: date_time(other.newest_at, zone),
            },
            (None, Some(record)) => Self::Rejected {
                at: date_time(record.at, zone),
            },
            (None, None) => Self::Waiting,
        }
    }

    pub(super) fn is_green(&self) -> bool {
        matches!(self, Self::Green { .. })
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::Timestamp;
    use showreport_records::Reason;

    use super::*;

    #[test]
    fn the_light_is_green_for_the_chosen_key_and_event_alone() {
        let (one, other) = (TokenId::generate(), TokenId::generate());
        let event = |id: &str| EventId::new(id).unwrap();
        let arrival = Arrival {
            token: one,
            event: event("keynote"),
            first_at: Timestamp::MIN,
            newest_at: Timestamp::MIN,
            records: 1,
        };
        let rejected = RejectedRecord {
            at: Timestamp::MIN,
            token: other,
            index: 0,
            reason: Reason::MissingField,
            message: String::new(),
            field: None,
        };
        let light = |token, event: Option<&EventId>| {
            let (arrivals, rejected) = ([arrival.clone()], [rejected.clone()]);
            Light::of(&arrivals, &rejected, token, event, &Zone::utc())
        };
        assert!(light(None, None).is_green());
        assert!(light(Some(one), Some(&event("keynote"))).is_green());
        assert!(light(None, Some(&event("keynote"))).is_green());
        let wrong = light(Some(one), Some(&event("keynot")));
        assert!(matches!(wrong, Light::OtherEvent { event, .. } if event == "keynote"));
        assert!(matches!(light(Some(other), None), Light::Rejected { .. }));
        assert!(matches!(
            light(Some(TokenId::generate()), None),
            Light::Waiting
        ));
    }
}
