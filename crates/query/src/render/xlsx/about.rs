//! The second sheet of a spreadsheet: what the first one shows, for people who have nothing but the file.

use rust_xlsxwriter::{Format, Worksheet, XlsxError};
use showreport_model::report::{Dimension, Event, GroupBy, Pins, ReportOrder};
use showreport_model::{Timestamp, Zone};

use super::{Formats, date_of, header, number_of};
use crate::plans::answer::Column;

/// What a report is about.
pub(crate) struct About {
    order: ReportOrder,
    event: Event,
    pub(super) zone: Zone,
}

/// A cell beside its label.
enum Said<'a> {
    Text(&'a str),
    Time(Timestamp),
    Number(i64),
}

impl About {
    pub(crate) fn new(order: &ReportOrder, pins: &Pins) -> Self {
        Self {
            order: order.clone(),
            event: pins.event.clone(),
            zone: pins.zone.clone(),
        }
    }

    /// Fills the sheet.
    pub(super) fn write(
        &self,
        sheet: &mut Worksheet,
        columns: &[Column],
        rows: u32,
        formats: &Formats,
    ) -> Result<(), XlsxError> {
        sheet.set_name("about")?;
        sheet.set_column_width(0, 40)?;
        sheet.set_column_width(1, 100)?;
        let mut row = 0;
        let left = Format::new().set_align(rust_xlsxwriter::FormatAlign::Left);
        let date = formats.date.clone().merge(&left);
        let by = self.grouping();
        let dimension = self.order.dimension.name().replace('_', "-");
        for (label, said) in self.lines((&dimension, &by), rows) {
            sheet.write_string_with_format(row, 0, label, &formats.bold)?;
            match said {
                Said::Text(text) => sheet.write_string(row, 1, text)?,
                Said::Number(number) => {
                    sheet.write_number_with_format(row, 1, number_of(number), &left)?
                }
                Said::Time(at) => {
                    sheet.write_number_with_format(row, 1, date_of(at, &self.zone), &date)?
                }
            };
            row += 1;
        }
        row += 1;
        sheet.write_string_with_format(row, 0, "column", &formats.bold)?;
        sheet.write_string_with_format(row, 1, "what it means", &formats.bold)?;
        for column in columns {
            row += 1;
            sheet.write_string(row, 0, header(column, &self.zone))?;
            sheet.write_string(row, 1, meaning(&self.order, column.name))?;
        }
        Ok(())
    }

    fn grouping(&self) -> String {
        let names = self.order.group_by.iter().map(|field| field.name());
        names.collect::<Vec<_>>().join(", ")
    }

    fn lines<'a>(
        &'a self,
        (dimension, by): (&'a str, &'a str),
        rows: u32,
    ) -> Vec<(&'static str, Said<'a>)> {
        let Self { order, event, zone } = self;
        let mut lines = vec![("event", Said::Text(event.id.as_str()))];
        if let Some(title) = &event.title {
            lines.push(("title", Said::Text(title)));
        }
        lines.push(("dimension", Said::Text(dimension)));
        lines.push((
            "grouped by",
            Said::Text(if by.is_empty() { "nothing" } else { by }),
        ));
        if order.group_by.contains(&GroupBy::WatchTimestamp) {
            let width = i64::from(order.granularity.seconds());
            lines.push(("seconds in a bucket", Said::Number(width)));
        }
        let bound = |bound: Option<Timestamp>| bound.map_or(Said::Text("no bound"), Said::Time);
        lines.push(("filter: from, included", bound(order.window.start)));
        lines.push(("filter: until, left out", bound(order.window.end)));
        lines.push(("time zone of all dates", Said::Text(zone.name())));
        lines.push(("rows", Said::Number(rows.into())));
        lines
    }
}

/// What a column of a report means, in a sentence.
fn meaning(order: &ReportOrder, column: &str) -> &'static str {
    let of_dimension = match order.dimension {
        Dimension::WatchTime => of_watch_time(order, column),
        Dimension::ChatHistories => of_chat(column),
        Dimension::PollSummaries | Dimension::PollVotes => of_polls(column),
    };
    of_dimension.unwrap_or_else(|| of_all(column))
}

fn of_watch_time(order: &ReportOrder, column: &str) -> Option<&'static str> {
    Some(match column {
        "started_at" => "the first instant of the view that was watched, inside the filter",
        "ended_at" => "the last instant of the view that was watched, inside the filter",
        "playback_id" => "the view: one playback on one device, pauses included",
        "watch_seconds" if order.group_by.is_empty() => {
            "seconds in which the view was playing; pauses and stalls are left out"
        }
        "watch_seconds" => "seconds that were watched, summed over views",
        "attended_seconds" => {
            "seconds that were watched, summed over viewers; two views of one viewer at the same time count once"
        }
        "views" => "views that were watched",
        "viewers" => "viewers that watched: customers; where unknown devices; where unknown views",
        "devices" => "devices that were watched on",
        "watch_timestamp" => "when the bucket of time begins",
        _ => return None,
    })
}

fn of_chat(column: &str) -> Option<&'static str> {
    Some(match column {
        "sent_at" => "when the message was sent",
        "message_id" => "the message",
        "customer_id" => "the customer that sent it; empty where unknown",
        "device_id" => "the device that it was sent from; empty where unknown",
        "name" => "the name that the sender was shown under",
        "role" => "the sender's role: viewer, guest or admin",
        "text" => "the text of the version that holds",
        "deleted" => "whether the message was deleted; a deleted one counts nowhere",
        "messages" => "messages that were not deleted",
        "senders" => "senders of these messages: customers; where unknown devices",
        "watch_timestamp" => "when the bucket of time begins in which messages were sent",
        _ => return None,
    })
}

fn of_polls(column: &str) -> Option<&'static str> {
    Some(match column {
        "poll_id" => "the poll",
        "question" => "the poll's question",
        "choice" => "how many options a voter may choose: single or multi",
        "status" => "the poll's status: queued, active, closed or archived",
        "started_at" => "when the poll was opened",
        "ended_at" => "when the poll was closed",
        "option_id" => "the option",
        "option_text" => "the option's text",
        "correct" => "whether the option is a right answer",
        "votes" => "votes for the option that count",
        "voters" => "voters of the poll with a vote that counts, the same in each row of the poll",
        "voted_at" => "when the vote was cast",
        "customer_id" => "the customer that voted; empty where unknown",
        "device_id" => "the device that was voted from; empty where unknown",
        "name" => "the name that the voter was shown under",
        "counted" => "whether the vote counts: it is the voter's latest that the poll allows",
        "watch_timestamp" => "when the bucket of time begins in which votes were cast",
        _ => return None,
    })
}

fn of_all(column: &str) -> &'static str {
    match column {
        "customer_id" => "the customer; empty where unknown",
        "device_id" => "the device; empty where unknown",
        "device_os" => "the operating system of the device; empty where unknown",
        "geo_region" => "the region, by its ISO 3166 code; empty where unknown",
        _ => "",
    }
}
