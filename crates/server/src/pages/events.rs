//! The pages of an event.
//!
//! All answers of a page come from one snapshot, so they are about the same facts.

mod access;
mod query;
mod frame;
mod curve;
mod overview;
mod people;
mod chat;
mod polls;
mod retention;
mod live;
mod files;

pub(crate) use access::EventAccess;
pub(crate) use chat::{__path_show_chat, page as chat, show_chat};
pub(crate) use curve::Curve;
pub(crate) use files::{__path_get_event_file, FileQuery, file, get_event_file};
pub(crate) use frame::{OpenEvent, title, when};
pub(crate) use live::{__path_show_live, page as live, show_live};
pub(crate) use overview::{__path_show_event, page as overview, show_event};
pub(crate) use people::{__path_show_people, page as people, show_people};
pub(crate) use polls::{__path_show_polls, page as polls, show_polls};
pub(crate) use query::EventQuery;
pub(crate) use retention::{__path_show_retention, page as retention, show_retention};
