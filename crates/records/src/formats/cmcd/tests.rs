//! Reports as players send them, and as no player does.

use std::fs;

use serde_json::Value as Json;
use showreport_model::record::{BeatRecord, Record};
use showreport_origins::Origins;
use showreport_testkit::shared_data;

use crate::context::{Context, GivenFields};
use crate::format::{Rejections, decode_body};
use crate::formats::CMCD;
use crate::record::Decoded;

fn context(event: Option<&str>) -> Context {
    let now = "2026-11-25T12:00:00Z".parse().unwrap();
    Context {
        given: GivenFields {
            event_id: event.map(str::to_owned),
            ..GivenFields::default()
        },
        ..Context::new(now, Origins::open(None).unwrap())
    }
}

/// The beats of a body, and what is rejected.
fn decode_with(body: &str, context: &Context) -> (Vec<BeatRecord>, Rejections) {
    let mut beats = Vec::new();
    let rejections = decode_body(body.as_bytes(), CMCD, context, |record| match record {
        Decoded::Record(Record::Beat(beat)) => beats.push(beat),
        other => panic!("no beat: {other:?}"),
    });
    (beats, rejections.unwrap())
}

fn decode(body: &str) -> (Vec<BeatRecord>, Rejections) {
    decode_with(body, &context(None))
}

/// The one beat of a line without rejections.
fn beat(line: &str) -> BeatRecord {
    let (mut beats, rejections) = decode(line);
    assert_eq!(rejections, Rejections::default(), "{line}");
    assert_eq!(beats.len(), 1, "{line}");
    beats.remove(0)
}

/// The reasons for which lines are rejected, with their numbers.
fn reasons(body: &str) -> Vec<(usize, &'static str)> {
    let (_, rejections) = decode(body);
    let listed = rejections.listed.iter();
    listed.map(|it| (it.index, it.reason.as_str())).collect()
}

#[test]
fn a_report_is_a_beat() {
    let line = r#"bl=(23900),br=(666),cid="event-42",com.example-pt="5369",e=t,mtp=(55600),sf=h,sid="s-1",sn=10,st=v,sta=p,ts=1795305426732,v=2"#;
    let read = beat(line);
    assert_eq!(read.event.as_str(), "event-42");
    assert_eq!(read.playback.as_str(), "s-1");
    assert_eq!(read.at.as_millis(), 1_795_305_426_732);
    assert_eq!(read.seq, Some(10));
    assert!(read.playing);
    assert_eq!((read.customer, read.device, read.name), (None, None, None));
}

