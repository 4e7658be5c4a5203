//! What an operator asks: is it alive, is it ready, how is it doing, what can it do.

mod health;
mod home;
mod metrics;
mod openapi;

pub(crate) use health::{__path_healthz, __path_readyz, healthz, readyz};
pub(crate) use home::{__path_home, home};
pub(crate) use metrics::{__path_show_metrics, show_metrics};
pub(crate) use openapi::{__path_show_openapi, Document, show_openapi};
