//! [`EventAccess`]: which event a page is about, and what may be seen of it.

use showreport_meta::{Role, ShareRights};
use showreport_model::{EventId, OrgId};

use crate::api::event_id;
use crate::auth::{Caller, ShareVisitor, Visitor};
use crate::error::ApiError;
use crate::pages::address::{Address, encoded};
use crate::pages::layout::{Identity, Layout, Section};

/// Which event a page is about, and what may be seen of it.
#[derive(Debug, Clone)]
pub(crate) struct EventAccess {
    pub(crate) org: OrgId,
    pub(crate) event: EventId,
    /// The path that the pages of the event lie below.
    base: String,
    reader: EventReader,
}

/// The reader of the page.
#[derive(Debug, Clone)]
enum EventReader {
    /// A person or token that is signed in.
    Visitor(Identity),
    /// A caller of the API.
    Caller,
    /// A client with a share link.
    Share(ShareRights),
}

impl EventAccess {
    /// Everything of an event of the visitor's organisation.
    pub(crate) fn of_visitor(visitor: &Visitor, id: &str) -> Result<Self, ApiError> {
        let reader = EventReader::Visitor(Identity::from(visitor));
        Self::of_org(visitor.org.clone(), id, reader)
    }

    /// The same for a caller of the API.
    pub(crate) fn of_caller(caller: Caller, id: &str) -> Result<Self, ApiError> {
        Self::of_org(caller.org, id, EventReader::Caller)
    }

    /// What a share link shows. Its secret is a part of the addresses of its pages.
    pub(crate) fn of_share(share: ShareVisitor, secret: &str) -> Self {
        Self {
            org: share.org,
            event: share.event,
            base: format!("/s/{}", encoded(secret)),
            reader: EventReader::Share(share.rights),
        }
    }

    fn of_org(org: OrgId, id: &str, reader: EventReader) -> Result<Self, ApiError> {
        Ok(Self {
            org,
            event: event_id(id)?,
            base: format!("/events/{}", encoded(id)),
            reader,
        })
    }

    /// A page of the event; the empty name is the overview.
    pub(crate) fn page(&self, name: &str) -> Address {
        match name {
            "" => Address::new(&self.base),
            name => Address::new(format!("{}/{name}", self.base)),
        }
    }

    /// An operation of the API about the event, for signed-in visitors.
    pub(crate) fn operation(&self, name: &str) -> Option<Address> {
        let event = encoded(self.event.as_str());
        match self.reader {
            EventReader::Visitor(_) => Some(Address::new(format!("/api/v1/events/{event}/{name}"))),
            EventReader::Caller | EventReader::Share(_) => None,
        }
    }

    /// Whether the reader may make reports and share links of the event.
    pub(crate) fn may_make(&self) -> bool {
        match &self.reader {
            EventReader::Visitor(identity) => identity.role >= Role::Analyst,
            EventReader::Caller | EventReader::Share(_) => false,
        }
    }

    /// Whether other events of the organisation may be seen.
    pub(crate) fn may_compare(&self) -> bool {
        !matches!(self.reader, EventReader::Share(_))
    }

    /// Whether names and ids of people may be seen, and what they wrote.
    pub(crate) fn shows_people(&self) -> bool {
        self.rights().people
    }

    /// Whether the figures of now may be seen.
    pub(crate) fn shows_live(&self) -> bool {
        self.rights().live
    }

    /// Whether tables may be taken as files.
    pub(crate) fn has_downloads(&self) -> bool {
        self.rights().downloads
    }

    fn rights(&self) -> ShareRights {
        match self.reader {
            EventReader::Visitor(_) | EventReader::Caller => ShareRights {
                people: true,
                live: true,
                downloads: true,
            },
            EventReader::Share(rights) => rights,
        }
    }

    pub(crate) fn layout(&self, title: String) -> Layout {
        match &self.reader {
            EventReader::Visitor(identity) => Layout::new(title, Section::Shows, identity.clone()),
            EventReader::Caller | EventReader::Share(_) => Layout::without_caller(title),
        }
    }
}
