//! Questions about an event: on random streams every answer equals the oracle's, cell by cell.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::Value;
use showreport_model::audience::Resolution;
use showreport_model::buckets::Granularity;
use showreport_model::question::{Answer, Attribute, Question, RowRange};
use showreport_model::report::Pins;
use showreport_model::search::SearchText;
use showreport_model::table::{Table, Value as Cell};
use showreport_model::{EventId, PollId, Timestamp, Window};

use crate::harness::{Org, Random, TestApp};
use crate::oracle::{self, Dimension, Facts, Field, Figures, ReportSpec, answers};
use crate::streams::case::question;
use crate::streams::records::Records;

/// 2026-03-28T23:00Z: midnight in Berlin, before a day of 23 hours.
const MIDDLE: i64 = 1_774_738_800_000;
const ZONE: &str = "Europe/Berlin";
const EVENT: &str = "keynote";
const ALL_ROWS: RowRange = RowRange {
    skip: 0,
    limit: 1_000_000,
};

/// An application with a random stream of two events, and the pins of the first.
struct Asked {
    app: TestApp,
    org: Org,
    records: Vec<Value>,
    facts: Facts,
    pins: Pins,
}

impl Asked {
    async fn new(random: &mut Random) -> Self {
        let around = Records::around(MIDDLE);
        let mut records: Vec<Value> = (0..220)
            .map(|number| {
                around.record(random, [EVENT, "=late show"][usize::from(number % 5 == 0)])
            })
            .collect();
        let app = TestApp::new().await;
        let org = app.org("acme", ZONE).await;
        app.accept(&org, &records).await;
        let again: Vec<Value> = (0..40).map(|_| random.pick(&records).clone()).collect();
        app.accept(&org, &again).await;
        records.extend(again);
        let event = EventId::new(EVENT).expect("an id");
        let flushed = app.parts.jobs.flush_org(&org.id).await;
        flushed.expect("flush the journal");
        let pins = app.parts.jobs.pins(&org.id, &event).await.expect("pins");
        Self {
            facts: Facts::of(&records, EVENT),
            app,
            org,
            records,
            pins,
        }
    }

    async fn answer(&self, question: &Question) -> Answer {
        let answer = self
            .app
            .parts
            .query
            .answer(&self.org.id, &self.pins, question);
        let answer = answer.await.expect("an answer");
        let names = |columns: &[showreport_model::column::Column]| -> Vec<&str> {
            columns.iter().map(|column| column.name).collect()
        };
        assert_eq!(names(&answer.table.columns), names(&question.columns()));
        answer
    }

    async fn table(&self, question: &Question) -> oracle::Table {
        texts(&self.answer(question).await.table)
    }
}

/// The cells as text.
fn texts(table: &Table) -> oracle::Table {
    let row = |row: &Vec<_>| row.iter().map(ToString::to_string).collect();
    oracle::Table::in_order(
        table.columns.iter().map(|column| column.name).collect(),
        table.rows.iter().map(row).collect(),
    )
}

fn window(filter: &ReportSpec) -> Window {
    let at = |millis: Option<i64>| millis.map(|at| Timestamp::from_millis(at).expect("in range"));
    Window {
        start: at(filter.start),
        end: at(filter.end),
    }
}

/// A filter, which may be open.
fn filter(random: &mut Random) -> ReportSpec {
    ReportSpec {
        group_by: Vec::new(),
        ..question(random, MIDDLE)
    }
}

