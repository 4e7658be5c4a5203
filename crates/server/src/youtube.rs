//! Bulk reports, in an API that is compatible with `YouTube` Reporting: types, jobs, reports,
//! media.
//!
//! Field names are `lowerCamelCase`. A field without a value is left out, so the response with an
//! empty list is `{}`. Google's standard parameters are accepted and have no effect; unknown ones
//! are refused. Error responses get Google's format in `router::google`.

mod parameters;
mod report_types;
mod status;
mod jobs;
mod reports;
mod media;

pub(crate) use jobs::{
    __path_create_job, __path_delete_job, __path_get_job, __path_list_jobs, create, create_job,
    delete, delete_job, get_job, job_id, list_jobs,
};
pub use media::PUBLIC_URL_BYTES_MAX;
pub(crate) use media::{__path_download_media, download_media, download_path};
pub(crate) use parameters::STANDARD_PARAMETERS;
pub(crate) use report_types::{__path_list_report_types, list_report_types};
pub(crate) use reports::{
    __path_get_report, __path_list_reports, get_report, list_reports, report_id,
};
pub(crate) use status::newest_period;
