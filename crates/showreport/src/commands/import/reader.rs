//! From files to groups of records, on a thread of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use indicatif::ProgressBar;
use serde_json::Value;
use showreport_model::facts::{Collected, FactsBuilder};
use showreport_model::{Clock, EventId, OrgId, Timestamp};
use showreport_server::collect::parse_line;
use tokio::sync::mpsc;

use super::lines::{LINE_BYTES_MAX, Line, Lines};

/// Records that are checked before their batch is closed.
const PART_RECORDS: usize = 50_000;
/// Bytes of batches that are loaded in one go: few commits, bounded memory.
const GROUP_BYTES: usize = 96 << 20;
/// How many rejected lines are explained.
const EXPLAINED_MAX: usize = 10;

/// A file or stdin.
#[derive(Debug)]
pub(super) struct Source {
    name: PathBuf,
    /// The open file and its size; nothing for stdin.
    file: Option<(File, u64)>,
}

impl Source {
    pub(super) fn stdin() -> Self {
        Self {
            name: PathBuf::from("stdin"),
            file: None,
        }
    }

    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self {
            name: path.to_owned(),
            file: Some((file, size_bytes)),
        })
    }

    /// Its size, packed as it is; nothing where that is not known.
    pub(super) fn size_bytes(&self) -> Option<u64> {
        self.file.as_ref().map(|&(_, size_bytes)| size_bytes)
    }

    fn input(self) -> Box<dyn Read + Send> {
        match self.file {
            Some((file, _)) => Box::new(file),
            None => Box::new(io::stdin()),
        }
    }
}

/// What became of the lines.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// Why the first of them were rejected.
    explained: Vec<String>,
}

impl Outcome {
    /// Explains the first rejected lines on stderr.
    pub(super) fn explain(&self) {
        for line in &self.explained {
            eprintln!("{line}");
        }
        let silent = self.rejected - self.explained.len() as u64;
        if silent > 0 {
            eprintln!("… and {silent} more");
        }
    }

    fn reject(&mut self, file: &Path, index: usize, why: &str) {
        self.rejected += 1;
        if self.explained.len() < EXPLAINED_MAX {
            let line = index + 1;
            self.explained
                .push(format!("{}:{line}: {why}", file.display()));
        }
    }
}

/// Reads files and hands their records on in groups.
pub(super) struct Reader {
    /// The event of records that name none.
    event: Option<EventId>,
    clock: Arc<dyn Clock>,
    builder: FactsBuilder,
    group: Vec<Collected>,
    groups: mpsc::Sender<Vec<Collected>>,
    outcome: Outcome,
}

impl Reader {
    pub(super) fn new(
        org: OrgId,
        event: Option<EventId>,
        clock: Arc<dyn Clock>,
        groups: mpsc::Sender<Vec<Collected>>,
    ) -> Self {
        Self {
            event,
            clock,
            builder: FactsBuilder::new(org),
            group: Vec::new(),
            groups,
            outcome: Outcome::default(),
        }
    }

    /// Reads all files. Ends early, without an error, once nobody takes the groups.
    pub(super) fn read_all(
        mut self,
        sources: Vec<Source>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Outcome> {
        for source in sources {
            let name = source.name.clone();
            bar.set_message(name.display().to_string());
            let mut lines = Lines::open(bar.wrap_read(source.input()))
                .with_context(|| format!("read {}", name.display()))?;
            if !self
                .read(&mut lines, &name)
                .with_context(|| format!("read {}", name.display()))?
            {
                return Ok(self.outcome);
            }
        }
        self.close_part();
        self.send_group();
        Ok(self.outcome)
    }

    /// Reads a file; `false` once nobody takes the groups.
    fn read(&mut self, lines: &mut Lines, name: &Path) -> io::Result<bool> {
        let mut now = self.clock.now();
        let mut index = 0;
        while let Some(line) = lines.next()? {
            match line {
                Line::Whole(line) => {
                    // Editors of some systems put a mark at the beginning.
                    let mark: &[u8] = if index == 0 { b"\xef\xbb\xbf" } else { b"" };
                    let line = line.strip_prefix(mark).unwrap_or(line);
                    self.read_line(line, index, now, name);
                }
                Line::TooLong => {
                    let why = format!("the line is longer than {LINE_BYTES_MAX} bytes");
                    self.outcome.reject(name, index, &why);
                }
            }
            index += 1;
            if self.builder.records() >= PART_RECORDS {
                now = self.clock.now();
                self.close_part();
                if self
                    .group
                    .iter()
                    .map(|part| part.facts.memory_bytes())
                    .sum::<usize>()
                    >= GROUP_BYTES
                    && !self.send_group()
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn read_line(&mut self, line: &[u8], index: usize, now: Timestamp, name: &Path) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let completed = self
            .event
            .as_ref()
            .and_then(|event| with_event(line, event));
        match parse_line(completed.as_deref().unwrap_or(line), index, now) {
            Ok(record) => {
                self.builder.push(record);
                self.outcome.accepted += 1;
            }
            Err(rejected) => {
                let why = format!("{}: {}", rejected.reason, rejected.message);
                self.outcome.reject(name, index, &why);
            }
        }
    }

    fn close_part(&mut self) {
        if self.builder.records() > 0 {
            self.group.push(self.builder.finish());
        }
    }

    /// Hands the group on; `false` once nobody takes it.
    fn send_group(&mut self) -> bool {
        let group = std::mem::take(&mut self.group);
        group.is_empty() || self.groups.blocking_send(group).is_ok()
    }
}

/// The record with the event, if it is one that names none.
fn with_event(line: &[u8], event: &EventId) -> Option<Vec<u8>> {
    let mut record: Value = serde_json::from_slice(line).ok()?;
    let fields = record.as_object_mut()?;
    let names_none = match fields.get("event_id") {
        None | Some(Value::Null) => true,
        Some(Value::String(id)) => id.is_empty(),
        Some(_) => false,
    };
    if !names_none {
        return None;
    }
    fields.insert("event_id".to_owned(), Value::from(event.as_str()));
    Some(record.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_that_names_no_event_gets_one() {
        let event = EventId::new("keynote").expect("an id");
        let with = |line: &str| with_event(line.as_bytes(), &event);
        let wanted = br#"{"event_id":"keynote","type":"chat"}"#.to_vec();
        assert_eq!(with(r#"{"type":"chat"}"#), Some(wanted.clone()));
        assert_eq!(
            with(r#"{"type":"chat","event_id":null}"#),
            Some(wanted.clone())
        );
        assert_eq!(with(r#"{"type":"chat","event_id":""}"#), Some(wanted));
        assert_eq!(with(r#"{"event_id":"other"}"#), None);
        assert_eq!(with(r#"{"event_id":7}"#), None);
        assert_eq!(with("[1]"), None);
        assert_eq!(with("{"), None);
    }

    #[test]
    fn the_first_rejected_lines_are_explained_and_all_are_counted() {
        let mut outcome = Outcome::default();
        for index in 0..25 {
            outcome.reject(Path::new("a.ndjson"), index, "no JSON");
        }
        assert_eq!(outcome.rejected, 25);
        assert_eq!(outcome.explained.len(), 10);
        assert_eq!(outcome.explained[2], "a.ndjson:3: no JSON");
    }
}
