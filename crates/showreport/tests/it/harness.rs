//! Showreport in the process of the test: database, files and router are real, the clock is set by
//! the test.

pub(crate) mod response;
pub(crate) mod clock;
pub(crate) mod random;
pub(crate) mod app;
pub(crate) mod reports;
pub(crate) mod show;
pub(crate) mod bulk;
pub(crate) mod zip;
pub(crate) mod stored;
pub(crate) mod visitor;

pub(crate) use app::{Org, TestApp};
pub(crate) use clock::{BEGINNING, ManualClock};
pub(crate) use random::Random;
pub(crate) use reports::MadeReport;
pub(crate) use response::Response;
pub(crate) use show::Show;
