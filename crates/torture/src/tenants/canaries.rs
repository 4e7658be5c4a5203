//! Searches all responses, files, logs and metrics for texts of the other organisation, for secrets,
//! and for addresses and user agents of viewers.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::site::{Exchange, Side, Site, Tenant};
use crate::scenario::Control;
use showreport_testkit::files_below;

/// Stops the server and searches everything; the number of places.
pub(super) fn search(site: Site) -> anyhow::Result<(usize, Control)> {
    let metrics = site.server.client.get("/metrics")?.body;
    let log = site.log()?;
    let Site {
        product,
        server,
        tenants,
        exchanges,
        viewer_tokens,
        page_secrets,
        ..
    } = site;
    server.stop()?;
    let mut files = Vec::new();
    for path in files_below(&product.data_dir)? {
        let bytes = fs::read(product.data_dir.join(&path))?;
        files.push((path, bytes));
    }
    let (mut controls, mut origins) = (0, 0);
    for side in [Side::Acme, Side::Globex] {
        let tenant = &tenants[side as usize];
        let canary = tenant.canary.as_bytes();
        for Exchange {
            reader,
            request,
            response,
        } in &exchanges
        {
            let is_here = holds(response, canary);
            controls += usize::from(is_here);
            origins += usize::from(is_here && holds(response, b",ChromeOS,CN,"));
            check_traces(tenant, response, &"a response")?;
            // A refusal may name the id that was in the request.
            let event = &tenant.ids.event;
            let is_named = request.path.contains(event) || request.body.contains(event);
            let has_event = !is_named && holds(response, event.as_bytes());
            ensure!(
                !(is_here || has_event) || *reader == Some(side),
                "{reader:?} was sent something of {}: {}",
                tenant.name,
                String::from_utf8_lossy(response)
            );
        }
        check_files(&files, side, tenant)?;
        for (what, text) in [
            ("the metrics", metrics.as_ref()),
            ("the log", log.as_slice()),
        ] {
            check_written(tenant, what, text)?;
        }
    }
    let control = controls > 50 && holds(&log, b"/api/v1/events/{id}");
    let control = Control::noticed(
        control,
        "an organisation's own texts, and its requests in the log",
    )?;
    let control = control.and(Control::noticed(
        origins >= 2,
        "systems and regions in reports",
    )?);
    check_secrets(&files, tenants.iter().flat_map(Tenant::secrets))?;
    let written: [&[u8]; 2] = [&metrics, &log];
    check_page_secrets(&files, &written, &page_secrets)?;
    check_viewer_tokens(&files, &exchanges, &written, &viewer_tokens)?;
    check_viewer_secrets(&files, &written, &tenants)?;
    Ok((exchanges.len() + files.len() + 2, control))
}

/// The metrics and the log hold nothing of an organisation but its name.
fn check_written(tenant: &Tenant, what: &str, text: &[u8]) -> anyhow::Result<()> {
    ensure!(
        !holds(text, tenant.canary.as_bytes()),
        "{what} hold a text of {}",
        tenant.name
    );
    check_traces(tenant, text, &what)?;
    for secret in tenant.secrets() {
        ensure!(!holds(text, secret.as_bytes()), "{what} hold a token");
    }
    ensure!(
        !holds(text, signature(&tenant.ids.link)),
        "{what} hold a link's signature"
    );
    Ok(())
}

/// No address and no user agent of a viewer is kept or told.
fn check_traces(tenant: &Tenant, bytes: &[u8], place: &dyn Display) -> anyhow::Result<()> {
    for trace in tenant.traces() {
        let trace_text = String::from_utf8_lossy(trace);
        ensure!(!holds(bytes, trace), "{place} holds {trace_text}");
    }
    Ok(())
}

