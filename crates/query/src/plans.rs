//! Plans from facts to sorted rows: one for each dimension and for each type of bulk report.

pub(crate) mod report_rows;
pub(crate) mod groups;
pub(crate) mod views;
pub(crate) mod origin;
pub(crate) mod watch_time;
pub(crate) mod breakdown;
pub(crate) mod retention;
pub(crate) mod chat_histories;
pub(crate) mod polls;
pub(crate) mod ballots;
pub(crate) mod poll_summaries;
pub(crate) mod poll_votes;
pub(crate) mod attendance;
pub(crate) mod figures;
pub(crate) mod curve;
pub(crate) mod dirty_times;
pub(crate) mod bulk;
pub(crate) mod started_views;
pub(crate) mod event_facts;

use showreport_model::buckets::Buckets;
use showreport_model::question::{Answer, Question};
use showreport_model::report::{Dimension, Event, Pins, ReportOrder};

use crate::error::Error;
use crate::facts::Facts;
use report_rows::ReportRows;

/// The rows of an event report.
pub(crate) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    event: &Event,
    buckets: &Buckets,
) -> Result<ReportRows, Error> {
    match order.dimension {
        Dimension::Attendance => attendance::plan(facts, order, event).await,
        Dimension::Retention => retention::plan(facts, order, event).await,
        Dimension::WatchTime => watch_time::plan(facts, order, buckets).await,
        Dimension::ChatHistories => chat_histories::plan(facts, order, buckets).await,
        Dimension::PollSummaries => poll_summaries::plan(facts, order, buckets).await,
        Dimension::PollVotes => poll_votes::plan(facts, order, buckets).await,
    }
}

/// The answer to a question about an event.
pub(crate) async fn answer(
    facts: &Facts,
    question: Question,
    pins: &Pins,
) -> Result<Answer, Error> {
    let event = &pins.event;
    let table = match question {
        Question::Attendance {
            window,
            minimum_live_ratio,
            search,
            order_by,
            rows,
        } => {
            let page = attendance::Page {
                window,
                minimum_live_ratio,
                search,
                order_by,
                rows,
            };
            attendance::page(facts, event, page).await?
        }
        Question::Audience { window, resolution } => {
            return curve::answer(facts, &pins.zone, window, resolution).await;
        }
        Question::Breakdown { window, by, limit } => {
            return breakdown::answer(facts, window, by, limit).await;
        }
        Question::Messages {
            window,
            search,
            sender,
            rows,
        } => chat_histories::page(facts, window, search, sender, rows).await?,
        Question::Polls { window } => poll_summaries::answer(facts, window).await?,
        Question::PollVotes { window, poll, rows } => {
            poll_votes::page(facts, window, &poll, rows).await?
        }
        Question::Retention { window, division } => {
            retention::answer(facts, event, window, division).await?
        }
    };
    Ok(Answer {
        table,
        ..Answer::default()
    })
}
