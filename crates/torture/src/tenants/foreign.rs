//! What belongs to another answers exactly as what never was.

use anyhow::{Context, ensure};

use super::ask::{Ask, REPORTS};
use super::operations::{Door, OPERATIONS};
use super::stage::{Ids, Side, Stage};
use showreport_testkit::Answer;

/// Compares every operation that takes an id; how many questions that were.
pub(super) fn compare(stage: &mut Stage) -> anyhow::Result<usize> {
    let (ours, theirs) = (
        stage.tenant(Side::Acme).ids.clone(),
        stage.tenant(Side::Globex).ids.clone(),
    );
    let never = never(&ours);
    let mut pairs = Vec::new();
    for operation in OPERATIONS.iter().filter(|it| it.door == Door::Report) {
        let ask = |ids: &Ids| operation.ask(ids, &stage.day);
        if ask(&ours) != ask(&never) {
            pairs.push((ask(&ours), ask(&never)));
        }
    }
    ensure!(pairs.len() > 10, "hardly any operation seems to take an id");
    pairs.extend(mixed(&ours, &theirs, &never));
    for (foreign, unknown) in &pairs {
        let told = told(stage, foreign, &ours, &never)?;
        ensure!(
            told == self::told(stage, unknown, &ours, &never)?,
            "{foreign:?} differs from {unknown:?}: {told:?}"
        );
    }
    check_control(stage, &ours, &never)?;
    check_keys(stage)?;
    Ok(pairs.len())
}

/// Ids of the same form, that nothing has.
fn never(ours: &Ids) -> Ids {
    // As long as ours, so that no length tells them apart; digits of ids are hexadecimal.
    let bent = |id: &str| {
        let digit = |c: char| match c {
            '9' => '0',
            'f' => 'a',
            '0'..='8' | 'a'..='e' => char::from(c as u8 + 1),
            other => other,
        };
        let (head, tail) = id.split_at(id.len() - 12);
        format!("{head}{}", tail.chars().map(digit).collect::<String>())
    };
    let (job, bulk_report) = (bent(&ours.job), "9".repeat(ours.bulk_report.len()));
    let media = ours.media.replace(&ours.job, &job);
    let place = media.len() - ours.bulk_report.len();
    Ids {
        event: bent(&ours.event),
        report: bent(&ours.report),
        // Another organisation's name is no secret of its own, so only what follows it never was.
        media: format!("{}{bulk_report}", &media[..place]),
        job,
        bulk_report,
        link: ours.link.clone(),
    }
}

/// Foreign ids in places that are the caller's own.
fn mixed(ours: &Ids, theirs: &Ids, never: &Ids) -> Vec<(Ask, Ask)> {
    let get = |path: String| Ask::get(&path);
    let in_own_job = |id: &str| get(format!("/v1/jobs/{}/reports/{id}", theirs.job));
    let (_, of_theirs) = theirs.media.split_once("/jobs/").unwrap_or_default();
    let own = theirs.media.trim_end_matches(of_theirs);
    let named = |ids: &Ids| {
        get(format!(
            "/v1/media/{own}{}/reports/{}?alt=media",
            ids.job, ids.bulk_report
        ))
    };
    let beside = |id: &str| {
        let body = format!(
            r#"{{"reports":[{{"id":"{}"}},{{"id":"{id}"}}]}}"#,
            theirs.report
        );
        Ask::post(&format!("{REPORTS}:batch-get"), body)
    };
    vec![
        (
            in_own_job(&ours.bulk_report),
            in_own_job(&never.bulk_report),
        ),
        (named(ours), named(never)),
        (beside(&ours.report), beside(&never.report)),
    ]
}

/// All of an answer that could tell, as if it had been about the ids that never were.
fn told(
    stage: &mut Stage,
    ask: &Ask,
    ours: &Ids,
    never: &Ids,
) -> anyhow::Result<(u16, String, String)> {
    let token = stage.tenant(Side::Globex).admin.clone();
    let answer = stage.ask(Some(Side::Globex), Some(&token), ask)?;
    let mut body = answer.text().into_owned();
    let number = |ids: &Ids| format!("report {}", ids.bulk_report);
    for (id, other) in [
        (ours.event.clone(), &never.event),
        (ours.report.clone(), &never.report),
        (ours.job.clone(), &never.job),
        (number(ours), &number(never)),
    ] {
        body = body.replace(&id, other);
    }
    Ok((answer.status, headers(&answer), body))
}

/// The headers, without those that differ each time.
fn headers(answer: &Answer) -> String {
    let lines = answer.head.lines().filter(|line| {
        let name = line
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        name != "date" && name != "x-request-id"
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The control: to their owner the same ids answer otherwise.
fn check_control(stage: &mut Stage, ours: &Ids, never: &Ids) -> anyhow::Result<()> {
    for operation in OPERATIONS
        .iter()
        .filter(|it| it.door == Door::Report && it.method == "GET")
    {
        let (mine, unknown) = (
            operation.ask(ours, &stage.day),
            operation.ask(never, &stage.day),
        );
        if mine == unknown {
            continue;
        }
        let token = stage.tenant(Side::Acme).reader.clone();
        let mine = stage.ask(Some(Side::Acme), Some(&token), &mine)?;
        let unknown = stage.ask(Some(Side::Acme), Some(&token), &unknown)?;
        ensure!(
            mine.status == 200 && mine.body != unknown.body,
            "{} does not know its owner's ids",
            operation.path
        );
    }
    Ok(())
}

/// An idempotency key of another is a new one.
fn check_keys(stage: &mut Stage) -> anyhow::Result<()> {
    let order = r#"{"id":"keynote","type":"EVENT_TYPE_LIVE",
        "dimension_with_conditions":[{"dimension":"REPORT_DIMENSION_WATCH_TIME"}]}"#;
    let ask = Ask::post(REPORTS, order.to_owned()).with("Idempotency-Key", "the same key");
    let mut made = Vec::new();
    for side in [Side::Acme, Side::Globex, Side::Acme] {
        let answer = stage.read(side, &ask)?;
        let id = answer["reports"][0]["id"].as_str().context("an id")?;
        made.push(id.to_owned());
    }
    ensure!(
        made[0] == made[2],
        "a key did not answer with its own report"
    );
    ensure!(made[0] != made[1], "a key answered with another's report");
    Ok(())
}
