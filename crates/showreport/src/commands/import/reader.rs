//! From files to groups of records: one thread reads blocks, the others make records of them.
//!
//! Facts are sets, so the order in which the blocks are done is of no matter.

use std::io;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;
use serde_json::Value;
use showreport_model::{Clock, EventId};
use showreport_records::{Block, Content, decode_record, lines, without_bom};

use super::content::open;
use super::gather::{Closed, Gatherer, Sorted};
use super::outcome::Outcome;
use super::source::Source;

/// How lines become records.
pub(super) struct Reader {
    /// The event of records that name none.
    pub(super) event: Option<EventId>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A block on its way to a thread.
struct Work {
    file: usize,
    block: Block,
    /// Counted over all files.
    number: usize,
}

impl Reader {
    /// Reads all files. Ends early, without an error, once nobody takes the records.
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
            let make = |_| {
                let queue = Arc::clone(&queue);
                scope.spawn(move || self.make_records(&queue, gatherer))
            };
            let threads: Vec<_> = (0..threads).map(make).collect();
            // When the threads end, nobody may be left to wait for.
            drop(queue);
            let read = read_blocks(sources, &work, bar);
            drop(work);
            let mut outcome = Outcome::default();
            for thread in threads {
                outcome.add(thread.join().map_err(|_| anyhow!("a thread panicked"))?);
            }
            read.map(|()| outcome)
        })?;
        // Whoever took the groups says why it does so no more.
        let _ = gatherer.finish();
        Ok(outcome)
    }

    fn make_records(&self, queue: &Mutex<Receiver<Work>>, gatherer: &Gatherer) -> Outcome {
        let mut outcome = Outcome::default();
        loop {
            let next = queue.lock().expect("receiving cannot panic").recv();
            let Ok(work) = next else {
                return outcome;
            };
            match self.make_block(&work, gatherer) {
                Ok(block) => outcome.add(block),
                Err(Closed) => return outcome,
            }
        }
    }

    fn make_block(&self, work: &Work, gatherer: &Gatherer) -> Result<Outcome, Closed> {
        let mut outcome = Outcome::default();
        let (file, first) = (work.file, work.block.first_line);
        let text = match &work.block.content {
            Content::Lines(text) => text,
            Content::Rejected(reason, message) => {
                outcome.reject(file, first, format!("{reason}: {message}"));
                return Ok(outcome);
            }
        };
        let now = self.clock.now();
        let mut sorted = Sorted::of_block(work.number);
        // Records borrow their texts, so the lines that were completed must stay.
        let completed = self.completed(text);
        let text = completed.as_deref().unwrap_or(text);
        for (line, text) in (first..).zip(lines(text)) {
            let text = record_of(text);
            if text.is_empty() {
                continue;
            }
            match decode_record(text, line, now) {
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

    /// The lines with the event in those that name none, if one is given.
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

/// The line without spaces around it, and without the byte-order mark of a file that was joined to others.
fn record_of(line: &[u8]) -> &[u8] {
    without_bom(line.trim_ascii()).trim_ascii()
}

/// Gives out the blocks of all files, until nobody takes them.
fn read_blocks(
    sources: Vec<Source>,
    work: &SyncSender<Work>,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut number = 0;
    for (file, source) in sources.into_iter().enumerate() {
        let name = source.name().display().to_string();
        bar.set_message(name.clone());
        let give_out = || -> io::Result<bool> {
            let (format, packing) = (source.format, source.packing);
            let blocks = open(bar.wrap_read(source.input()), format, packing)?;
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
        if !give_out().with_context(|| format!("read {name}"))? {
            return Ok(());
        }
    }
    Ok(())
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
}
