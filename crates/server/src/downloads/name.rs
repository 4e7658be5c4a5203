//! Names of files that a person recognises among downloads.

use showreport_model::report::{GroupBy, ReportOrder};

use super::link::percent_encoded;

/// Characters taken from an event's title; the rest of the name is short.
const TITLE_CHARACTERS_MAX: usize = 60;

/// Such as `keynote-watch-time-by-device-os.csv`: event, dimension, grouping, form.
pub(crate) fn file_name(order: &ReportOrder, title: Option<&str>) -> String {
    let mut parts = vec![
        slug(title.unwrap_or_default()),
        order.dimension.name().replace('_', "-"),
    ];
    if parts[0].is_empty() {
        parts[0] = slug(order.event.as_str());
    }
    if !order.group_by.is_empty() {
        parts.push("by".to_owned());
        let names = order.group_by.iter().map(|field| GroupBy::name(*field));
        parts.extend(names.map(|name| name.replace('_', "-")));
    }
    parts.retain(|part| !part.is_empty());
    format!("{}.{}", parts.join("-"), order.format)
}

/// The header by which a browser saves the file under its name (RFC 6266).
pub(super) fn content_disposition(file_name: &str) -> String {
    if file_name.is_ascii() {
        return format!("attachment; filename=\"{file_name}\"");
    }
    // Old clients read the first name, the others the second.
    let plain: String = file_name
        .chars()
        .map(|c| if c.is_ascii() { c } else { '-' })
        .collect();
    let (stem, extension) = plain.rsplit_once('.').unwrap_or((&plain, ""));
    let stem = slug(stem);
    let encoded = percent_encoded(file_name);
    format!("attachment; filename=\"{stem}.{extension}\"; filename*=UTF-8''{encoded}")
}

/// Letters and digits of any language in lower case, everything else a single hyphen.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(TITLE_CHARACTERS_MAX) {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use showreport_model::buckets::Granularity;
    use showreport_model::report::{Dimension, Format};
    use showreport_model::{EventId, OrgId, Window};

    use super::*;

    fn order(group_by: &[GroupBy], format: Format) -> ReportOrder {
        ReportOrder {
            org: OrgId::new("acme").unwrap(),
            event: EventId::new("e/1").unwrap(),
            dimension: Dimension::WatchTime,
            group_by: group_by.to_vec(),
            window: Window::ALL,
            granularity: Granularity::default(),
            format,
        }
    }

    #[test]
    fn a_name_tells_event_dimension_and_grouping() {
        let grouped = order(&[GroupBy::DeviceOs], Format::Csv);
        assert_eq!(
            file_name(&grouped, Some("Keynote")),
            "keynote-watch-time-by-device-os.csv"
        );
        let plain = order(&[], Format::Xlsx);
        assert_eq!(file_name(&plain, None), "e-1-watch-time.xlsx");
        assert_eq!(file_name(&plain, Some("/../")), "e-1-watch-time.xlsx");
    }

    #[test]
    fn a_name_of_any_language_travels_in_a_header() {
        assert_eq!(
            content_disposition("a.csv"),
            "attachment; filename=\"a.csv\""
        );
        let name = file_name(&order(&[], Format::Csv), Some("發表會 \"2026\"\r\n"));
        assert_eq!(name, "發表會-2026-watch-time.csv");
        let header = content_disposition(&name);
        assert!(header.is_ascii());
        assert!(
            header
                .starts_with("attachment; filename=\"2026-watch-time.csv\"; filename*=UTF-8''%E7")
        );
    }
}
