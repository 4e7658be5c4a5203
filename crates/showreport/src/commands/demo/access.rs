//! What the demo keeps beside its data: its token, and which shows it has sent.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use showreport_meta::{Meta, Scope, Scopes, private};
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{ErrorKind, Failure, OrgId, Timestamp, Zone};

use crate::simulation::Show;
use crate::wiring::DataDir;

/// The organisation of the demo.
pub(super) const ORG: &str = "demo";

/// Where the token lies.
pub(super) fn token_path(directory: &DataDir) -> PathBuf {
    directory.path().join("demo.token")
}

/// The token of the last run while it opens the doors, else a new one.
pub(super) async fn demo_token(meta: &Meta, directory: &DataDir) -> anyhow::Result<String> {
    let org = OrgId::new(ORG).expect("a literal of the right form");
    match meta.create_org(&org, &Zone::utc()).await {
        Err(error) if error.kind() != ErrorKind::Conflict => {
            return Err(error).context("make the organisation of the demo");
        }
        Ok(()) | Err(_) => {}
    }
    let path = token_path(directory);
    if let Ok(kept) = fs::read_to_string(&path) {
        let kept = kept.trim();
        if let Ok(access) = meta.authenticate(kept).await
            && access.org == org
            && [Scope::Collect, Scope::Report]
                .iter()
                .all(|&scope| access.scopes.allows(scope))
        {
            return Ok(kept.to_owned());
        }
    }
    let scopes = Scopes::from(Scope::Collect).union(&Scope::Report.into());
    let (_, secret) = meta
        .create_token(&org, scopes, None)
        .await
        .context("make a token for the demo")?;
    write_private(&path, secret.expose())
        .with_context(|| format!("write the token to {}", path.display()))?;
    Ok(secret.expose().to_owned())
}

/// Which shows were sent, so that each is the same when it is sent again, and reports that were made
/// before a show was there whole are not taken for reports of all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SentShows {
    /// When the shows of this directory start: on the day before its first run.
    starts_at: Timestamp,
    /// Since when a show is there whole, by its number of viewers.
    whole_since: BTreeMap<u32, Timestamp>,
}

/// When on its day a show starts.
const STARTS_AFTER_MS: i64 = 18 * 3_600_000;

impl SentShows {
    /// What was sent before. The first run of a directory chooses the day.
    pub(super) fn open(directory: &DataDir, now: Timestamp) -> anyhow::Result<Self> {
        let kept = fs::read(Self::path(directory)).ok();
        if let Some(shows) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(shows);
        }
        let yesterday = (now.as_millis() / MILLIS_PER_DAY - 1) * MILLIS_PER_DAY;
        let shows = Self {
            starts_at: Timestamp::from_millis(yesterday + STARTS_AFTER_MS)
                .context("find the day of the show")?,
            whole_since: BTreeMap::new(),
        };
        shows.write(directory)?;
        Ok(shows)
    }

    /// The show for so many viewers.
    pub(super) fn show(&self, viewers: u32) -> Show {
        Show::new(self.starts_at, viewers)
    }

    /// Whether the show was sent whole before.
    pub(super) fn has(&self, show: Show) -> bool {
        self.whole_since.contains_key(&show.viewers())
    }

    /// Notes that the show was sent whole, and says since when it is there.
    pub(super) fn finish(
        &mut self,
        directory: &DataDir,
        show: Show,
        now: Timestamp,
    ) -> anyhow::Result<Timestamp> {
        if let Some(&since) = self.whole_since.get(&show.viewers()) {
            return Ok(since);
        }
        self.whole_since.insert(show.viewers(), now);
        self.write(directory)?;
        Ok(now)
    }

    fn write(&self, directory: &DataDir) -> anyhow::Result<()> {
        let path = Self::path(directory);
        let text = serde_json::to_string(self).context("write down what was sent")?;
        write_private(&path, &text).with_context(|| format!("write {}", path.display()))
    }

    fn path(directory: &DataDir) -> PathBuf {
        directory.path().join("demo.json")
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    // One that a run left which was stopped may be readable by others.
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
    fn a_show_is_on_the_day_before_the_first_run_whenever_it_is_sent_again() {
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
    fn a_show_that_was_sent_before_changes_nothing() {
        let outside = tempfile::tempdir().expect("a temporary directory");
        let directory = DataDir::create(outside.path()).expect("made");
        let early = Timestamp::MIN.saturating_add_millis(MILLIS_PER_DAY);
        let late = early.saturating_add_millis(1);
        let send = |viewers, now| {
            let mut shows = SentShows::open(&directory, now).expect("read");
            let show = shows.show(viewers);
            let was_there = shows.has(show);
            let since = shows.finish(&directory, show, now).expect("noted");
            (was_there, since)
        };
        assert_eq!(send(2000, early), (false, early));
        assert_eq!(send(2000, late), (true, early));
        // Another number of viewers is another show.
        assert_eq!(send(100, late), (false, late));
        assert_eq!(send(2000, late), (true, early));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_token() {
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
