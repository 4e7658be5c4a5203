//! Whatever anybody was told, and whatever lies about, is searched for what belongs to somebody else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::stage::{Side, Stage, Tenant, Told};
use showreport_testkit::files_below;

/// Ends the server and searches everything; how many places that were.
pub(super) fn search(stage: Stage) -> anyhow::Result<usize> {
    let metrics = stage.server.get("/metrics")?.body;
    let log = stage.log()?;
    let Stage {
        product,
        server,
        tenants,
        told,
        ..
    } = stage;
    server.stop()?;
    let mut files = Vec::new();
    for path in files_below(&product.data_dir)? {
        let bytes = fs::read(product.data_dir.join(&path))?;
        files.push((path, bytes));
    }
    let mut controls = 0;
    for side in [Side::Acme, Side::Globex] {
        let tenant = &tenants[side as usize];
        let canary = tenant.canary.as_bytes();
        for Told {
            reader,
            question,
            answer,
        } in &told
        {
            let is_here = holds(answer, canary);
            controls += usize::from(is_here);
            // An id that somebody asks for by chance may be named in a refusal.
            let event = &tenant.ids.event;
            let is_named = question.path.contains(event) || question.body.contains(event);
            let has_event = !is_named && holds(answer, event.as_bytes());
            ensure!(
                !(is_here || has_event) || *reader == Some(side),
                "{reader:?} was told of {}: {}",
                tenant.name,
                String::from_utf8_lossy(answer)
            );
        }
        check_files(&files, side, tenant.name, canary)?;
        for (what, text) in [("the metrics", &metrics), ("the log", &log)] {
            ensure!(
                !holds(text, canary),
                "{what} hold a text of {}",
                tenant.name
            );
            for secret in tenant.secrets() {
                ensure!(!holds(text, secret.as_bytes()), "{what} hold a token");
            }
            ensure!(
                !holds(text, signature(&tenant.ids.link)),
                "{what} hold a link's signature"
            );
        }
    }
    // The control: the search finds what must be there.
    ensure!(
        controls > 50,
        "only {controls} answers hold the canary of their own organisation"
    );
    ensure!(
        holds(&log, b"/api/v1/events/{id}"),
        "the log says nothing of what was asked"
    );
    check_secrets(&files, tenants.iter().flat_map(Tenant::secrets))?;
    Ok(told.len() + files.len() + 2)
}

/// The files of an organisation's reports hold its own texts and nothing of the other's.
fn check_files(
    files: &[(PathBuf, Vec<u8>)],
    side: Side,
    name: &str,
    canary: &[u8],
) -> anyhow::Result<()> {
    let folder = Path::new("store/reports").join(name);
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

/// Tokens are kept as hashes: none lies in any file, nor does the random part of one.
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
        "the search does not see what the database says of tokens"
    );
    Ok(())
}

/// The part of a link that nobody can guess.
fn signature(link: &str) -> &[u8] {
    link.split('/').nth(4).unwrap_or(link).as_bytes()
}

fn holds(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