fn zone() -> TimeZone {
    TimeZone::get(ZONE).expect("a zone")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_within_a_filter_equal_the_oracle() {
    let random = &mut Random::new(1);
    for _ in 0..3 {
        let asked = Asked::new(random).await;
        for _ in 0..6 {
            let filter = filter(random);
            let query = &asked.app.parts.query;
            let figures = query.figures(&asked.org.id, &asked.pins, window(&filter));
            let figures = figures.await.expect("figures").row();
            let figures: Vec<String> = figures.iter().map(ToString::to_string).collect();
            let expected = Figures::within(&asked.facts, asked.facts.window(), &filter);
            assert_eq!(figures, expected.texts(), "{filter:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audience_curve_equals_the_oracle() {
    let random = &mut Random::new(2);
    for _ in 0..3 {
        let asked = Asked::new(random).await;
        for _ in 0..6 {
            let mut filter = filter(random);
            filter.granularity_seconds = *random.pick(&[60, 300, 900, 3_600, 86_400]);
            let seconds = u32::try_from(filter.granularity_seconds).expect("few");
            let granularity = Granularity::try_from(seconds).expect("offered");
            let question = Question::Audience {
                window: window(&filter),
                resolution: Resolution::Width(granularity),
            };
            let expected = answers::audience(&asked.facts, &filter, &zone());
            assert_eq!(asked.table(&question).await, expected, "{filter:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_curve_of_points_is_that_of_the_finest_granularity_that_fits() {
    let random = &mut Random::new(3);
    let asked = Asked::new(random).await;
    for points in [1, 10, 100, 500, 1_000] {
        // The oracle counts second by second, so the time is short.
        let mut filter = ReportSpec::new(Dimension::WatchTime);
        filter.start = Some(MIDDLE - random.between(1, 300_000));
        filter.end = Some(MIDDLE + random.between(1, 300_000));
        let question = Question::Audience {
            window: window(&filter),
            resolution: Resolution::Points(points),
        };
        let answer = asked.answer(&question).await;
        let coarsest = *Granularity::SECONDS.last().expect("the coarsest");
        for seconds in Granularity::SECONDS {
            filter.granularity_seconds = seconds.into();
            let expected = answers::audience(&asked.facts, &filter, &zone());
            if expected.rows.len() <= points as usize || seconds == coarsest {
                assert_eq!(texts(&answer.table), expected, "{points} {filter:?}");
                let chosen = answer.granularity.map(Granularity::seconds);
                assert!(chosen.is_none_or(|chosen| chosen == seconds));
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breakdowns_equal_the_oracle() {
    let random = &mut Random::new(4);
    for _ in 0..2 {
        let asked = Asked::new(random).await;
        for (by, field) in [
            (Attribute::CustomerId, Field::CustomerId),
            (Attribute::DeviceId, Field::DeviceId),
            (Attribute::DeviceOs, Field::DeviceOs),
            (Attribute::GeoRegion, Field::GeoRegion),
        ] {
            for limit in [1, 2, 4, 50] {
                let filter = filter(random);
                let question = Question::Breakdown {
                    window: window(&filter),
                    by,
                    limit,
                };
                let answer = asked.answer(&question).await;
                let expected = answers::breakdown(&asked.facts, &filter, field, limit as usize);
                let cells = |row: Vec<showreport_model::table::Value>| -> Vec<String> {
                    row.iter().map(ToString::to_string).collect()
                };
                assert_eq!(texts(&answer.table), expected.table, "{question:?}");
                assert_eq!(answer.other.map(cells), expected.other, "{question:?}");
                assert_eq!(
                    answer.total.map(cells),
                    Some(expected.total),
                    "{question:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_votes_and_messages_equal_the_reports_of_the_oracle() {
    let random = &mut Random::new(5);
    for _ in 0..3 {
        let asked = Asked::new(random).await;
        let filter = filter(random);
        let window = window(&filter);
        let polls = asked.table(&Question::Polls { window }).await;
        assert_eq!(polls, answers::polls(&asked.facts, &filter), "{filter:?}");
        let report = |dimension| {
            let spec = ReportSpec {
                dimension,
                ..filter.clone()
            };
            oracle::report(&asked.records, EVENT, &spec, &zone())
        };
        for poll in ["q1", "-q3", "never-defined", "nowhere"] {
            let question = Question::PollVotes {
                window,
                poll: PollId::new(poll).expect("an id"),
                rows: ALL_ROWS,
            };
            let mut expected = report(Dimension::PollVotes);
            expected.rows.retain(|row| row[0] == poll);
            assert_eq!(asked.table(&question).await, expected, "{question:?}");
        }
        let question = Question::Messages {
            window,
            search: None,
            sender: None,
            rows: ALL_ROWS,
        };
        let messages = report(Dimension::ChatHistories);
        assert_eq!(asked.table(&question).await, messages, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_messages_and_votes_are_parts_of_all_rows() {
    let random = &mut Random::new(6);
    let asked = Asked::new(random).await;
    let window = Window::ALL;
    let votes = |rows| Question::PollVotes {
        window,
        poll: PollId::new("q1").expect("an id"),
        rows,
    };
    let messages = |rows| Question::Messages {
        window,
        search: None,
        sender: None,
        rows,
    };
    for question in [&votes as &dyn Fn(RowRange) -> Question, &messages] {
        let all = asked.table(&question(ALL_ROWS)).await.rows;
        assert!(all.len() > 5, "{all:?}");
        let mut pages = Vec::new();
        for skip in (0..=all.len() as u64).step_by(4) {
            let page = asked.table(&question(RowRange { skip, limit: 4 })).await;
            assert!(page.rows.len() <= 4);
            pages.extend(page.rows);
        }
        assert_eq!(pages, all);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_found_by_text_name_and_sender() {
    let random = &mut Random::new(7);
    let asked = Asked::new(random).await;
    let all = oracle::report(
        &asked.records,
        EVENT,
        &ReportSpec::new(Dimension::ChatHistories),
        &zone(),
    );
    let mut found = 0;
    for part in ["A", "BOB", "1+", "é", "quite another"] {
        let question = Question::Messages {
            window: Window::ALL,
            search: SearchText::new(part),
            sender: None,
            rows: ALL_ROWS,
        };
        let mut expected = all.clone();
        let part = part.to_lowercase();
        let holds = |text: &String| text.to_lowercase().contains(&part);
        expected.rows.retain(|row| holds(&row[4]) || holds(&row[6]));
        found += expected.rows.len();
        assert_eq!(asked.table(&question).await, expected, "{part}");
    }
    for sender in ["ada", "tv-1", "nobody"] {
        let question = Question::Messages {
            window: Window::ALL,
            search: None,
            sender: Some(sender.to_owned()),
            rows: ALL_ROWS,
        };
        let mut expected = all.clone();
        expected
            .rows
            .retain(|row| row[2] == sender || row[3] == sender);
        found += expected.rows.len();
        assert_eq!(asked.table(&question).await, expected, "{sender}");
    }
    assert!(found > 5, "the searches find few messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_viewers_of_each_event_equal_the_oracle() {
    let random = &mut Random::new(8);
    let asked = Asked::new(random).await;
    let viewers = asked
        .app
        .parts
        .query
        .viewers_of_events(&asked.org.id, &asked.pins.heads);
    let viewers = viewers.await.expect("viewers");
    let expected = [EVENT, "=late show"].map(|event| {
        let viewers = answers::viewers(&Facts::of(&asked.records, event));
        let id = EventId::new(event).expect("an id");
        (id, i64::try_from(viewers).expect("few"))
    });
    assert_eq!(viewers, BTreeMap::from(expected));
}

/// The laws of a filter: what the answers must have in common.
struct Laws {
    figures: showreport_model::figures::Figures,
    curve: Table,
    people: Table,
}

impl Laws {
    async fn of(asked: &Asked, window: Window) -> Self {
        let figures = asked
            .app
            .parts
            .query
            .figures(&asked.org.id, &asked.pins, window);
        let resolution = Resolution::Points(400);
        let people = Question::Attendance {
            window,
            minimum_live_ratio: None,
            search: None,
            order_by: Vec::new(),
            rows: ALL_ROWS,
        };
        Self {
            figures: figures.await.expect("figures"),
            curve: asked
                .answer(&Question::Audience { window, resolution })
                .await
                .table,
            people: asked.answer(&people).await.table,
        }
    }
}

/// The numbers of a column: counts, or milliseconds.
fn numbers(table: &Table, column: &str) -> Vec<i64> {
    let column = table.column(column).expect("a column");
    let number = |row: &Vec<Cell>| match row[column] {
        Cell::Count(number) | Cell::Seconds(number) => number,
        _ => 0,
    };
    table.rows.iter().map(number).collect()
}

fn sum(table: &Table, column: &str) -> i64 {
    numbers(table, column).iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_curves_breakdowns_and_people_agree_under_any_filter() {
    let random = &mut Random::new(9);
    let asked = Asked::new(random).await;
    for _ in 0..8 {
        let window = window(&filter(random));
        let Laws {
            figures,
            curve,
            people,
        } = Laws::of(&asked, window).await;
        assert_eq!(sum(&curve, "joined"), sum(&curve, "left"), "{window:?}");
        assert_eq!(sum(&curve, "messages"), figures.messages, "{window:?}");
        assert_eq!(sum(&curve, "votes"), figures.votes, "{window:?}");
        let peak = figures.peak.map_or(0, |peak| peak.viewers);
        let highest = numbers(&curve, "peak_viewers").into_iter().max();
        assert_eq!(highest.unwrap_or(0), peak, "{window:?}");
        assert!(peak <= figures.viewers && figures.viewers <= figures.views);

        assert_eq!(sum(&people, "attended_seconds"), figures.attended_millis);
        assert_eq!(sum(&people, "live_seconds"), figures.live_millis);
        assert_eq!(sum(&people, "views"), figures.views);
        assert_eq!(sum(&people, "polls_answered"), figures.votes);
        assert!(sum(&people, "messages") <= figures.messages);
        assert!(sum(&people, "devices") >= figures.devices);
        let viewers = numbers(&people, "views");
        let viewers = viewers.iter().filter(|views| **views > 0).count();
        assert_eq!(i64::try_from(viewers), Ok(figures.viewers), "{window:?}");
        assert!(figures.attended_millis <= figures.watch_millis);
        for &by in Attribute::ALL {
            let limit = 3;
            let answer = asked
                .answer(&Question::Breakdown { window, by, limit })
                .await;
            let mut rows = answer.table.clone();
            rows.rows.extend(answer.other);
            let total = Table {
                rows: answer.total.into_iter().collect(),
                ..answer.table
            };
            for column in ["views", "watch_seconds"] {
                assert_eq!(sum(&rows, column), sum(&total, column), "{window:?} {by}");
            }
            for column in ["viewers", "attended_seconds"] {
                assert!(sum(&rows, column) >= sum(&total, column), "{window:?} {by}");
            }
            assert_eq!(sum(&total, "watch_seconds"), figures.watch_millis);
            assert_eq!(sum(&total, "attended_seconds"), figures.attended_millis);
            assert_eq!(sum(&total, "viewers"), figures.viewers);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_two_parts_of_a_filter_that_is_cut_anywhere_add_up() {
    let random = &mut Random::new(10);
    let asked = Asked::new(random).await;
    for _ in 0..6 {
        let cut = MIDDLE + random.between(-300_000, 300_000);
        let cut = Timestamp::from_millis(cut).ok();
        let part = |start, end| Laws::of(&asked, Window { start, end });
        let (before, after) = (part(None, cut).await, part(cut, None).await);
        let whole = Laws::of(&asked, Window::ALL).await;
        for column in ["messages", "votes", "joined", "left"] {
            let parts = sum(&before.curve, column) + sum(&after.curve, column);
            let whole = sum(&whole.curve, column);
            // Viewers at the cut leave before it and join after it.
            let is_cut = column == "joined" || column == "left";
            assert!(parts == whole || is_cut && parts > whole, "{column}");
        }
        for column in [
            "attended_seconds",
            "live_seconds",
            "messages",
            "polls_answered",
        ] {
            let parts = sum(&before.people, column) + sum(&after.people, column);
            assert_eq!(parts, sum(&whole.people, column), "{column}");
        }
    }
}
