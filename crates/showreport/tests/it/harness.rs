//! A whole Showreport in one process: the real database, real files, the real router,
//! and a clock that the test moves.

pub(crate) mod answer;
pub(crate) mod clock;
pub(crate) mod random;
pub(crate) mod app;
pub(crate) mod reports;
pub(crate) mod show;
pub(crate) mod bulk;
pub(crate) mod zip;

pub(crate) use answer::Answer;
pub(crate) use app::{Org, TestApp};
pub(crate) use clock::{BEGINNING, ManualClock};
pub(crate) use random::Random;
pub(crate) use reports::Made;
pub(crate) use show::Show;