/// The report files of an organisation hold its own texts and none of the other's. No file holds an
/// address or a user agent.
fn check_files(files: &[(PathBuf, Vec<u8>)], side: Side, tenant: &Tenant) -> anyhow::Result<()> {
    for (path, bytes) in files {
        check_traces(tenant, bytes, &path.display())?;
    }
    let canary = tenant.canary.as_bytes();
    let folder = Path::new("store/reports").join(tenant.name);
    let mut own = 0;
    for (path, bytes) in files
        .iter()
        .filter(|(path, _)| path.starts_with("store/reports"))
    {
        let is_here = holds(bytes, canary);
        ensure!(
            !is_here || path.starts_with(&folder),
            "{} holds a text of {side:?}",
            path.display()
        );
        own += usize::from(is_here);
    }
    ensure!(own > 10, "only {own} files of {side:?} hold its own texts");
    Ok(())
}

/// Tokens are stored as hashes: no file holds the random part of one.
fn check_secrets<'a>(
    files: &[(PathBuf, Vec<u8>)],
    secrets: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    for secret in secrets {
        let random = &secret.as_bytes()[3..33];
        for (path, bytes) in files {
            ensure!(!holds(bytes, random), "{} holds a token", path.display());
        }
    }
    let database = files
        .iter()
        .find(|(path, _)| path == Path::new("meta.sqlite"));
    let (_, database) = database.context("find meta.sqlite")?;
    ensure!(
        holds(database, b"collect"),
        "the search does not find the scopes of tokens in the database"
    );
    Ok(())
}

/// No file, response, log or metric holds the payload or the signature of a viewer token.
fn check_viewer_tokens(
    files: &[(PathBuf, Vec<u8>)],
    exchanges: &[Exchange],
    written: &[&[u8]],
    tokens: &[String],
) -> anyhow::Result<()> {
    ensure!(!tokens.is_empty(), "no viewer token was sent");
    let texts = files
        .iter()
        .map(|(_, bytes)| bytes.as_slice())
        .chain(exchanges.iter().map(|it| it.response.as_slice()))
        .chain(written.iter().copied());
    for text in texts {
        for part in tokens.iter().flat_map(|token| token.split('.').skip(1)) {
            ensure!(
                !holds(text, part.as_bytes()),
                "a part of a viewer token was kept: {}",
                String::from_utf8_lossy(&text[..text.len().min(300)])
            );
        }
    }
    Ok(())
}

/// No file, log or metric holds the secret of a session, an invitation or a share link.
fn check_page_secrets(
    files: &[(PathBuf, Vec<u8>)],
    written: &[&[u8]],
    secrets: &[String],
) -> anyhow::Result<()> {
    ensure!(secrets.len() > 10, "hardly any secret of a page was made");
    let files = files.iter().map(|(_, bytes)| bytes.as_slice());
    for text in files.chain(written.iter().copied()) {
        for secret in secrets {
            ensure!(
                !holds(text, secret.as_bytes()),
                "the secret of a session, an invitation or a share link was kept"
            );
        }
    }
    Ok(())
}

/// Only the database holds the secrets of viewer tokens.
fn check_viewer_secrets(
    files: &[(PathBuf, Vec<u8>)],
    written: &[&[u8]],
    tenants: &[Tenant],
) -> anyhow::Result<()> {
    for tenant in tenants {
        let secret = tenant.viewer_secret.as_bytes();
        let holders = files.iter().filter(|(_, bytes)| holds(bytes, secret));
        let holders: Vec<_> = holders.map(|(path, _)| path.as_path()).collect();
        ensure!(
            holders == [Path::new("meta.sqlite")],
            "{holders:?} hold a viewer secret"
        );
        ensure!(
            !written.iter().any(|text| holds(text, secret)),
            "the log or the metrics hold a viewer secret"
        );
    }
    Ok(())
}

/// The secret part of a link.
fn signature(link: &str) -> &[u8] {
    link.split('/').nth(4).unwrap_or(link).as_bytes()
}

fn holds(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