#[test]
fn only_the_state_p_is_playing() {
    for (state, playing) in [
        ("sta=p,", true),
        ("", false),
        ("sta=a,", false),
        ("sta=w,", false),
        ("sta=preload,", false),
        (r#"sta="p","#, false),
        ("sta=(p),", false),
        ("sta=a,sta=p,", true),
        ("sta=p,sta=1,", false),
    ] {
        let line = format!(r#"cid="e",sid="s",{state}ts=1795305426732"#);
        assert_eq!(beat(&line).playing, playing, "{line}");
    }
}

#[test]
fn a_value_of_a_wrong_type_is_ignored_alone() {
    let rest = r#"sid="s",ts=1795305426732"#;
    for sn in ["sn=1.5", r#"sn="1""#, "sn=-1", "sn", "sn=(1)", "sn=a"] {
        let read = beat(&format!(r#"cid="e",{sn},{rest}"#));
        assert_eq!(read.seq, None, "{sn}");
    }
    let with_event = context(Some("e"));
    for key in [
        "cid=7",
        "cid",
        "v=two",
        "v=(2)",
        "br=zz;q",
        "nor=5;a=(",
        "unknown-1=:aGk=:",
    ] {
        let (beats, rejections) = decode_with(&format!("{key},{rest}"), &with_event);
        let is_malformed = key.ends_with('(');
        assert_eq!(beats.len(), usize::from(!is_malformed), "{key}");
        assert_eq!(rejections.total, usize::from(is_malformed), "{key}");
    }
}

#[test]
fn a_line_that_cannot_be_used_is_rejected_alone() {
    let good = r#"cid="e",sid="s",sn=1,ts=1795305426732,v=2"#;
    let bad = [
        (
            r#"cid="e",sid="s",ts=1795305426732,v=3"#,
            "UNSUPPORTED_VERSION",
        ),
        (r#"cid="e",ts=1795305426732"#, "MISSING_FIELD"),
        (r#"cid="e",sid="",ts=1795305426732"#, "MISSING_FIELD"),
        (r#"cid="e",sid=s,ts=1795305426732"#, "MISSING_FIELD"),
        (r#"cid="e",sid="s""#, "MISSING_FIELD"),
        (r#"cid="e",sid="s",ts=179530542673.5"#, "MISSING_FIELD"),
        (r#"sid="s",ts=1795305426732"#, "MISSING_FIELD"),
        (r#"cid="e",sid="s",ts=1795305426"#, "INVALID_TIME"),
        (r#"cid="e",sid="s",ts=1999999999999"#, "TIME_IN_FUTURE"),
        (r#"{"sid":"s","ts":1795305426732}"#, "MALFORMED_CMCD"),
        (r#"cid="e",sid="s",ts=1795305426732,"#, "MALFORMED_CMCD"),
        (r#"cid="e,sid="s""#, "MALFORMED_CMCD"),
    ];
    let mut lines: Vec<&str> = bad.iter().flat_map(|(line, _)| [good, line]).collect();
    let long = format!(r#"cid="e",sid="{}",ts=1795305426732"#, "s".repeat(129));
    let huge = format!(
        r#"cid="e",sid="s",ts=1795305426732,x="{}""#,
        "x".repeat(64 << 10)
    );
    lines.extend([good, &long, good, &huge]);
    let body = lines.join("\n");
    let named = bad.iter().map(|(_, reason)| *reason);
    let named = named.chain(["INVALID_ID", "RECORD_TOO_LARGE"]);
    let expected: Vec<_> = named.enumerate().map(|(at, it)| (2 * at + 1, it)).collect();
    assert_eq!(reasons(&body), expected);
    assert_eq!(decode(&body).0.len(), expected.len());
}

#[test]
fn blank_lines_and_blanks_at_the_ends_of_lines_are_skipped() {
    let line = r#"cid="e",sid="s",ts=1795305426732"#;
    let (beats, rejections) = decode(&format!("\n {line} \r\n\r\n{line}\t\n \n"));
    assert_eq!((beats.len(), rejections.total), (2, 0));
    for body in ["", "\n", " \n\n"] {
        assert_eq!(decode(body), (vec![], Rejections::default()));
    }
}

#[test]
fn texts_may_have_any_characters() {
    let read = beat(r#"cid="100% 演唱會 \"a\\b\"",sid="é%25",ts=1795305426732"#);
    assert_eq!(read.event.as_str(), r#"100% 演唱會 "a\b""#);
    assert_eq!(read.playback.as_str(), "é%25");
    let read = beat(r#"cid="a%41",sid="s",ts=1795305426732"#);
    assert_eq!(read.event.as_str(), "a%41");
    // A byte that is not UTF-8 makes its text absent, and the session is needed.
    let body = b"cid=\"e\",sid=\"\xff\",ts=1795305426732\ncid=\"e\",sid=\"s\",ts=1795305426732";
    let mut kept = 0;
    let rejections = decode_body(body, CMCD, &context(None), |_| kept += 1).unwrap();
    assert_eq!((kept, rejections.total), (1, 1));
}

#[test]
fn what_the_request_gives_is_in_every_beat() {
    let mut context = context(Some("keynote"));
    context.given.customer_id = Some("ada".to_owned());
    context.given.device_id = Some("phone".to_owned());
    context.given.name = Some("Ada".to_owned());
    let body = "cid=\"other\",sid=\"s\",ts=1795305426732\nsid=\"s\",ts=1795305426733";
    let (beats, rejections) = decode_with(body, &context);
    assert_eq!((beats.len(), rejections.total), (2, 0));
    for read in beats {
        assert_eq!(read.event.as_str(), "keynote");
        assert_eq!(read.customer.unwrap().as_str(), "ada");
        assert_eq!(read.device.unwrap().as_str(), "phone");
        assert_eq!(read.name.as_deref(), Some("Ada"));
    }
}

/// The requests of a recording; `None` if the recordings are missing, which fails on CI.
fn recording(name: &str) -> Option<Vec<Json>> {
    let path = shared_data(&format!("cmcd/{name}")).unwrap()?;
    let text = fs::read_to_string(path).unwrap();
    let requests = text.lines().map(serde_json::from_str);
    Some(requests.map(Result::unwrap).collect())
}

#[test]
fn every_line_that_players_sent_is_a_beat() {
    for (name, lines) in [("hls.js-1.7.4.jsonl", 25), ("dashjs-5.2.1.jsonl", 20)] {
        let Some(requests) = recording(name) else {
            return;
        };
        let mut numbers = Vec::new();
        for request in requests {
            let (beats, rejections) = decode(request["body"].as_str().unwrap());
            assert_eq!(rejections, Rejections::default(), "{request}");
            assert!(beats.iter().all(|beat| beat.event.as_str() == "event-42"));
            numbers.extend(beats.into_iter().map(|beat| beat.seq));
        }
        let expected: Vec<_> = (0..lines).map(Some).collect();
        assert_eq!(numbers, expected, "{name}");
    }
}

#[test]
fn lines_about_requests_have_no_time_and_are_no_beats() {
    let requests = recording("request-mode-hls.jsonl").into_iter().flatten();
    for request in requests {
        let reasons = reasons(request["CMCD"].as_str().unwrap());
        assert_eq!(reasons, [(0, "MISSING_FIELD")], "{request}");
    }
}
