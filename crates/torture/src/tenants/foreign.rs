//! A foreign id is answered exactly as an unknown one.

use anyhow::{Context, ensure};

use super::operations::{Access, OPERATIONS};
use super::request::{REPORTS, Request};
use super::site::{Ids, Side, Site};
use crate::scenario::Control;
use showreport_testkit::Response;

/// Compares every operation that takes an id; the number of comparisons.
pub(super) fn compare(site: &mut Site) -> anyhow::Result<(usize, Control)> {
    let (ours, theirs) = (
        site.tenant(Side::Acme).ids.clone(),
        site.tenant(Side::Globex).ids.clone(),
    );
    let never = never(&ours);
    let mut pairs = Vec::new();
    for operation in OPERATIONS.iter().filter(|it| it.access == Access::Report) {
        let request = |ids: &Ids| operation.request(ids, &site.day);
        if request(&ours) != request(&never) {
            pairs.push((request(&ours), request(&never)));
        }
    }
    ensure!(pairs.len() > 10, "hardly any operation takes an id");
    pairs.extend(mixed(&ours, &theirs, &never));
    for (foreign, unknown) in &pairs {
        let seen = seen(site, foreign, &ours, &never)?;
        ensure!(
            seen == self::seen(site, unknown, &ours, &never)?,
            "{foreign:?} differs from {unknown:?}: {seen:?}"
        );
    }
    let control = control(site, &ours, &never)?;
    check_keys(site)?;
    Ok((pairs.len(), control))
}

/// Unknown ids of the same form.
fn never(ours: &Ids) -> Ids {
    // As long as ours, so that no length differs. Digits of ids are hexadecimal.
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
        // The name of an organisation is no secret, so only what follows it is unknown.
        media: format!("{}{bulk_report}", &media[..place]),
        job,
        bulk_report,
        link: ours.link.clone(),
        share: bent(&ours.share),
        token: bent(&ours.token),
        person: ours.person.clone(),
    }
}

/// Foreign ids beside the caller's own.
fn mixed(ours: &Ids, theirs: &Ids, never: &Ids) -> Vec<(Request, Request)> {
    let get = |path: String| Request::get(&path);
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
        Request::post(&format!("{REPORTS}:batch-get"), body)
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

/// Status, headers and body, with foreign ids replaced by the unknown ones.
fn seen(
    site: &mut Site,
    request: &Request,
    ours: &Ids,
    never: &Ids,
) -> anyhow::Result<(u16, String, String)> {
    let token = site.tenant(Side::Globex).admin.clone();
    let response = site.send(Some(Side::Globex), Some(&token), request)?;
    let mut body = response.text().into_owned();
    let number = |ids: &Ids| format!("report {}", ids.bulk_report);
    for (id, other) in [
        (ours.event.clone(), &never.event),
        (ours.report.clone(), &never.report),
        (ours.job.clone(), &never.job),
        (number(ours), &number(never)),
    ] {
        body = body.replace(&id, other);
    }
    Ok((response.status, headers(&response), body))
}

/// The headers, without those that differ in each response.
fn headers(response: &Response) -> String {
    let head = response.head();
    let lines = head.lines().filter(|line| {
        let name = line
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        name != "date" && name != "x-request-id"
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The owner of the same ids gets another response than for unknown ones.
fn control(site: &mut Site, ours: &Ids, never: &Ids) -> anyhow::Result<Control> {
    let mut compared = 0;
    for operation in OPERATIONS
        .iter()
        .filter(|it| it.access == Access::Report && it.method == "GET")
    {
        let (mine, unknown) = (
            operation.request(ours, &site.day),
            operation.request(never, &site.day),
        );
        if mine == unknown {
            continue;
        }
        let token = site.tenant(Side::Acme).reader.clone();
        let mine = site.send(Some(Side::Acme), Some(&token), &mine)?;
        let unknown = site.send(Some(Side::Acme), Some(&token), &unknown)?;
        ensure!(
            mine.status == 200 && mine.body != unknown.body,
            "{} does not find its owner's ids",
            operation.path
        );
        compared += 1;
    }
    Control::noticed(
        compared > 5,
        "the difference between an owner's ids and unknown ones",
    )
}

/// The idempotency key of another organisation is a new one.
fn check_keys(site: &mut Site) -> anyhow::Result<()> {
    let order = r#"{"id":"keynote","type":"EVENT_TYPE_LIVE",
        "dimension_with_conditions":[{"dimension":"REPORT_DIMENSION_WATCH_TIME"}]}"#;
    let request = Request::post(REPORTS, order.to_owned()).with("Idempotency-Key", "the same key");
    let mut made = Vec::new();
    for side in [Side::Acme, Side::Globex, Side::Acme] {
        let response = site.read(side, &request)?;
        let id = response["reports"][0]["id"].as_str().context("an id")?;
        made.push(id.to_owned());
    }
    ensure!(made[0] == made[2], "a key did not give its own report");
    ensure!(
        made[0] != made[1],
        "a key gave another organisation's report"
    );
    Ok(())
}
