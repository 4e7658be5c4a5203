use serde_json::json;

use super::*;

fn read(body: &Value) -> Result<CreateReports, ApiError> {
    CreateReports::read(body.to_string().as_bytes())
}

/// The wrong fields of a refused request.
fn wrong(body: &Value) -> Vec<String> {
    let error = read(body).expect_err(&body.to_string());
    error.violated_fields()
}

fn request() -> Value {
    json!({
        "id": "keynote",
        "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{
            "dimension": "REPORT_DIMENSION_WATCH_TIME",
            "group_by_fields": ["GROUP_BY_FIELD_DEVICE_OS", "GROUP_BY_FIELD_WATCH_TIMESTAMP"],
            "filter": {"start_time": "2026-11-01T00:00:00.000Z", "end_time": "2026-11-02T00:00:00Z"},
            "granularity_seconds": 300,
            "format": "xlsx",
        }],
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut request = request();
    request[field] = value;
    request
}

fn with_condition(field: &str, value: Value) -> Value {
    let mut request = request();
    request["dimension_with_conditions"][0][field] = value;
    request
}

#[test]
fn all_spellings_are_equivalent() {
    let snake = read(&request()).unwrap();
    assert_eq!(
        snake.entries[0].group_by,
        [GroupBy::DeviceOs, GroupBy::WatchTimestamp]
    );
    let condition = request()["dimension_with_conditions"].clone();
    let camel = json!([{
        "dimension": 4,
        "groupByFields": [4, 1],
        "filter": {"startTime": "2026-11-01T01:00:00+01:00", "endTime": "2026-11-02T00:00:00.000Z"},
        "granularitySeconds": "300",
        "format": "xlsx",
        "unknown": {},
    }]);
    for (id, kind, list, conditions) in [
        (
            "event_id",
            "event_type",
            "report_dimension_with_conditions",
            &condition,
        ),
        (
            "eventId",
            "eventType",
            "reportDimensionWithConditions",
            &camel,
        ),
        ("id", "type", "dimensionWithConditions", &camel),
    ] {
        let kind_value = if id == "eventId" {
            json!(1)
        } else {
            json!("EVENT_TYPE_LIVE")
        };
        let other = json!({id: "keynote", kind: kind_value, list: conditions});
        assert_eq!(read(&other).unwrap(), snake, "{other}");
    }
}

#[test]
fn two_spellings_must_agree() {
    read(&with("event_id", json!("keynote"))).unwrap();
    read(&with("event_id", Value::Null)).unwrap();
    assert_eq!(wrong(&with("eventId", json!("other"))), ["id"]);
    assert_eq!(
        wrong(&with("event_type", json!("EVENT_TYPE_VOD"))),
        ["type"]
    );
    assert_eq!(
        wrong(&with_condition("groupByFields", json!([]))),
        ["dimension_with_conditions[0].group_by_fields"]
    );
}

#[test]
fn the_deprecated_list_is_used_only_if_the_new_one_is_empty() {
    let old = json!(["REPORT_DIMENSION_POLL_VOTES", 1]);
    let both = read(&with("dimensions", old.clone())).unwrap();
    assert_eq!(both.entries.len(), 1);
    assert_eq!(both.entries[0].dimension, Dimension::WatchTime);
    for name in ["dimensions", "report_dimensions", "reportDimensions"] {
        let body = json!({"id": "e", "type": 2, name: old, "dimension_with_conditions": []});
        let entries = read(&body).unwrap().entries;
        assert_eq!(
            entries
                .iter()
                .map(|entry| entry.dimension)
                .collect::<Vec<_>>(),
            [Dimension::PollVotes, Dimension::ChatHistories]
        );
        assert_eq!(entries[0].granularity.seconds(), 60);
        assert_eq!(entries[0].format, Format::Csv);
        assert_eq!(entries[0].window, Window::ALL);
    }
}

#[test]
fn every_wrong_field_is_named_with_its_path() {
    let body = json!({
        "type": "EVENT_TYPE_UNSPECIFIED",
        "dimension_with_conditions": [
            {
                "dimension": 0,
                "group_by_fields": ["GROUP_BY_FIELD_DEVICE_ID", "DEVICE_OS"],
                "filter": {"start_time": "yesterday", "end_time": 5},
                "granularity_seconds": 7,
                "format": "pdf",
            },
            "WATCH_TIME",
            {
                "dimension": 4,
                "group_by_fields": [3, 3],
                "filter": {"start_time": "2026-11-02T00:00:00Z", "end_time": "2026-11-02T00:00:00Z"},
            },
        ],
    });
    assert_eq!(
        wrong(&body),
        [
            "id",
            "type",
            "dimension_with_conditions[0].dimension",
            "dimension_with_conditions[0].group_by_fields[1]",
            "dimension_with_conditions[0].filter.start_time",
            "dimension_with_conditions[0].filter.end_time",
            "dimension_with_conditions[0].granularity_seconds",
            "dimension_with_conditions[0].format",
            "dimension_with_conditions[1]",
            "dimension_with_conditions[2].group_by_fields[1]",
            "dimension_with_conditions[2].filter.end_time",
        ]
    );
}

