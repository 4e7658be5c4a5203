//! Routes for operators: health, metrics, the description of the API, and a web page about it.

mod health;
mod home;
mod metrics;
mod openapi;

pub(crate) use health::{__path_healthz, __path_readyz, healthz, readyz};
pub(crate) use home::{__path_home, home};
pub(crate) use metrics::{__path_show_metrics, show_metrics};
pub(crate) use openapi::{__path_show_openapi, Document, show_openapi};
