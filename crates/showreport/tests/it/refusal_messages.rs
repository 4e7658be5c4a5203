//! Messages of refusals: correct, with singular and plural, and naming all valid choices.

use serde_json::{Value, json};

use crate::harness::show::watches;
use crate::harness::{Response, Show};

fn message(response: &Response) -> String {
    let json = response.json();
    let message = json["message"]
        .as_str()
        .or(json["error"]["message"].as_str());
    message.expect("a message").to_owned()
}

/// Checks that a count of one is not followed by a plural.
#[track_caller]
fn counts_in_the_right_number(message: &str) {
    let words: Vec<&str> = message.split_whitespace().collect();
    for pair in words.windows(2) {
        assert!(pair[0] != "1" || !pair[1].ends_with('s'), "{message}");
    }
}

async fn refusal(show: &Show, path: &str, body: &Value) -> String {
    let response = show.app.post(&show.org, path, body).await;
    assert!((400..500).contains(&response.status), "{path} {body}");
    let message = message(&response);
    counts_in_the_right_number(&message);
    message
}

#[tokio::test]
async fn reports_that_do_not_exist_are_counted_in_words() {
    let show = Show::new().await;
    let path = "/bv/analytics/v1/events/reports:batch-get";
    let one = json!({"reports": [{"id": "a"}]});
    let message = refusal(&show, path, &one).await;
    assert!(
        message.starts_with("one of the reports does not exist"),
        "{message}"
    );
    let two = json!({"reports": [{"id": "a"}, {"id": "b"}]});
    let message = refusal(&show, path, &two).await;
    assert!(
        message.starts_with("2 of the reports do not exist"),
        "{message}"
    );
    for missing in [json!({}), json!({"reports": []}), json!({"reports": null})] {
        let message = refusal(&show, path, &missing).await;
        assert!(message.contains("is missing or empty"), "{message}");
    }
}

#[tokio::test]
async fn a_missing_list_is_named_by_each_of_its_names() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let path = "/bv/analytics/v1/events/reports";
    let order = |field: &str, value: Value| {
        let mut order = json!({"id": "keynote", "type": "EVENT_TYPE_LIVE"});
        order[field] = value;
        order
    };
    for missing in [
        order("dimensions", json!([])),
        order("dimension_with_conditions", json!(null)),
    ] {
        let message = refusal(&show, path, &missing).await;
        let names = ["`dimension_with_conditions`", "`dimensions`"];
        assert!(names.iter().all(|name| message.contains(name)), "{message}");
    }
    for name in ["dimensions", "dimension_with_conditions"] {
        let message = refusal(&show, path, &order(name, json!("WATCH_TIME"))).await;
        assert_eq!(message, format!("`{name}` must be an array"));
    }
    let vote = json!([{
        "type": "vote", "event_id": "keynote", "poll_id": "q", "option_ids": ["a"],
        "voted_at": "2026-11-22T10:00:00Z",
    }]);
    let message = refusal(&show, "/collect", &vote).await;
    assert!(message.contains("the only record"), "{message}");
    for name in ["`customer_id`", "`device_id`"] {
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_not_reported_as_missing() {
    let show = Show::new().await;
    for (job, expected) in [
        (
            json!({"reportTypeId": 1, "name": "n"}),
            "`reportTypeId` is no string",
        ),
        (json!({"name": "n"}), "`reportTypeId` is missing"),
        (
            json!({"reportTypeId": "event_customers_a1", "name": 1}),
            "`name` is no string",
        ),
        (
            json!({"reportTypeId": "event_customers_a1", "name": ""}),
            "`name` is empty",
        ),
        (
            json!({"reportTypeId": "event_customers_a1"}),
            "`name` is missing",
        ),
    ] {
        let message = refusal(&show, "/v1/jobs", &job).await;
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_reported_as_wrong() {
    let show = Show::new().await;
    for address in [
        "/api/v1/events?page_size=x",
        "/api/v1/reports?page_token=x",
        "/v1/jobs?pageSize=x",
        "/v1/jobs?pageToken=x",
        "/bv/analytics/v1/reports/watch-time?time=x",
        "/bv/analytics/v1/reports/watch-time?time=2026-11-22&streaming_type=x",
    ] {
        let response = show.app.get(&show.org, address).await;
        assert_eq!(response.status, 400, "{address}");
        let message = message(&response);
        assert!(message.contains("` must be "), "{address}: {message}");
    }
    let old = "/bv/analytics/v1/reports/watch-time?time=1999-01-01";
    let response = show.app.get(&show.org, old).await;
    assert_eq!(response.status, 404);
    let message = message(&response);
    assert!(message.contains("no record is older"), "{message}");
}
