use showreport_model::Clock;
use showreport_model::record::{EventRecord, Record};

use super::*;
use crate::meta::testing::{Fixture, event, playback};

/// An event record of `acme`; times are minutes after the clock of the fixture.
fn record(
    show: &Fixture,
    id: &str,
    (kind, title): (EventKind, &str),
    starts: Option<i64>,
    ends: Option<i64>,
) -> Record {
    let at = |minutes: i64| show.clock.now().saturating_add_millis(minutes * 60_000);
    Record::Event(EventRecord {
        event: event(id),
        kind,
        title: title.to_owned(),
        starts_at: starts.map(at),
        ends_at: ends.map(at),
        duration_ms: None,
        updated_at: None,
    })
}

/// A view that ended this many minutes ago.
fn view(show: &Fixture, id: &str, minutes: i64) -> Record {
    let Record::Playback(mut view) = playback(id, "p") else {
        unreachable!("it is a playback");
    };
    let end = show.clock.now().as_millis() - minutes * 60_000;
    view.span = showreport_model::Span::new(end - 1_000, end).unwrap();
    Record::Playback(view)
}

async fn list(
    show: &Fixture,
    filter: &EventFilter,
    order: EventOrder,
    after: Option<&EventPlace>,
    limit: usize,
) -> Vec<ListedEvent> {
    let now = show.clock.now();
    let listed = show
        .meta
        .list_events(&show.org, filter, order, after, limit, now);
    listed.await.unwrap()
}

fn ids(listed: &[ListedEvent]) -> Vec<&str> {
    listed.iter().map(|it| it.event.id.as_str()).collect()
}

/// Id, kind, minutes until start and end, minutes since the newest fact, state.
const STATES: &str = "
    a later start             | live | 1   | 2  | -  | upcoming
    a video that starts later | vod  | 1   | -  | -  | upcoming
    a later end               | live | -1  | 1  | -  | live
    a later end and no start  | live | -   | 1  | -  | live
    an earlier end            | live | -2  | -1 | 0  | ended
    no end and a new fact     | live | -90 | -  | 29 | live
    no end and an old fact    | live | -90 | -  | 30 | ended
    no end and no fact        | live | -1  | -  | -  | ended
    a video                   | vod  | -1  | 1  | 0  | ended
    no record and a new fact  | -    | -   | -  | 29 | live
    no record and an old fact | -    | -   | -  | 30 | ended";

#[tokio::test]
async fn the_state_follows_from_kind_times_and_newest_fact() {
    let show = Fixture::new().await;
    let cases: Vec<Vec<&str>> = STATES
        .lines()
        .skip(1)
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let mut sent = Vec::new();
    for case in &cases {
        let id = case[0];
        let minutes = |column: usize| case[column].parse::<i64>().ok();
        let kind = EventKind::from_name(case[1]);
        sent.extend(kind.map(|kind| record(&show, id, (kind, id), minutes(2), minutes(3))));
        sent.extend(minutes(4).map(|minutes| view(&show, id, minutes)));
    }
    show.store(sent).await;
    for case in &cases {
        let id = event(case[0]);
        let listed = show.meta.listed_event(&show.org, &id, show.clock.now());
        assert_eq!(listed.await.unwrap().state.name(), case[5], "{id}");
    }
    for &state in EventState::ALL {
        let filter = EventFilter {
            state: Some(state),
            ..EventFilter::default()
        };
        let listed = list(&show, &filter, EventOrder::Title, None, 100).await;
        let mut ids = ids(&listed);
        ids.sort_unstable();
        let of_state = cases.iter().filter(|case| case[5] == state.name());
        let mut expected: Vec<&str> = of_state.map(|case| case[0]).collect();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{state}");
    }
}

#[tokio::test]
async fn pages_of_every_order_have_each_event_once_and_those_without_a_key_last() {
    let show = Fixture::new().await;
    let live = |title| (EventKind::Live, title);
    show.store(vec![
        record(&show, "a", live("beta"), Some(1), None),
        record(&show, "b", live("Alpha"), Some(1), None),
        record(&show, "c", live("alpha"), Some(3), None),
        record(&show, "d", live("Éclair"), None, None),
        view(&show, "e", 1),
        view(&show, "f", 1),
    ])
    .await;
    let orders = [
        (EventOrder::StartsAt, ["c", "a", "b", "d", "e", "f"]),
        (EventOrder::Title, ["b", "c", "a", "d", "e", "f"]),
    ];
    for (order, expected) in orders {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = list(&show, &EventFilter::default(), order, after.as_ref(), 2).await;
            let Some(last) = page.last() else { break };
            after = Some(EventPlace {
                starts_at: last.event.starts_at,
                title: last.event.title.clone(),
                id: last.event.id.clone(),
            });
            seen.extend(page.into_iter().map(|it| it.event.id));
        }
        assert_eq!(seen, expected.map(event), "{order:?}");
    }
}

#[tokio::test]
async fn a_text_is_found_in_id_and_title_whatever_its_case() {
    let show = Fixture::new().await;
    show.store(vec![
        record(
            &show,
            "Keynote-1",
            (EventKind::Vod, "Straße ΟΔΟΣ"),
            None,
            None,
        ),
        view(&show, "other", 1),
    ])
    .await;
    for (text, expected) in [
        ("KEYNOTE", &["Keynote-1"][..]),
        ("strasse", &["Keynote-1"]),
        ("οδος", &["Keynote-1"]),
        ("ΟΔΟσ", &["Keynote-1"]),
        ("o", &["Keynote-1", "other"]),
        ("%", &[]),
    ] {
        let filter = EventFilter {
            text: Some(text.to_owned()),
            ..EventFilter::default()
        };
        let listed = list(&show, &filter, EventOrder::StartsAt, None, 100).await;
        assert_eq!(ids(&listed), expected, "{text}");
    }
    let videos = EventFilter {
        kind: Some(EventKind::Vod),
        ..EventFilter::default()
    };
    let listed = list(&show, &videos, EventOrder::Title, None, 100).await;
    assert_eq!(ids(&listed), ["Keynote-1"]);
}

#[tokio::test]
async fn each_order_is_read_from_an_index() {
    let show = Fixture::new().await;
    for (statement, index) in [(BY_START, "events_by_start"), (BY_TITLE, "events_by_title")] {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(explain))
            .fetch_all(show.meta.readers())
            .await
            .unwrap();
        let plan: Vec<String> = rows
            .iter()
            .map(|row| Stored(row).plain("detail").unwrap())
            .collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("USE TEMP B-TREE"), "{plan}");
    }
}
