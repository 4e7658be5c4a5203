//! Chat histories.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::clock::{Buckets, rfc3339};
use super::facts::{Facts, Identity, Message, customer_else_device};
use super::group::{Person, columns};
use super::{ReportSpec, Table};

/// A row a message; a deleted one is flagged.
pub(crate) fn messages(facts: &Facts, question: &ReportSpec) -> Table {
    let names =
        "sent_at,message_id,customer_id,device_id,name,role,text,deleted,device_os,geo_region";
    let row = |(id, message): (&String, &Message)| {
        let person = Person::of_words(facts, &message.customer, &message.device);
        vec![
            rfc3339(message.sent_at),
            id.clone(),
            message.customer.clone(),
            message.device.clone(),
            message.name.clone(),
            message.role.clone(),
            message.text.clone(),
            message.deleted.to_string(),
            person.os.to_owned(),
            person.region.to_owned(),
        ]
    };
    Table::new(
        names.split(',').collect(),
        inside(facts, question).map(row).collect(),
    )
}

/// A row a group; a deleted message counts in no figure.
pub(crate) fn grouped(facts: &Facts, question: &ReportSpec, zone: &TimeZone) -> Table {
    let mut buckets = Buckets::new(question.granularity_seconds, zone);
    let mut groups: BTreeMap<Vec<String>, (u64, BTreeSet<Identity>)> = BTreeMap::new();
    for (_, message) in inside(facts, question).filter(|(_, message)| !message.deleted) {
        let person = Person::of_words(facts, &message.customer, &message.device);
        let group = groups
            .entry(person.group(question, &mut buckets, message.sent_at))
            .or_default();
        group.0 += 1;
        group
            .1
            .extend(customer_else_device(&message.customer, &message.device));
    }
    let mut names = columns(question);
    names.extend(["messages", "senders"]);
    let row = |(mut cells, (messages, senders)): (Vec<String>, (u64, BTreeSet<Identity>))| {
        cells.extend([messages.to_string(), senders.len().to_string()]);
        cells
    };
    Table::new(names, groups.into_iter().map(row).collect())
}

/// The messages that were sent inside the filter, by the version that holds.
fn inside<'a>(
    facts: &'a Facts,
    question: &'a ReportSpec,
) -> impl Iterator<Item = (&'a String, &'a Message)> {
    facts
        .messages
        .iter()
        .filter(|(_, message)| question.holds(message.sent_at))
}
