//! Our own API: events, their figures, and reports.

mod events;
mod figures;
mod reports;

pub(crate) use events::{__path_get_event, __path_list_events, get_event, list_events};
pub(crate) use figures::{__path_get_figures, get_figures};
pub(crate) use reports::{
    __path_delete_report, __path_get_report, __path_list_reports, delete_report, get_report,
    list_reports,
};
