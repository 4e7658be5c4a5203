//! Names of downloaded files: title or id of the event, dimension, grouping, format.
//!
//! A file has a name in the script of the title, and one in ASCII for old clients (RFC 6266).

use showreport_model::report::{GroupBy, ReportOrder};
use showreport_model::{ErrorKind, EventId, Failure, OrgId};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::link::percent_encoded;
use crate::app::App;
use crate::error::ApiError;

/// Bytes of a name. File systems allow 255, encrypted ones 143; browsers append ` (1)`.
const NAME_BYTES_MAX: usize = 120;

/// Bytes of the last part of a link, which `curl -O` takes as the file's name.
const LINK_BYTES_MAX: usize = 64;

/// The names of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    /// In the script of the title, such as `發表會-watch-time-by-device-os.csv`.
    full: String,
    ascii: String,
}

impl FileName {
    /// The names of a report's file.
    pub(crate) fn of_report(order: &ReportOrder, title: Option<&str>) -> Self {
        Self::of_event(&order.event, title, &rest(order))
    }

    /// The names of a file with the rows of a table of a page.
    pub(crate) fn of_rows(event: &EventId, title: Option<&str>, rows: &str) -> Self {
        Self::of_event(event, title, &format!("{rows}.csv"))
    }

    fn of_event(event: &EventId, title: Option<&str>, rest: &str) -> Self {
        let title = title.unwrap_or_default();
        let id = event.as_str();
        Self {
            full: joined(&[slug(title), slug(id)], rest, NAME_BYTES_MAX),
            ascii: joined(&[ascii(title), ascii(id)], rest, NAME_BYTES_MAX),
        }
    }

    /// The last part of a link to a report: short and ASCII. A long grouping is left out.
    pub(crate) fn of_link(order: &ReportOrder, title: Option<&str>) -> String {
        let mut rest = rest(order);
        if rest.len() > LINK_BYTES_MAX / 2 {
            rest = format!("{}.{}", dimension(order), order.format);
        }
        let events = [
            ascii(title.unwrap_or_default()),
            ascii(order.event.as_str()),
        ];
        joined(&events, &rest, LINK_BYTES_MAX)
    }

    /// A name of at most [`NAME_BYTES_MAX`] ASCII characters.
    pub(crate) fn of_ascii(name: &str) -> Self {
        Self {
            full: name.to_owned(),
            ascii: name.to_owned(),
        }
    }

    /// The header `content-disposition`, which has the name for browsers (RFC 6266).
    pub(crate) fn content_disposition(&self) -> String {
        let Self { full, ascii } = self;
        let attachment = format!("attachment; filename=\"{ascii}\"");
        if full == ascii {
            return attachment;
        }
        // Old clients read `filename`, the others `filename*`.
        format!("{attachment}; filename*=UTF-8''{}", percent_encoded(full))
    }
}

