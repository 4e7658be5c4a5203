//! The two records that are rows of chat: a version of a message, and a deletion by its id alone.

use crate::ids::{CustomerId, DeviceId};
use crate::record::{ChatDeletion, ChatRecord, Role};
use crate::time::Timestamp;

/// `sent_at` of a [`ChatDeletion`], which has none: before all times that are accepted.
pub const NEVER_SENT_MS: i64 = 0;

/// `updated_at` of a [`ChatDeletion`] without one: after all times that are accepted, so that no
/// later version of the message holds.
const FOR_GOOD_MS: i64 = Timestamp::MAX.as_millis() + 1;

/// The values of a row of chat.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChatVersion<'a> {
    pub(super) event: &'a str,
    pub(super) message: &'a str,
    pub(super) sent_at_ms: i64,
    pub(super) updated_at_ms: i64,
    pub(super) deleted: bool,
    pub(super) text: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) role: Option<Role>,
    pub(super) customer: Option<&'a str>,
    pub(super) device: Option<&'a str>,
}

impl<'a> From<&'a ChatRecord> for ChatVersion<'a> {
    fn from(record: &'a ChatRecord) -> Self {
        Self {
            event: record.event.as_str(),
            message: record.message.as_str(),
            sent_at_ms: record.sent_at.as_millis(),
            updated_at_ms: record.updated_at.unwrap_or(record.sent_at).as_millis(),
            deleted: record.deleted,
            text: &record.text,
            name: record.name.as_deref(),
            role: record.role,
            customer: record.customer.as_ref().map(CustomerId::as_str),
            device: record.device.as_ref().map(DeviceId::as_str),
        }
    }
}

impl<'a> From<&'a ChatDeletion> for ChatVersion<'a> {
    fn from(deletion: &'a ChatDeletion) -> Self {
        let updated_at = deletion.updated_at;
        Self {
            event: deletion.event.as_str(),
            message: deletion.message.as_str(),
            sent_at_ms: NEVER_SENT_MS,
            updated_at_ms: updated_at.map_or(FOR_GOOD_MS, Timestamp::as_millis),
            deleted: true,
            text: "",
            name: None,
            role: None,
            customer: None,
            device: None,
        }
    }
}
