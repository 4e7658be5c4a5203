//! What the demo keeps in its data directory: its token, and the list of shows that it has sent.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use showreport_meta::{Meta, Scope, private};
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{ErrorKind, Failure, OrgId, Timestamp, Zone};

use crate::simulation::Show;
use crate::wiring::DataDir;

/// The organisation of the demo.
pub(super) const ORG: &str = "demo";

/// The file that holds the token.
pub(super) fn token_path(directory: &DataDir) -> PathBuf {
    directory.path().join("demo.token")
}

/// The token of the previous run if it is still valid, else a new one.
pub(super) async fn demo_token(meta: &Meta, directory: &DataDir) -> anyhow::Result<String> {
    let org = OrgId::new(ORG).expect("a valid literal");
    match meta.create_org(&org, &Zone::utc()).await {
        Err(error) if error.kind() != ErrorKind::Conflict => {
            return Err(error).context("create the organisation of the demo");
        }
        Ok(()) | Err(_) => {}
    }
    let path = token_path(directory);
    if let Ok(kept) = fs::read_to_string(&path) {
        let kept = kept.trim();
        if let Ok(access) = meta.authenticate(kept).await
            && access.org == org
            && access.scopes.allows(Scope::Admin)
        {
            return Ok(kept.to_owned());
        }
    }
    // The session of the demo's link has the rights of the token: it sees every page.
    let (_, secret) = meta
        .create_token(&org, Scope::Admin.into(), None)
        .await
        .context("create a token for the demo")?;
    write_private(&path, secret.expose())
        .with_context(|| format!("write the token to {}", path.display()))?;
    Ok(secret.expose().to_owned())
}

/// A link that opens a page signed in, once.
pub(super) async fn sign_in_link(
    meta: &Meta,
    base_url: &str,
    token: &str,
    page: &str,
) -> anyhow::Result<String> {
    let secret = meta.create_sign_in_link(token, MILLIS_PER_DAY).await;
    let secret = secret.context("create a link for signing in")?;
    Ok(format!(
        "{base_url}/sign-in/{}?next={page}",
        secret.expose()
    ))
}

/// The shows that were sent.
///
/// The stored start makes a show the same when it is sent again. Reports that were requested before
/// a show was sent completely lack a part of it, so they are not used by later runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SentShows {
    /// The start of every show of the directory, on the day before its first run.
    starts_at: Timestamp,
    /// When the server had accepted a show completely, by number of viewers. Lists of older
    /// programs lack it: the recordings of their shows had another id.
    #[serde(default)]
    complete_since: BTreeMap<u32, Timestamp>,
}

/// Time of day at which a show starts, in UTC.
const STARTS_AFTER_MS: i64 = 18 * 3_600_000;

impl SentShows {
    /// Reads the list. The first run in a directory chooses the day of its shows.
    pub(super) fn open(directory: &DataDir, now: Timestamp) -> anyhow::Result<Self> {
        let kept = fs::read(Self::path(directory)).ok();
        if let Some(shows) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(shows);
        }
        let yesterday = (now.as_millis() / MILLIS_PER_DAY - 1) * MILLIS_PER_DAY;
        let shows = Self {
            starts_at: Timestamp::from_millis(yesterday + STARTS_AFTER_MS)
                .context("choose the day of the show")?,
            complete_since: BTreeMap::new(),
        };
        shows.write(directory)?;
        Ok(shows)
    }

    /// The show with this number of viewers.
    pub(super) fn show(&self, viewers: u32) -> Show {
        Show::new(self.starts_at, viewers)
    }

    /// Whether an earlier run sent the show completely.
    pub(super) fn has(&self, show: Show) -> bool {
        self.complete_since.contains_key(&show.viewers())
    }

    /// Stores that the show was sent completely, and returns when that was first the case.
    pub(super) fn finish(
        &mut self,
        directory: &DataDir,
        show: Show,
        now: Timestamp,
    ) -> anyhow::Result<Timestamp> {
        if let Some(&since) = self.complete_since.get(&show.viewers()) {
            return Ok(since);
        }
        self.complete_since.insert(show.viewers(), now);
        self.write(directory)?;
        Ok(now)
    }

    fn write(&self, directory: &DataDir) -> anyhow::Result<()> {
        let path = Self::path(directory);
        let text = serde_json::to_string(self).context("serialize the sent shows")?;
        write_private(&path, &text).with_context(|| format!("write {}", path.display()))
    }

    fn path(directory: &DataDir) -> PathBuf {
        directory.path().join("demo.json")
    }
}

/// Replaces a file with one that only its owner can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    // A file that a killed run left may have other permissions, which reopening would keep.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = private::options();
    let mut file = options.write(true).create_new(true).open(&new)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_show_stays_on_the_day_before_the_first_run() {
        let outside = tempfile::tempdir().expect("a temporary directory");
        let directory = DataDir::create(outside.path()).expect("made");
        let at = |time: &str| time.parse::<Timestamp>().expect("a time");
        let show = |now| {
            let shows = SentShows::open(&directory, at(now)).expect("read");
            shows.show(20)
        };
        let first = show("2026-03-01T00:00:00Z");
        assert_eq!(first, Show::new(at("2026-02-28T18:00:00Z"), 20));
        assert_eq!(show("2026-03-09T12:00:00Z"), first);
    }

    #[test]
    fn sending_a_show_again_keeps_the_time_at_which_it_was_complete() {
        let outside = tempfile::tempdir().expect("a temporary directory");
        let directory = DataDir::create(outside.path()).expect("made");
        let early = Timestamp::MIN.saturating_add_millis(MILLIS_PER_DAY);
        let late = early.saturating_add_millis(1);
        let send = |viewers, now| {
            let mut shows = SentShows::open(&directory, now).expect("read");
            let show = shows.show(viewers);
            let is_repeated = shows.has(show);
            let since = shows.finish(&directory, show, now).expect("stored");
            (is_repeated, since)
        };
        assert_eq!(send(2000, early), (false, early));
        assert_eq!(send(2000, late), (true, early));
        // Another number of viewers is another show.
        assert_eq!(send(100, late), (false, late));
        assert_eq!(send(2000, late), (true, early));
    }

    #[test]
    fn a_show_that_an_older_program_sent_stays_on_its_day_and_is_sent_again() {
        let outside = tempfile::tempdir().expect("a temporary directory");
        let directory = DataDir::create(outside.path()).expect("made");
        let older = r#"{"starts_at":1772301600000,"whole_since":{"20":1772400000000}}"#;
        fs::write(SentShows::path(&directory), older).expect("written");
        let shows = SentShows::open(&directory, Timestamp::MAX).expect("read");
        let show = shows.show(20);
        assert_eq!(
            (show.day().as_str(), shows.has(show)),
            ("2026-02-28", false)
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_token() {
        use std::os::unix::fs::PermissionsExt;
        let outside = tempfile::tempdir().expect("a temporary directory");
        let path = outside.path().join("demo.token");
        fs::write(&path, "readable by all").expect("written");
        write_private(&path, "secret").expect("written");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).expect("there"), "secret\n");
    }
}
