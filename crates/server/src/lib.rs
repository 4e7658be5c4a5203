//! The doors: collecting, `BlendVision`'s event reports, `YouTube`'s bulk
//! reports, downloads, our own API, operations.
//!
//! A handler extracts, makes one call and shapes the answer. Nothing here
//! computes a figure, speaks SQL or knows how facts lie on disk.

mod error;
mod config;
mod metrics;
mod rates;
mod permits;
mod app;
mod extract;
mod auth;
pub mod collect;
mod downloads;
mod blendvision;
mod youtube;
mod api;
mod operations;
mod router;
mod listener;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use api::FiguresAnswer;
pub use app::App;
pub use config::Config;
pub use listener::serve;
pub use router::{metrics_router, openapi, router};
pub use youtube::PUBLIC_URL_BYTES_MAX;
