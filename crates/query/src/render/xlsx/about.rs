//! The second sheet of a spreadsheet: what the first one shows, for people who have nothing but the file.

use rust_xlsxwriter::{Format, Worksheet, XlsxError};
use showreport_model::column::Column;
use showreport_model::report::{Event, GroupBy, Pins, ReportOrder};
use showreport_model::{Timestamp, Zone};

use super::{Formats, date_of, header, number_of};

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
        for (label, said) in self.lines(&dimension, &by, rows) {
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
            sheet.write_string(row, 1, column.meaning)?;
        }
        Ok(())
    }

    fn grouping(&self) -> String {
        let names = self.order.group_by.iter().map(|field| field.name());
        names.collect::<Vec<_>>().join(", ")
    }

    fn lines<'a>(
        &'a self,
        dimension: &'a str,
        by: &'a str,
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
