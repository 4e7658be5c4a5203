//! The second sheet: event, order, zone and the meanings of the columns, since people may have only
//! the file.

use rust_xlsxwriter::{Format, Worksheet, XlsxError};
use showreport_model::column::Column;
use showreport_model::report::{Event, GroupBy, Pins, ReportOrder};
use showreport_model::{Timestamp, Zone};

use super::{Formats, date_of, header, number_of};

/// The contents of the sheet.
pub(crate) struct About {
    order: ReportOrder,
    event: Event,
    pub(super) zone: Zone,
}

/// The value beside a label.
enum Value<'a> {
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
        let minimum = self.order.minimum_live_ratio.map(|it| it.to_string());
        for (label, value) in self.lines(&dimension, &by, minimum.as_deref(), rows) {
            sheet.write_string_with_format(row, 0, label, &formats.bold)?;
            match value {
                Value::Text(text) => sheet.write_string(row, 1, text)?,
                Value::Number(number) => {
                    sheet.write_number_with_format(row, 1, number_of(number), &left)?
                }
                Value::Time(at) => {
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
        minimum: Option<&'a str>,
        rows: u32,
    ) -> Vec<(&'static str, Value<'a>)> {
        let Self { order, event, zone } = self;
        let mut lines = vec![("event", Value::Text(event.id.as_str()))];
        if let Some(title) = &event.title {
            lines.push(("title", Value::Text(title)));
        }
        lines.push(("dimension", Value::Text(dimension)));
        lines.push((
            "grouped by",
            Value::Text(if by.is_empty() { "nothing" } else { by }),
        ));
        if order.group_by.contains(&GroupBy::WatchTimestamp) {
            let width = i64::from(order.granularity.seconds());
            lines.push(("seconds in a bucket", Value::Number(width)));
        }
        if let Some(ratio) = minimum {
            lines.push(("minimum_live_ratio", Value::Text(ratio)));
        }
        let bound = |bound: Option<Timestamp>| bound.map_or(Value::Text("no bound"), Value::Time);
        lines.push(("filter: from, included", bound(order.window.start)));
        lines.push(("filter: until, left out", bound(order.window.end)));
        lines.push(("time zone of all dates", Value::Text(zone.name())));
        lines.push(("rows", Value::Number(rows.into())));
        lines
    }
}
