//! A strict reader of the HTML of our pages.

use std::collections::{BTreeMap, BTreeSet};

/// An element that shows a figure.
#[derive(Debug, Clone)]
pub(crate) struct ShownFigure {
    pub(crate) name: String,
    /// As JSON.
    pub(crate) value: serde_json::Value,
    /// The number of its row.
    pub(crate) row: Option<usize>,
    /// The operation of the API that has it, from the nearest element that names one.
    pub(crate) source: Option<String>,
}

/// Elements without an end tag.
const VOID: [&str; 6] = ["br", "hr", "img", "input", "link", "meta"];

/// Reads a page: every element is closed in order, every attribute is quoted and given once, every
/// id is given once, and nothing is inline or from another host.
#[track_caller]
pub(crate) fn figures(html: &str) -> Vec<ShownFigure> {
    let mut rest = html.strip_prefix("<!doctype html>").expect("a doctype");
    let mut open: Vec<(String, Option<String>)> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut shown = Vec::new();
    while let Some(start) = rest.find('<') {
        assert!(
            !rest[..start].contains('>'),
            "a loose `>` in {}",
            &rest[..start]
        );
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let (opened, _) = open
                .pop()
                .unwrap_or_else(|| panic!("</{name}> closes nothing"));
            assert_eq!(opened, name, "elements overlap");
            continue;
        }
        let is_empty = tag.ends_with('/');
        let (name, attributes) = read_tag(tag.trim_end_matches('/'));
        check(&name, &attributes);
        if let Some(id) = attributes.get("id") {
            assert!(ids.insert(id.clone()), "the id {id:?} is given twice");
        }
        let source = attributes.get("data-source").cloned();
        let source = source.or_else(|| open.last().and_then(|(_, source)| source.clone()));
        if let Some(figure) = attributes.get("data-figure") {
            let value = attributes.get("data-value").expect("data-value");
            shown.push(ShownFigure {
                name: figure.clone(),
                value: serde_json::from_str(value).unwrap_or_else(|_| panic!("{value} is no JSON")),
                row: attributes
                    .get("data-row")
                    .map(|row| row.parse().expect("a number")),
                source: source.clone(),
            });
        }
        if !is_empty && !VOID.contains(&name.as_str()) {
            open.push((name, source));
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    shown
}

fn read_tag(tag: &str) -> (String, BTreeMap<String, String>) {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let end = rest.find(|c: char| c == '=' || c.is_whitespace());
        let (key, after) = rest.split_at(end.unwrap_or(rest.len()));
        let value = match after.strip_prefix('=') {
            None => {
                rest = after;
                String::new()
            }
            Some(after) => {
                let after = after
                    .strip_prefix('"')
                    .unwrap_or_else(|| panic!("<{tag}>: quotes"));
                let (value, after) = after.split_once('"').expect("quotes end");
                rest = after;
                unescaped(value)
            }
        };
        let before = attributes.insert(key.to_owned(), value);
        assert!(before.is_none(), "<{tag}> has {key} twice");
    }
    (name.to_owned(), attributes)
}

fn unescaped(text: &str) -> String {
    [
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&lt;", "<"),
    ]
    .into_iter()
    .chain([
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ])
    .fold(text.to_owned(), |text, (code, letter)| {
        text.replace(code, letter)
    })
}

fn check(name: &str, attributes: &BTreeMap<String, String>) {
    assert_ne!(name, "style");
    assert!(name != "script" || attributes.contains_key("src"));
    for (key, value) in attributes {
        assert!(key != "style" && !key.starts_with("on"), "{name} has {key}");
        if matches!(key.as_str(), "src" | "href" | "action") && value != "data:," {
            let is_own = value.starts_with(['/', '#', '?']) && !value.starts_with("//");
            assert!(is_own, "<{name} {key}={value:?}> is of another host");
        }
    }
}
