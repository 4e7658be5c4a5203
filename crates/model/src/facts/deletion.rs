//! Deletions of messages by their id alone, as rows among the versions of messages.

use super::ChatBuilder;
use crate::record::ChatDeletion;
use crate::time::Timestamp;

/// `sent_at` of a [`ChatDeletion`], which has none: before all times that are taken.
pub const NEVER_SENT_MS: i64 = 0;

/// `updated_at` of a [`ChatDeletion`] for good: after all times that are taken.
const FOR_GOOD_MS: i64 = Timestamp::MAX.as_millis() + 1;

impl ChatBuilder {
    pub(super) fn push_deletion(&mut self, org: &str, deletion: &ChatDeletion) {
        let updated_at = deletion
            .updated_at
            .map_or(FOR_GOOD_MS, Timestamp::as_millis);
        self.org.append_value(org);
        self.event.append_value(deletion.event.as_str());
        self.message.append_value(deletion.message.as_str());
        self.sent_at.append_value(NEVER_SENT_MS);
        self.updated_at.append_value(updated_at);
        self.deleted.append_value(true);
        self.text.append_value("");
        self.name.append_null();
        self.role.append_null();
        self.customer.append_null();
        self.device.append_null();
    }
}
