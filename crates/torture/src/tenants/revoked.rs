//! A token that another process revokes stops opening.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::ask::Ask;
use super::stage::{Side, Stage};
use showreport_testkit::{ORG, output};

/// What docs/guarantees.md promises.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);

/// Revokes tokens while they are used; the longest that one still opened.
pub(super) fn time(stage: &mut Stage, count: u32) -> anyhow::Result<Duration> {
    let mut slowest = Duration::ZERO;
    for _ in 0..count {
        slowest = slowest.max(once(stage)?);
    }
    Ok(slowest)
}

fn once(stage: &mut Stage) -> anyhow::Result<Duration> {
    let ids = |stage: &Stage| -> anyhow::Result<Vec<String>> {
        let listed = output(&mut stage.product.command(&["token", "list", "--org", ORG]))?;
        let first = |line: &str| {
            line.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        Ok(listed.lines().map(first).collect())
    };
    let before = ids(stage)?;
    let token = stage.product.token()?;
    let id = ids(stage)?.into_iter().find(|id| !before.contains(id));
    let id = id.context("the id of a new token")?;
    let events = Ask::get("/api/v1/events");
    let status = |stage: &mut Stage| -> anyhow::Result<u16> {
        Ok(stage.ask(Some(Side::Acme), Some(&token), &events)?.status)
    };
    ensure!(status(stage)? == 200, "a new token does not open");
    output(&mut stage.product.command(&["token", "revoke", &id]))?;
    let revoked = Instant::now();
    while status(stage)? == 200 {
        ensure!(
            revoked.elapsed() <= REVOKED_WITHIN,
            "a token still opens {} ms after it was revoked",
            revoked.elapsed().as_millis()
        );
    }
    let after = revoked.elapsed();
    for _ in 0..3 {
        ensure!(status(stage)? == 401, "a revoked token opened again");
    }
    Ok(after)
}
