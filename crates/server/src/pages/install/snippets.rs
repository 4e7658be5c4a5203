//! The lines that a page of a player needs. `docs/players.md` has the same lines.

use askama::filters::{Html, escape};
use serde_json::Value;

use crate::pages::address::encoded;

/// A line, or some, to be copied.
pub(super) struct Snippet {
    /// The id of its element.
    pub(super) id: &'static str,
    pub(super) player: &'static str,
    pub(super) text: String,
}

/// What the lines of the documentation have in place of the organisation's own.
const BASE_URL: &str = "https://show.example";
const KEY: &str = "sr_…";
const EVENT: &str = "keynote";

/// The line for every player.
const SCRIPT: &str = r#"<script src="https://show.example/showreport.js" data-key="sr_…" data-event="keynote" data-customer="ada" async>
</script>"#;

/// The lines that attach an element by hand.
const ELEMENTS: [(&str, &str, &str); 5] = [
    (
        "attach-element",
        "A bare element",
        r#"showreport.attach(document.querySelector("video"), {event_id: "keynote"});"#,
    ),
    (
        "attach-hls",
        "hls.js",
        r#"showreport.attach(hls.media, {event_id: "keynote"});"#,
    ),
    (
        "attach-dash",
        "dash.js",
        r#"showreport.attach(player.getVideoElement(), {event_id: "keynote"});"#,
    ),
    (
        "attach-shaka",
        "Shaka Player",
        r#"showreport.attach(player.getMediaElement(), {event_id: "keynote"});"#,
    ),
    (
        "attach-video-js",
        "video.js",
        r#"showreport.attach(player.el().querySelector("video"), {event_id: "keynote"});"#,
    ),
];

/// The lines for players that report by themselves.
const CMCD: [(&str, &str, &str); 3] = [
    (
        "cmcd-hls",
        "hls.js from 1.7, not its light builds",
        r#"new Hls({cmcd: {version: 2, sessionId: crypto.randomUUID(), contentId: "keynote",
  eventTargets: [{url: "https://show.example/collect/cmcd/keynote?key=sr_…&customer=ada",
    events: ["ps", "e", "t"], interval: 10, batchSize: 1,
    includeKeys: ["sid", "cid", "sn", "ts", "e", "v", "sta"]}]}});"#,
    ),
    (
        "cmcd-dash",
        "dash.js from 5.2, with the absolute address of the manifest",
        r#"player.updateSettings({streaming: {cmcd: {enabled: true, version: 2, sid: crypto.randomUUID(), cid: "keynote",
  eventTargets: [{enabled: true, url: "https://show.example/collect/cmcd/keynote?key=sr_…&customer=ada",
    events: ["ps", "e", "t"], interval: 10, batchSize: 1,
    enabledKeys: ["sid", "cid", "sn", "ts", "e", "v", "sta"]}]}}});"#,
    ),
    (
        "cmcd-shaka",
        "Shaka Player from 5.2, a debug build",
        r#"player.configure({cmcd: {enabled: true, version: 2, sessionId: crypto.randomUUID(), contentId: "keynote",
  eventTargets: [{enabled: true, url: "https://show.example/collect/cmcd/keynote?key=sr_…&customer=ada",
    events: ["ps", "e", "t"], interval: 10, batchSize: 1}]}});"#,
    ),
];

/// What takes the place of the examples.
pub(super) struct Own<'o> {
    pub(super) base_url: &'o str,
    /// `None`: it is left as it is in the documentation.
    pub(super) key: Option<&'o str>,
    pub(super) event: Option<&'o str>,
}

impl Own<'_> {
    /// The line for every player.
    pub(super) fn script(&self) -> Snippet {
        self.snippet(&("script", "Every player", SCRIPT))
    }

    /// The lines that attach an element by hand.
    pub(super) fn elements(&self) -> Vec<Snippet> {
        ELEMENTS.iter().map(|line| self.snippet(line)).collect()
    }

    /// The lines for players that report by themselves.
    pub(super) fn cmcd(&self) -> Vec<Snippet> {
        CMCD.iter().map(|line| self.snippet(line)).collect()
    }

    fn snippet(&self, (id, player, text): &(&'static str, &'static str, &str)) -> Snippet {
        let event = self.event.unwrap_or(EVENT);
        let attribute = escape(event, Html).map(|text| text.to_string());
        let attribute = attribute.unwrap_or_default();
        let text = text
            .replace(BASE_URL, self.base_url)
            .replace(KEY, self.key.unwrap_or(KEY))
            .replace(
                &format!("/cmcd/{EVENT}?"),
                &format!("/cmcd/{}?", encoded(event)),
            )
            .replace(
                &format!("data-event=\"{EVENT}\""),
                &format!("data-event=\"{attribute}\""),
            )
            .replace(
                &format!(": \"{EVENT}\""),
                &format!(": {}", Value::from(event)),
            );
        Snippet { id, player, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_same_lines() {
        let docs = include_str!("../../../../../docs/players.md");
        let lines = ELEMENTS.iter().chain(&CMCD).map(|(_, _, text)| *text);
        for text in lines.chain([SCRIPT]) {
            assert!(docs.contains(text), "docs/players.md lacks:\n{text}");
        }
    }

    #[test]
    fn lines_name_the_own_server_key_and_event() {
        let own = Own {
            base_url: "http://127.0.0.1:8470",
            key: Some("sr_abc"),
            event: Some("a\"b & c"),
        };
        let script = own.script().text;
        assert!(script.contains("src=\"http://127.0.0.1:8470/showreport.js\" data-key=\"sr_abc\""));
        assert!(
            script.contains("data-event=\"a&#34;b &#38; c\""),
            "{script}"
        );
        assert!(own.elements()[1].text.contains(r#"{event_id: "a\"b & c"}"#));
        let cmcd = own.cmcd();
        assert!(
            cmcd[0].text.contains(r#"contentId: "a\"b & c""#),
            "{}",
            cmcd[0].text
        );
        assert!(
            cmcd[1]
                .text
                .contains("/collect/cmcd/a%22b%20%26%20c?key=sr_abc&customer=ada")
        );
        let none = Own {
            key: None,
            event: None,
            ..own
        };
        assert!(
            none.script()
                .text
                .contains("data-key=\"sr_…\" data-event=\"keynote\"")
        );
    }
}
