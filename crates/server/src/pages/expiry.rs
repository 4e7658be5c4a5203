//! The field `expires_days` of forms: after how many days a token or a share link ends.

use showreport_model::Timestamp;
use showreport_model::time::MILLIS_PER_DAY;

use crate::error::ApiError;

/// The longest life that is given in days: a hundred years.
const DAYS_MAX: i64 = 36_500;

/// The end after so many days. An empty field has no end.
pub(crate) fn expires_at(
    days: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ApiError> {
    let text = days.unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(None);
    }
    let days: Option<i64> = text.parse().ok();
    let days = days.filter(|days| (1..=DAYS_MAX).contains(days));
    let end = days.map(|days| now.saturating_add_millis(days * MILLIS_PER_DAY));
    end.map(Some).ok_or_else(|| {
        let problem = "must be a whole number of days, from 1, or empty for no end";
        ApiError::violation("expires_days", problem)
    })
}
