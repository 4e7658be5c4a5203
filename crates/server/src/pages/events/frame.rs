//! [`EventFrame`]: what all pages of an event have above and below their own content.

use showreport_model::question::{Answer, Question};
use showreport_model::report::{Event, EventState};
use showreport_model::{Timestamp, Window, Zone};

use super::access::EventAccess;
use super::query::{EventQuery, Range};
use crate::answers::{Freshness, Snapshot};
use crate::app::App;
use crate::error::ApiError;
use crate::pages::address::Address;
use crate::pages::curl;
use crate::pages::layout::Layout;
use crate::pages::rows::RowLinks;
use crate::texts;

/// What all pages of an event have around their own content. Templates begin with
/// `{% extends "event.html" %}` and have it as the field `frame`.
#[derive(Debug)]
pub(crate) struct EventFrame {
    pub(crate) title: String,
    /// When the show is or was, in words.
    pub(crate) when: String,
    pub(crate) zone: String,
    pub(crate) state: EventState,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) range: Range,
    /// The page without a range; `None` if it has none.
    pub(crate) whole: Option<String>,
    /// The path of the page, for its form.
    pub(crate) action: String,
    pub(crate) as_of: String,
    /// The page for making a report of the event.
    pub(crate) make_report: Option<String>,
    /// The page for share links of the event.
    pub(crate) share: Option<String>,
}

/// A link to a page of the event.
#[derive(Debug)]
pub(crate) struct Tab {
    pub(crate) text: &'static str,
    pub(crate) address: String,
    pub(crate) is_current: bool,
}

/// An event at a state of its facts, for one page.
pub(crate) struct OpenEvent {
    pub(crate) app: App,
    pub(crate) access: EventAccess,
    pub(crate) query: EventQuery,
    pub(crate) range: Range,
    pub(crate) snapshot: Snapshot,
}

/// The pages of an event: name in the address, and text of the tab.
const PAGES: [(&str, &str); 6] = [
    ("", "Overview"),
    ("people", "People"),
    ("chat", "Chat"),
    ("polls", "Polls"),
    ("retention", "Retention"),
    ("live", "Live"),
];

impl OpenEvent {
    pub(crate) async fn new(
        app: App,
        access: EventAccess,
        query: EventQuery,
    ) -> Result<Self, ApiError> {
        let answers = app.answers();
        let snapshot = answers.snapshot(&access.org, &access.event, Freshness::Recent);
        let snapshot = snapshot.await?;
        let range = query.range(&snapshot.pins().zone)?;
        Ok(Self {
            app,
            access,
            query,
            range,
            snapshot,
        })
    }

    pub(crate) fn zone(&self) -> &Zone {
        &self.snapshot.pins().zone
    }

    pub(crate) fn window(&self) -> Window {
        self.range.window
    }

    pub(crate) async fn answer(
        &self,
        question: &Question,
    ) -> Result<std::sync::Arc<Answer>, ApiError> {
        self.app.answers().answer(&self.snapshot, question).await
    }

    /// The title of the event, or its id.
    pub(crate) fn title(&self) -> String {
        title(self.snapshot.event())
    }

    /// The layout of a page of the event.
    pub(crate) fn layout(&self, page: &str) -> Layout {
        let title = self.title();
        let text = PAGES.iter().find(|(name, _)| *name == page);
        let text = text.map_or("", |(_, text)| text);
        self.access.layout(match page {
            "" => title,
            _ => format!("{text} · {title}"),
        })
    }

