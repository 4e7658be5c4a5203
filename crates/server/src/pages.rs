//! The dashboard: pages that are made on the server and work without scripts.
//!
//! A page is a client of the API: its figures come from the functions that make the responses of
//! the API, so both say the same.
//!
//! **Invariant:** a page has no inline script, style or handler, and loads nothing from other hosts.

mod assets;
mod layout;
mod failure;
mod curl;
mod address;
mod expiry;
mod shares;
mod shared;
mod cells;
mod figures;
mod rows;
mod events;
mod picture;
mod shows;
mod organisation;
mod confirm;
mod reports;
mod report;
mod jobs;
mod job;
mod install;
mod status;
mod sign_in;
mod invitations;
mod account;

pub(crate) use account::{
    __path_change_password, __path_show_account, __path_sign_out_everywhere, change_password,
    show_account, sign_out_everywhere,
};
pub(crate) use assets::{
    __path_get_dashboard_script, __path_get_dashboard_style, get_dashboard_script,
    get_dashboard_style,
};
#[cfg(test)]
pub(crate) use assets::{SCRIPT_PATH, STYLE_PATH};
pub(crate) use events::{
    __path_get_event_file, __path_show_chat, __path_show_event, __path_show_live,
    __path_show_people, __path_show_polls, __path_show_retention, get_event_file, show_chat,
    show_event, show_live, show_people, show_polls, show_retention,
};
pub(crate) use failure::write_html_errors;
pub(crate) use install::{__path_make_key, __path_show_install, make_key, show_install};
pub(crate) use invitations::{
    __path_accept_invitation, __path_show_invitation, accept_invitation, show_invitation,
};
pub(crate) use job::{
    __path_confirm_delete_job, __path_delete_job_by_form, __path_show_job, __path_show_restatement,
    confirm_delete_job, delete_job_by_form, show_job, show_restatement,
};
pub(crate) use jobs::{__path_make_job, __path_show_jobs, make_job, show_jobs};
pub(crate) use organisation::{
    __path_create_token, __path_end_sessions_of_person, __path_invite_person, __path_remove_person,
    __path_revoke_token, __path_set_role, __path_set_viewer_tokens, __path_set_zone,
    __path_show_organisation, create_token, end_sessions_of_person, invite_person, remove_person,
    revoke_token, set_role, set_viewer_tokens, set_zone, show_organisation,
};
pub(crate) use picture::{__path_get_audience_picture, get_audience_picture};
pub(crate) use report::{
    __path_confirm_delete_report, __path_delete_report_by_form, __path_open_file,
    __path_show_report, confirm_delete_report, delete_report_by_form, open_file, show_report,
};
pub(crate) use reports::{__path_make_report, __path_show_reports, make_report, show_reports};
pub(crate) use shared::{
    __path_get_shared_file, __path_show_shared, __path_show_shared_page, get_shared_file,
    show_shared, show_shared_page,
};
pub(crate) use shares::{
    __path_revoke_share_by_form, __path_share_event, __path_show_shares, revoke_share_by_form,
    share_event, show_shares,
};
pub(crate) use shows::{__path_show_shows, show_shows};
pub(crate) use sign_in::{
    __path_begin_session, __path_open_sign_in_link, __path_show_sign_in, __path_sign_out,
    begin_session, open_sign_in_link, show_sign_in, sign_out,
};
pub(crate) use status::{__path_show_status, show_status};
