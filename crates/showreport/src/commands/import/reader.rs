//! From files to groups of records: one thread reads blocks, the others decode them.
//!
//! Facts are sets, so blocks may be decoded in any order.

use std::io;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, anyhow};
use indicatif::ProgressBar;
use serde_json::Value;
use showreport_model::{Clock, EventId};
use showreport_origins::Origins;
use showreport_records::{Block, Content, Context, Verifier, decode_record, lines, without_bom};

use super::content::open;
use super::gather::{Closed, Gatherer, Sorted};
use super::outcome::Outcome;
use super::source::Source;

/// Decodes files.
pub(super) struct Reader {
    /// The event of records without `event_id`.
    pub(super) event: Option<EventId>,
    pub(super) viewer_tokens: Arc<Verifier>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) origins: Origins,
}

/// A block on its way to a thread.
struct Work {
    file: usize,
    block: Block,
    /// Counted from 0 over all files.
    number: usize,
}

impl Reader {
    /// Reads all files. Ends early and without an error when the loading has failed, which reports
    /// its own error.
    pub(super) fn read_all(
        &self,
        sources: Vec<Source>,
        gatherer: Gatherer,
        bar: &ProgressBar,
    ) -> anyhow::Result<Outcome> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let (work, queue) = sync_channel(threads);
        let queue = Arc::new(Mutex::new(queue));
        let outcome = thread::scope(|scope| {
            let gatherer = &gatherer;
            let start = |_| {
                let queue = Arc::clone(&queue);
                scope.spawn(move || self.decode_blocks(&queue, gatherer))
            };
            let threads: Vec<_> = (0..threads).map(start).collect();
            // Else sending a block would not fail when all threads have ended.
            drop(queue);
            let read = read_blocks(sources, &work, bar);
            drop(work);
            let mut outcome = Outcome::default();
            for thread in threads {
                outcome.add(thread.join().map_err(|_| anyhow!("a thread panicked"))?);
            }
            read.map(|()| outcome)
        })?;
        // Closed: the loading has failed and reports why.
        let _ = gatherer.finish();
        Ok(outcome)
    }

    fn decode_blocks(&self, queue: &Mutex<Receiver<Work>>, gatherer: &Gatherer) -> Outcome {
        let mut outcome = Outcome::default();
        loop {
            let next = queue.lock().expect("receiving cannot panic").recv();
            let Ok(work) = next else {
                return outcome;
            };
            match self.decode_block(&work, gatherer) {
                Ok(block) => outcome.add(block),
                Err(Closed) => return outcome,
            }
        }
    }

    fn decode_block(&self, work: &Work, gatherer: &Gatherer) -> Result<Outcome, Closed> {
        let mut outcome = Outcome::default();
        let (file, first) = (work.file, work.block.first_line);
        let text = match &work.block.content {
            Content::Lines(text) => text,
            Content::Rejected(reason, message) => {
                outcome.reject(file, first, format!("{reason}: {message}"));
                return Ok(outcome);
            }
        };
        let context = Context {
            viewer_tokens: self.viewer_tokens.clone(),
            ..Context::new(self.clock.now(), self.origins.clone())
        };
        let mut sorted = Sorted::of_block(work.number);
        // Records borrow from this text.
        let completed = self.completed(text);
        let text = completed.as_deref().unwrap_or(text);
        for (line, text) in (first..).zip(lines(text)) {
            let text = record_of(text);
            if text.is_empty() {
                continue;
            }
            match decode_record(text, line, &context) {
                Ok(record) => {
                    gatherer.sort(record, text.len(), &mut sorted);
                    outcome.accept(file);
                }
                Err(rejection) => {
                    let why = format!("{}: {}", rejection.reason, rejection.message);
                    outcome.reject(file, line, why);
                }
            }
        }
        gatherer.gather(sorted)?;
        Ok(outcome)
    }

    /// The lines with `--event` added to records without an event; `None` if the option is not
    /// given.
    fn completed(&self, text: &[u8]) -> Option<Vec<u8>> {
        let event = self.event.as_ref()?;
        let mut completed = Vec::with_capacity(text.len());
        for line in lines(text) {
            match with_event(record_of(line), event) {
                Some(line) => completed.extend(line),
                None => completed.extend(line),
            }
            completed.push(b'\n');
        }
        Some(completed)
    }
}

/// The line without white space around it, and without the byte-order mark of a joined file.
fn record_of(line: &[u8]) -> &[u8] {
    without_bom(line.trim_ascii()).trim_ascii()
}

/// Sends the blocks of all files, until the threads have ended.
fn read_blocks(
    sources: Vec<Source>,
    work: &SyncSender<Work>,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut number = 0;
    for (file, source) in sources.into_iter().enumerate() {
        let name = source.name().display().to_string();
        bar.set_message(name.clone());
        let send_blocks = || -> io::Result<bool> {
            let (format, compression) = (source.format, source.compression);
            let blocks = open(bar.wrap_read(source.input()), format, compression)?;
            for block in blocks {
                let next = Work {
                    file,
                    block: block?,
                    number,
                };
                number += 1;
                if work.send(next).is_err() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        if !send_blocks().with_context(|| format!("read {name}"))? {
            return Ok(());
        }
    }
    Ok(())
}

/// The record with the event; `None` if the record has an event or is no JSON object.
fn with_event(line: &[u8], event: &EventId) -> Option<Vec<u8>> {
    let mut record: Value = serde_json::from_slice(line).ok()?;
    let fields = record.as_object_mut()?;
    let has_no_event = match fields.get("event_id") {
        None | Some(Value::Null) => true,
        Some(Value::String(id)) => id.is_empty(),
        Some(_) => false,
    };
    if !has_no_event {
        return None;
    }
    fields.insert("event_id".to_owned(), Value::from(event.as_str()));
    Some(record.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_without_an_event_gets_one() {
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
}
