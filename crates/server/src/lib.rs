//! The HTTP server: collecting records, `BlendVision`'s API for event reports, `YouTube`'s for bulk
//! reports, downloads, our own API, the pages of the dashboard, operations.
//!
//! A handler extracts its arguments, makes one call and builds the response. Figures are computed
//! in `query`, SQL is in `meta`, and files are read and written by `lake`.

mod error;
mod network;
mod config;
mod stopping;
mod metrics;
mod rates;
mod attempts;
mod permits;
mod sign_ins;
mod notices;
mod answers;
mod rejected;
mod arrivals;
mod app;
mod extract;
mod origin;
mod auth;
pub mod collect;
mod downloads;
mod blendvision;
mod youtube;
mod api;
mod assets;
mod script;
mod texts;
mod charts;
mod pages;
mod operations;
mod router;
mod listener;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use api::figures_json;
pub use app::App;
pub use config::{CollectPath, Config};
pub use listener::serve;
pub use network::Network;
pub use router::{collect_path, metrics_router, openapi, router};
pub use youtube::PUBLIC_URL_BYTES_MAX;
