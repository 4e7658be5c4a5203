//! The dashboard: pages that are made on the server and work without scripts.
//!
//! A page is a client of the API: its figures come from the functions that make the responses of
//! the API, so both say the same.
//!
//! **Invariant:** a page has no inline script, style or handler, and loads nothing from other hosts.

mod assets;
mod layout;
mod failure;
mod organisation;
mod sign_in;

pub(crate) use assets::{
    __path_get_dashboard_script, __path_get_dashboard_style, get_dashboard_script,
    get_dashboard_style,
};
#[cfg(test)]
pub(crate) use assets::{SCRIPT_PATH, STYLE_PATH};
pub(crate) use failure::write_html_errors;
pub(crate) use organisation::{__path_show_organisation, show_organisation};
pub(crate) use sign_in::{
    __path_begin_session, __path_show_sign_in, __path_sign_out, begin_session, show_sign_in,
    sign_out,
};