#[test]
fn there_are_1_to_50_entries() {
    let entries = |count: usize| {
        with(
            "dimension_with_conditions",
            json!(vec![json!({"dimension": 4}); count]),
        )
    };
    assert_eq!(read(&entries(50)).unwrap().entries.len(), 50);
    assert_eq!(wrong(&entries(51)), ["dimension_with_conditions"]);
    assert_eq!(wrong(&entries(0)), ["dimension_with_conditions"]);
    assert_eq!(
        wrong(&with("dimension_with_conditions", Value::Null)),
        ["dimension_with_conditions"]
    );
    assert_eq!(
        wrong(&with("dimension_with_conditions", json!({}))),
        ["dimension_with_conditions"]
    );
}

#[test]
fn a_filter_may_have_no_bounds_or_bounds_beyond_all_facts() {
    let window = |filter: Value| read(&with_condition("filter", filter)).unwrap().entries[0].window;
    assert_eq!(window(Value::Null), Window::ALL);
    assert_eq!(window(json!({})), Window::ALL);
    assert_eq!(
        window(json!({"start_time": null, "end_time": ""})),
        Window::ALL
    );
    let beyond =
        window(json!({"start_time": "1970-01-01T00:00:00Z", "end_time": "9999-12-31T23:59:59Z"}));
    assert_eq!(
        beyond,
        Window {
            start: Some(Timestamp::MIN),
            end: Some(Timestamp::MAX)
        }
    );
    assert_eq!(
        wrong(&with_condition("filter", json!([]))),
        ["dimension_with_conditions[0].filter"]
    );
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in ["", "[]", "null", "{", "\"x\""] {
        assert!(CreateReports::read(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn the_type_must_be_that_of_the_event() {
    let event = |kind| Event {
        id: EventId::new("keynote").unwrap(),
        kind,
        title: None,
        starts_at: None,
        ends_at: None,
        duration_ms: None,
        updated_at: None,
    };
    let org = OrgId::new("acme").unwrap();
    let orders = |kind| read(&request()).unwrap().into_orders(&org, &event(kind));
    assert_eq!(orders(None).unwrap().len(), 1);
    assert_eq!(
        orders(Some(EventKind::Live)).unwrap()[0].format,
        Format::Xlsx
    );
    assert!(orders(Some(EventKind::Vod)).is_err());
}

#[test]
fn ids_of_a_batch_get_are_decoded_even_if_they_are_no_report_ids() {
    let ids = |body: Value| read_ids(body.to_string().as_bytes());
    let id = ReportId::generate();
    let read = ids(json!({"reports": [{"id": id.to_string(), "dimension": 4}, {"id": "r-1"}]}));
    assert_eq!(read.unwrap(), [Ok(id), Err("r-1".to_owned())]);
    for body in [
        json!({}),
        json!({"reports": []}),
        json!({"reports": [{}]}),
        json!({"reports": ["x"]}),
        json!({"reports": [{"id": 5}]}),
        json!({"reports": vec![json!({"id": "x"}); 101]}),
    ] {
        assert!(ids(body.clone()).is_err(), "{body}");
    }
}

#[test]
fn a_field_may_be_given_once_at_every_level() {
    let wrong = |body: &str| {
        CreateReports::read(body.as_bytes())
            .unwrap_err()
            .violated_fields()
    };
    let entry = r#"{"dimension":4,"filter":{"start_time":"","end_time":"","start_time":""}}"#;
    let body = format!(r#"{{"id":"e","type":1,"dimension_with_conditions":[{entry}]}}"#);
    let path = "dimension_with_conditions[0].filter.start_time";
    assert_eq!(wrong(&body), [path]);
    assert_eq!(wrong(r#"{"id":"e","id":"e"}"#), ["id"]);
    let ids = read_ids(br#"{"reports":[{"id":"a"},{"id":"a","id":"b"}]}"#).unwrap_err();
    assert_eq!(ids.violated_fields(), ["reports[1].id"]);
}
