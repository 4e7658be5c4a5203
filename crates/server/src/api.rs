//! Our own API: events, their figures, reports, and the status of the installation.

mod event_id;
mod filter;
mod schema;
mod response;
mod paged;
mod figures;
mod live;
mod events;
mod attendance;
mod audience;
mod breakdown;
mod messages;
mod polls;
mod reports;
mod shares;
mod retention;
mod status;

pub(crate) use attendance::{__path_list_attendance, list_attendance};
pub(crate) use audience::{__path_get_audience, get_audience};
pub(crate) use breakdown::{__path_get_breakdown, get_breakdown};
pub(crate) use event_id::event_id;
pub(crate) use events::{__path_get_event, __path_list_events, ListPlace, get_event, list_events};
pub(crate) use figures::{__path_get_figures, get_figures};
pub(crate) use live::{__path_get_live, __path_stream_live, get_live, live_figures, stream_live};
pub(crate) use messages::{__path_list_messages, list_messages};
pub(crate) use polls::{__path_get_polls, __path_list_votes, get_polls, list_votes};
pub(crate) use reports::{
    __path_delete_report, __path_get_report, __path_list_reports, delete, delete_report,
    get_report, list_reports, report_id,
};
pub use response::figures_json;
pub(crate) use retention::{__path_get_retention, get_retention};
pub(crate) use shares::{
    __path_create_share, __path_list_shares, __path_revoke_share, create_share, list_shares,
    revoke_share, share_id, share_uri,
};
pub(crate) use status::{__path_get_status, StatusResponse, get_status, status};
