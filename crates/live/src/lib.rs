//! Live figures: the facts of events that are asked for, in memory, equal to what reports will say.
//!
//! A state is read from the lake and the journal once, and follows the commits from then on. It
//! causes no flush. The algebra (claims, concurrency) is in `model`; here are the sets of facts and
//! how they are fed.

mod error;
mod metrics;
mod figures;
mod columns;
mod texts;
mod spans;
mod audience;
mod messages;
mod polls;
mod state;
mod held;
mod following;
mod live;

pub use error::Error;
pub use figures::{LiveFigures, LiveOption, LivePoll, ViewerCounts, Viewers, ViewersOfValue};
pub use live::Live;
pub use metrics::Metrics;
