//! Bulk reports as `YouTube` Reporting's clients ask for them: types, jobs, reports, media.
//!
//! Field names are `lowerCamelCase`; what has no value is left out, so that an
//! empty list is `{}`. Google's standard parameters are taken and change nothing; one that neither it nor
//! we have is refused. Refusals take Google's form in `router::google`.

mod parameters;
mod report_types;
mod status;
mod jobs;
mod reports;
mod media;

pub(crate) use jobs::{
    __path_create_job, __path_delete_job, __path_get_job, __path_list_jobs, create_job, delete_job,
    get_job, list_jobs,
};
pub use media::PUBLIC_URL_BYTES_MAX;
pub(crate) use media::{__path_download_media, download_media};
pub(crate) use parameters::STANDARD_PARAMETERS;
pub(crate) use report_types::{__path_list_report_types, list_report_types};
pub(crate) use reports::{__path_get_report, __path_list_reports, get_report, list_reports};