    /// The frame of a page with this name; `address` has all parameters of the page.
    pub(crate) async fn frame(
        &self,
        page: &str,
        address: &Address,
    ) -> Result<EventFrame, ApiError> {
        let now = self.app.now();
        let listed = self.app.meta();
        let listed = listed.listed_event(&self.access.org, &self.access.event, now);
        let (event, zone) = (self.snapshot.event(), self.zone());
        let has_range = self.window() != Window::ALL;
        let whole = address
            .clone()
            .with("from", None::<&str>)
            .with("to", None::<&str>);
        let may_make = self.access.may_make();
        let make_report = Address::new("/reports").with("event_id", Some(event.id.as_str()));
        Ok(EventFrame {
            title: self.title(),
            when: when(event, zone),
            zone: zone.name().to_owned(),
            state: listed.await?.state,
            tabs: self.tabs(page),
            range: self.range.clone(),
            whole: has_range.then(|| whole.to_string()),
            action: self.access.page(page).to_string(),
            as_of: texts::date_time(self.snapshot.as_of(), zone),
            make_report: may_make.then(|| make_report.to_string()),
            share: may_make.then(|| self.access.page("shares").to_string()),
        })
    }

    /// Links to the rows of a question: the API's, and the file of this name.
    pub(crate) fn links(&self, operation: Option<Address>, file: &Address) -> RowLinks {
        let base = self.app.config().base_url();
        let curl = operation.as_ref().map(|operation| {
            let command = curl::read(base, &operation.to_string());
            format!("{command} \\\n  -H 'Accept: text/csv'")
        });
        RowLinks {
            source: operation.map(|operation| operation.to_string()),
            curl,
            csv: self.access.has_downloads().then(|| file.to_string()),
        }
    }

    fn tabs(&self, page: &str) -> Vec<Tab> {
        let shown = PAGES.into_iter().filter(|(name, _)| match *name {
            "people" | "chat" => self.access.shows_people(),
            "live" => self.access.shows_live(),
            _ => true,
        });
        let tab = |(name, text): (&'static str, &'static str)| Tab {
            text,
            address: match name {
                // It is about the present, whatever the range.
                "live" => self.access.page(name).to_string(),
                _ => self.query.ranged(self.access.page(name)).to_string(),
            },
            is_current: name == page,
        };
        shown.map(tab).collect()
    }
}

/// The title of an event, or its id.
pub(crate) fn title(event: &Event) -> String {
    let title = event
        .title
        .as_deref()
        .filter(|title| !title.trim().is_empty());
    title.unwrap_or(event.id.as_str()).to_owned()
}

/// When an event is or was.
pub(crate) fn when(event: &Event, zone: &Zone) -> String {
    match (event.starts_at, event.ends_at) {
        (Some(start), Some(end)) if end > start => {
            let length = texts::duration(end.as_millis() - start.as_millis());
            format!(
                "{} to {} ({length})",
                texts::date_minute(start, zone),
                until(start, end, zone)
            )
        }
        (Some(start), _) => texts::date_minute(start, zone),
        (None, _) => "without a start time".to_owned(),
    }
}

/// The end of a time: without the date where it is that of the start.
fn until(start: Timestamp, end: Timestamp, zone: &Zone) -> String {
    if texts::date(start, zone) == texts::date(end, zone) {
        texts::clock(end, zone)[..5].to_owned()
    } else {
        texts::date_minute(end, zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_event_is_said_once() {
        let at = |text: &str| text.parse().ok();
        let mut event = Event {
            id: showreport_model::EventId::new("e").unwrap(),
            kind: None,
            title: Some(" ".to_owned()),
            starts_at: at("2026-11-22T10:00:00Z"),
            ends_at: at("2026-11-22T11:30:00Z"),
            duration_ms: None,
            updated_at: None,
        };
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(
            when(&event, &zone),
            "22 Nov 2026, 11:00 to 12:30 (1 h 30 min)"
        );
        event.ends_at = at("2026-11-22T23:30:00Z");
        assert!(when(&event, &zone).contains("to 23 Nov 2026, 00:30"));
        event.ends_at = None;
        assert_eq!(when(&event, &zone), "22 Nov 2026, 11:00");
        event.starts_at = None;
        assert_eq!(when(&event, &zone), "without a start time");
        assert_eq!(title(&event), "e");
    }
}
