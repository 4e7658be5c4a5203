//! Routes for operators: health, metrics, and the description of the API.

mod health;
mod metrics;
mod openapi;

pub(crate) use health::{__path_healthz, __path_readyz, healthz, readyz};
pub(crate) use metrics::{__path_show_metrics, show_metrics};
pub(crate) use openapi::{__path_show_openapi, Document, show_openapi};
