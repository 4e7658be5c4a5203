//! Names of files that a person recognises among downloads.
//!
//! A file has one name in any script, and one in ASCII for the link and for old clients (RFC 6266).

use showreport_model::report::{GroupBy, ReportOrder};
use showreport_model::{ErrorKind, EventId, Failure, OrgId};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::link::percent_encoded;
use crate::app::App;
use crate::error::ApiError;

/// Bytes of a name. File systems take 255, and encrypted ones 143; browsers add ` (1)`.
const NAME_BYTES_MAX: usize = 120;

/// Bytes of the last part of a link, under which `curl -O` saves the file.
const LINK_BYTES_MAX: usize = 64;

/// The names of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    /// In the letters of the title, such as `發表會-watch-time-by-device-os.csv`.
    full: String,
    /// In ASCII.
    ascii: String,
}

impl FileName {
    /// The names of a report: event, dimension, grouping, form.
    pub(crate) fn of_report(order: &ReportOrder, title: Option<&str>) -> Self {
        let title = title.unwrap_or_default();
        let id = order.event.as_str();
        let rest = rest(order);
        Self {
            full: joined(&[slug(title), slug(id)], &rest, NAME_BYTES_MAX),
            ascii: joined(&[ascii(title), ascii(id)], &rest, NAME_BYTES_MAX),
        }
    }

    /// The last part of a link to a report: ASCII and short, without the grouping where that is long.
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

    /// A name that is ASCII, and short enough.
    pub(crate) fn of_ascii(name: &str) -> Self {
        Self {
            full: name.to_owned(),
            ascii: name.to_owned(),
        }
    }

    /// The header by which a browser saves the file under its name (RFC 6266).
    pub(super) fn content_disposition(&self) -> String {
        let Self { full, ascii } = self;
        let attachment = format!("attachment; filename=\"{ascii}\"");
        if full == ascii {
            return attachment;
        }
        // Old clients read the first name, the others the second.
        format!("{attachment}; filename*=UTF-8''{}", percent_encoded(full))
    }
}

/// The title of an event, for the name of a file.
pub(crate) async fn title(
    app: &App,
    org: &OrgId,
    event: &EventId,
) -> Result<Option<String>, ApiError> {
    match app.meta().event(org, event).await {
        Ok(event) => Ok(event.title),
        // The name of a file is not worth a refusal.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What follows the event, such as `watch-time-by-device-os.csv`.
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

/// The first of the names that is not empty, cut so that all is within the bound, and the rest.
fn joined(names: &[String; 2], rest: &str, bytes_max: usize) -> String {
    let room = bytes_max.saturating_sub(rest.len() + 1);
    let mut names = names.iter().map(|name| cut(name, room));
    match names.find(|name| !name.is_empty()) {
        Some(name) => format!("{name}-{rest}"),
        None => rest.to_owned(),
    }
}

/// As many whole letters as the bound has room for. A letter with its vowel signs or accents is one.
fn cut(name: &str, bytes_max: usize) -> &str {
    let ends = name.grapheme_indices(true);
    let ends = ends.map(|(start, letter)| start + letter.len());
    let end = ends.take_while(|end| *end <= bytes_max).last();
    name[..end.unwrap_or(0)].trim_end_matches('-')
}

/// Letters and digits of any script in lower case, with their signs; everything else a single hyphen.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.graphemes(true) {
        // Some letters stand before a sign, and a slash with such a letter is one with it.
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

/// The same in ASCII: letters lose their accents, other letters are left out.
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
            format,
        }
    }

    fn named(title: &str) -> FileName {
        FileName::of_report(&order(&[], Format::Csv), Some(title))
    }

    #[test]
    fn a_name_tells_event_dimension_and_grouping() {
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
    fn a_name_of_any_script_travels_in_a_header() {
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
    fn a_name_in_ascii_keeps_what_there_is() {
        for (title, name) in [
            ("Événement d’été", "evenement-dete-watch-time.csv"),
            ("ＬＩＶＥ ２０２６", "live-2026-watch-time.csv"),
            ("東京ライブ", "e-1-watch-time.csv"),
        ] {
            assert_eq!(named(title).ascii, name);
        }
    }

    #[test]
    fn letters_of_any_script_stay_whole() {
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
