//! What the demo keeps beside its data: its token, and which shows it has sent.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use showreport_meta::{Meta, Scope, Scopes, private};
use showreport_model::{ErrorKind, Failure, OrgId, Timestamp, Zone};

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

/// Which shows were sent whole, so that reports made before the last of them are not taken for
/// reports of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SentShows {
    /// By their numbers of viewers.
    viewers: Vec<u32>,
    /// Since when all of them are there; nothing while another one is being sent.
    since: Option<Timestamp>,
}

impl SentShows {
    /// Notes that a show is going to be sent.
    pub(super) fn begin(directory: &DataDir, viewers: u32) -> anyhow::Result<Self> {
        // Where nothing can be read, nothing is known to be there.
        let mut shows: Self = fs::read(Self::path(directory))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        if !shows.viewers.contains(&viewers) {
            shows.since = None;
            shows.write(directory)?;
        }
        Ok(shows)
    }

    /// Notes that the show was sent whole, and says since when all shows are there.
    pub(super) fn finish(
        mut self,
        directory: &DataDir,
        viewers: u32,
        now: Timestamp,
    ) -> anyhow::Result<Timestamp> {
        if let Some(since) = self.since {
            return Ok(since);
        }
        if !self.viewers.contains(&viewers) {
            self.viewers.push(viewers);
        }
        self.since = Some(now);
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

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // A file that is there already may be readable by others.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = private::options();
    let mut file = options.write(true).create_new(true).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_show_that_was_sent_before_changes_nothing() {
        let outside = tempfile::tempdir().expect("a temporary directory");
        let directory = DataDir::create(outside.path()).expect("made");
        let early = Timestamp::MIN;
        let late = early.saturating_add_millis(1);
        let begin = |viewers| SentShows::begin(&directory, viewers).expect("noted");
        let send = |viewers, now| {
            let shows = begin(viewers);
            shows.finish(&directory, viewers, now).expect("noted")
        };
        assert_eq!(send(2000, early), early);
        assert_eq!(send(2000, late), early);
        assert_eq!(send(100, late), late);
        assert_eq!(send(2000, early), late);
        // One that is interrupted has left something all the same.
        drop(begin(300));
        assert_eq!(send(2000, early), early);
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