/// The title of an event; `None` if the event is unknown.
pub(crate) async fn title(
    app: &App,
    org: &OrgId,
    event: &EventId,
) -> Result<Option<String>, ApiError> {
    match app.meta().event(org, event).await {
        Ok(event) => Ok(event.title),
        // A download must not fail because its name has no title.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The part of a name after the event, such as `watch-time-by-device-os.csv`.
fn rest(order: &ReportOrder) -> String {
    let mut rest = dimension(order);
    if !order.group_by.is_empty() {
        rest.push_str("-by");
    }
    for field in &order.group_by {
        rest.push('-');
        rest.push_str(&GroupBy::name(*field).replace('_', "-"));
    }
    format!("{rest}.{}", order.format)
}

fn dimension(order: &ReportOrder) -> String {
    order.dimension.name().replace('_', "-")
}

/// The first name that is not empty, cut to make everything fit, and the rest.
fn joined(names: &[String; 2], rest: &str, bytes_max: usize) -> String {
    let room = bytes_max.saturating_sub(rest.len() + 1);
    let mut names = names.iter().map(|name| cut(name, room));
    match names.find(|name| !name.is_empty()) {
        Some(name) => format!("{name}-{rest}"),
        None => rest.to_owned(),
    }
}

/// As many whole graphemes as fit: a letter and its accents or vowel signs are one.
fn cut(name: &str, bytes_max: usize) -> &str {
    let ends = name.grapheme_indices(true);
    let ends = ends.map(|(start, letter)| start + letter.len());
    let end = ends.take_while(|end| *end <= bytes_max).last();
    name[..end.unwrap_or(0)].trim_end_matches('-')
}

/// Letters and digits of any script, with their signs, in lower case. Other characters become a
/// hyphen, of which there are never two in a row.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.graphemes(true) {
        // A grapheme can begin with a letter and still have a slash: some letters join what
        // follows.
        let is_safe = |c: char| c.is_alphanumeric() || !c.is_ascii();
        if letter.starts_with(char::is_alphanumeric) && letter.chars().all(is_safe) {
            slug.push_str(&letter.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The slug in ASCII: letters lose their accents, letters of other scripts are left out.
fn ascii(text: &str) -> String {
    let plain: String = text.nfkd().filter(char::is_ascii).collect();
    slug(&plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use showreport_model::Window;
    use showreport_model::buckets::Granularity;
    use showreport_model::report::{Dimension, Format};

    use super::*;

    const ALL: [GroupBy; 5] = [
        GroupBy::WatchTimestamp,
        GroupBy::CustomerId,
        GroupBy::DeviceId,
        GroupBy::DeviceOs,
        GroupBy::GeoRegion,
    ];

    fn order(group_by: &[GroupBy], format: Format) -> ReportOrder {
        ReportOrder {
            org: OrgId::new("acme").unwrap(),
            event: EventId::new("e/1").unwrap(),
            dimension: Dimension::WatchTime,
            group_by: group_by.to_vec(),
            window: Window::ALL,
            granularity: Granularity::default(),
            minimum_live_ratio: None,
            format,
        }
    }

    fn named(title: &str) -> FileName {
        FileName::of_report(&order(&[], Format::Csv), Some(title))
    }

    #[test]
    fn a_name_has_event_dimension_and_grouping() {
        let grouped = order(&[GroupBy::DeviceOs], Format::Csv);
        let name = "keynote-watch-time-by-device-os.csv";
        assert_eq!(FileName::of_report(&grouped, Some("Keynote")).full, name);
        assert_eq!(FileName::of_link(&grouped, Some("Keynote")), name);
        let plain = order(&[], Format::Xlsx);
        for title in [None, Some("/../"), Some("🎉")] {
            let name = FileName::of_report(&plain, title);
            assert_eq!(name, FileName::of_ascii("e-1-watch-time.xlsx"), "{title:?}");
        }
    }

    #[test]
    fn a_name_of_any_script_is_encoded_in_the_header() {
        let disposition = named("Keynote").content_disposition();
        assert_eq!(
            disposition,
            "attachment; filename=\"keynote-watch-time.csv\""
        );
        let name = named("發表會 \"2026\"\r\n");
        assert_eq!(name.full, "發表會-2026-watch-time.csv");
        let header = name.content_disposition();
        assert!(header.is_ascii());
        assert!(
            header
                .starts_with("attachment; filename=\"2026-watch-time.csv\"; filename*=UTF-8''%E7")
        );
    }

    #[test]
    fn a_name_in_ascii_keeps_letters_without_their_accents() {
        for (title, name) in [
            ("Événement d’été", "evenement-dete-watch-time.csv"),
            ("ＬＩＶＥ ２０２６", "live-2026-watch-time.csv"),
            ("東京ライブ", "e-1-watch-time.csv"),
        ] {
            assert_eq!(named(title).ascii, name);
        }
    }

    #[test]
    fn letters_of_any_script_keep_their_signs() {
        for (title, name) in [
            ("हिन्दी में कार्यक्रम", "हिन्दी-में-कार्यक्रम-watch-time.csv"),
            ("การประชุมผู้ถือหุ้น", "การประชุมผู้ถือหุ้น-watch-time.csv"),
            (
                "cafe\u{301} o\u{308}l",
                "cafe\u{301}-o\u{308}l-watch-time.csv",
            ),
            ("می\u{200c}خواهم", "می\u{200c}خواهم-watch-time.csv"),
            // A letter that joins the sign after it, and a sign that turns the text around.
            ("a\u{d4e}/b\u{202e}vsc", "a-b-vsc-watch-time.csv"),
        ] {
            assert_eq!(named(title).full, name);
        }
    }

    #[test]
    fn long_titles_are_cut_between_letters() {
        for title in ["あ", "が", "か\u{3099}", "क्षि", "กำ", "ผู้", "é", "a"]
        {
            let names = |order| {
                let title = title.repeat(500);
                let name = FileName::of_report(order, Some(&title));
                (name, FileName::of_link(order, Some(&title)))
            };
            let rest = "-watch-time-by-watch-timestamp-customer-id-device-id-device-os-geo-region";
            let (name, link) = names(&order(&ALL, Format::Parquet));
            assert!(
                name.full.len() <= 120 && name.full.starts_with(title),
                "{name:?}"
            );
            assert!(
                name.full.ends_with(&format!("{title}{rest}.parquet")),
                "{name:?}"
            );
            assert!(
                name.full.len() + title.len() > 120,
                "cut too short: {name:?}"
            );
            assert!(
                link.len() <= 64 && link.ends_with("-watch-time.parquet"),
                "{link}"
            );
        }
    }

    proptest! {
        #[test]
        fn names_of_any_title_are_within_their_bounds(
            title in ".{0,200}",
            fields in 0..=ALL.len(),
            format in prop::sample::select(vec![Format::Csv, Format::Parquet]),
        ) {
            let order = order(&ALL[..fields], format);
            let name = FileName::of_report(&order, Some(&title));
            let link = FileName::of_link(&order, Some(&title));
            prop_assert!(name.full.len() <= NAME_BYTES_MAX, "{}", name.full);
            prop_assert!(name.ascii.len() <= NAME_BYTES_MAX, "{}", name.ascii);
            prop_assert!(link.len() <= LINK_BYTES_MAX, "{link}");
            let plain = |name: &str| {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
            };
            prop_assert!(plain(&name.ascii) && plain(&link), "{name:?} {link}");
            prop_assert!(!name.full.contains(|c: char| c.is_control() || "/\\\":".contains(c)));
            let whole = slug(&title);
            let stem = name.full.split("-watch-time").next().unwrap_or_default();
            let kept = whole.graphemes(true).take(stem.graphemes(true).count());
            if !whole.is_empty() && stem != "e-1" {
                prop_assert_eq!(stem, kept.collect::<String>());
            }
        }
    }
}
