//! A token stops opening soon after another process revokes it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::request::Request;
use super::site::{Side, Site};
use showreport_testkit::{ORG, output};

/// What docs/guarantees.md promises.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);

/// Revokes this many tokens while they are used; the longest time that one still opened.
pub(super) fn time(site: &mut Site, count: u32) -> anyhow::Result<Duration> {
    let mut slowest = Duration::ZERO;
    for _ in 0..count {
        slowest = slowest.max(once(site)?);
    }
    Ok(slowest)
}

fn once(site: &mut Site) -> anyhow::Result<Duration> {
    let ids = |site: &Site| -> anyhow::Result<Vec<String>> {
        let listed = output(&mut site.product.command(&["token", "list", "--org", ORG]))?;
        let first = |line: &str| {
            line.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        Ok(listed.lines().map(first).collect())
    };
    let before = ids(site)?;
    let token = site.product.token()?;
    let id = ids(site)?.into_iter().find(|id| !before.contains(id));
    let id = id.context("the id of a new token")?;
    let events = Request::get("/api/v1/events");
    let status = |site: &mut Site| -> anyhow::Result<u16> {
        Ok(site.send(Some(Side::Acme), Some(&token), &events)?.status)
    };
    ensure!(status(site)? == 200, "a new token does not open");
    output(&mut site.product.command(&["token", "revoke", &id]))?;
    let revoked = Instant::now();
    while status(site)? == 200 {
        ensure!(
            revoked.elapsed() <= REVOKED_WITHIN,
            "a token still opens {} ms after it was revoked",
            revoked.elapsed().as_millis()
        );
    }
    let after = revoked.elapsed();
    for _ in 0..3 {
        ensure!(status(site)? == 401, "a revoked token opened again");
    }
    Ok(after)
}
