//! The time that the product takes for now.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

#[expect(
    clippy::disallowed_methods,
    reason = "the tools compare it with the clock of another process"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since_1970 = now().duration_since(UNIX_EPOCH);
    let since_1970 = since_1970.expect("the clock is past 1970");
    u64::try_from(since_1970.as_millis()).expect("milliseconds of this age fit into 64 bits")
}
