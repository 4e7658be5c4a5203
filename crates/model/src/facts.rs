//! Facts as columns: the batches that collecting fills, the journal keeps and
//! the lake stores.
//!
//! One table for each kind of fact. Records of what an event is are no facts
//! of a table: they go to the registry.

mod rows;
mod spans;
mod registrations;
mod merger;
mod deletion;
mod earliest;
mod batches;
mod watched;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    BooleanBuilder, ListBuilder, RecordBatch, StringBuilder, StructBuilder,
    TimestampMillisecondBuilder,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::ids::{CustomerId, DeviceId, EventId, OrgId, VoteId};
use crate::record::{Beat, ChatRecord, PollRecord, Record, Role, VoteRecord, named};
use crate::time::Timestamp;
pub use batches::Batches;
pub use deletion::NEVER_SENT_MS;
pub use merger::FactsMerger;
pub use registrations::Registrations;
use rows::{Columns, Rows};
use spans::SpansBuilder;

named! {
    /// A kind of fact, which is a table of the lake.
    Table {
        /// When which view was playing.
        Spans = "spans",
        /// Versions of chat messages.
        Chat = "chat",
        /// Versions of polls.
        Polls = "polls",
        /// Votes.
        Votes = "votes",
    }
}

impl Table {
    /// The columns, in order. Times are milliseconds UTC.
    pub fn schema(self) -> SchemaRef {
        SCHEMAS[self as usize].clone()
    }
}

/// The type of every time.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The name of a list's inner field, as Delta Lake writes it.
const ELEMENT: &str = "element";

fn option_fields() -> Fields {
    Fields::from(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("correct", DataType::Boolean, false),
    ])
}

fn list_of(item: DataType) -> DataType {
    DataType::List(list_item(item))
}

fn list_item(item: DataType) -> FieldRef {
    Arc::new(Field::new(ELEMENT, item, false))
}

static SCHEMAS: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let maybe = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = |name: &str| Field::new(name, time_type(), false);
    let maybe_time = |name: &str| Field::new(name, time_type(), true);
    let schema = |fields: Vec<Field>| Arc::new(Schema::new(fields));
    [
        schema(vec![
            text("org"),
            text("event_id"),
            text("playback_id"),
            time("from_time"),
            time("to_time"),
            maybe("customer_id"),
            maybe("device_id"),
            maybe("device_os"),
            maybe("geo_region"),
        ]),
        schema(vec![
            text("org"),
            text("event_id"),
            text("message_id"),
            time("sent_at"),
            time("updated_at"),
            Field::new("deleted", DataType::Boolean, false),
            text("text"),
            maybe("name"),
            maybe("role"),
            maybe("customer_id"),
            maybe("device_id"),
        ]),
        schema(vec![
            text("org"),
            text("event_id"),
            text("poll_id"),
            maybe_time("updated_at"),
            text("question"),
            text("choice"),
            text("status"),
            maybe_time("started_at"),
            maybe_time("ended_at"),
            Field::new("options", list_of(DataType::Struct(option_fields())), false),
            text("record"),
        ]),
        schema(vec![
            text("org"),
            text("event_id"),
            text("poll_id"),
            time("voted_at"),
            maybe("vote_id"),
            Field::new("option_ids", list_of(DataType::Utf8), false),
            maybe("customer_id"),
            maybe("device_id"),
            maybe("name"),
        ]),
    ]
});

/// Most of what comes at a time is of one kind, and nothing of the others.
static NOTHING: LazyLock<[RecordBatch; 4]> =
    LazyLock::new(|| SCHEMAS.clone().map(RecordBatch::new_empty));

/// A batch for each table.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    batches: [RecordBatch; 4],
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            batches: NOTHING.clone(),
        }
    }
}

impl Facts {
    /// The rows of a table.
    pub fn batch(&self, table: Table) -> &RecordBatch {
        &self.batches[table as usize]
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.batches
            .iter()
            .map(RecordBatch::get_array_memory_size)
            .sum()
    }

    /// Bytes of a table's rows, those of buffers that they share with others left out.
    pub fn table_bytes(&self, table: Table) -> usize {
        rows::slice_bytes(self.batch(table))
    }

    /// All rows of all parts.
    pub fn concat(parts: &[Self]) -> Self {
        let batches = std::array::from_fn(|table| {
            let parts = parts.iter().map(|part| &part.batches[table]);
            let parts = parts.filter(|part| part.num_rows() > 0);
            concat_batches(&SCHEMAS[table], parts).expect("the schemas are the same")
        });
        Self { batches }
    }

    /// As bytes: for each table that has rows its number, a length (32 bits,
    /// little-endian) and an Arrow IPC stream.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (table, batch) in self.batches.iter().enumerate() {
            if batch.num_rows() == 0 {
                continue;
            }
            let stream = ipc_stream(batch).expect("writing to memory cannot fail");
            let length = u32::try_from(stream.len()).expect("a group is far below 4 GiB");
            bytes.push(u8::try_from(table).expect("four tables"));
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&stream);
        }
        bytes
    }

    /// The facts that [`Facts::encode`] gave.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, ArrowError> {
        let broken = || ArrowError::IpcError("the journal row is cut short".to_owned());
        let mut facts = Self::default();
        while let Some((&table, rest)) = bytes.split_first() {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (stream, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
            let batch = facts
                .batches
                .get_mut(usize::from(table))
                .ok_or_else(broken)?;
            let reader = StreamReader::try_new(Cursor::new(stream), None)?;
            let read = reader.collect::<Result<Vec<_>, _>>()?;
            *batch = concat_batches(&batch.schema(), &read)?;
            bytes = rest;
        }
        Ok(facts)
    }
}

fn ipc_stream(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    writer.into_inner()
}

/// What one organisation sent in one go, checked and ready to be kept.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// Rows for the tables.
    pub facts: Facts,
    /// What events are.
    pub registrations: Registrations,
    /// Every event that a row is about.
    pub touched: BTreeSet<EventId>,
    /// How many records there were.
    pub records: usize,
}

/// Fills the batches from one organisation's records.
#[derive(Debug)]
pub struct FactsBuilder {
    org: OrgId,
    spans: SpansBuilder,
    chat: Rows<ChatBuilder>,
    polls: Rows<PollsBuilder>,
    votes: Rows<VotesBuilder>,
    registrations: Registrations,
    touched: BTreeSet<EventId>,
    /// Memory of `touched`.
    touched_bytes: usize,
    last_touched: Option<EventId>,
    records: usize,
}

impl FactsBuilder {
    /// For the records of one organisation.
    pub fn new(org: OrgId) -> Self {
        Self {
            org,
            spans: SpansBuilder::default(),
            chat: Rows::default(),
            polls: Rows::default(),
            votes: Rows::default(),
            registrations: Registrations::default(),
            touched: BTreeSet::new(),
            touched_bytes: 0,
            last_touched: None,
            records: 0,
        }
    }

    /// Adds a playback record. Tells whether it became a row; else one of its view grew by it.
    pub fn push_beat(&mut self, beat: &Beat<'_>) -> bool {
        self.records += 1;
        self.touch(beat.event);
        self.spans.push(beat)
    }

    /// Adds a record. Tells whether it became a row.
    pub fn push(&mut self, record: Record) -> bool {
        self.records += 1;
        if !matches!(record, Record::Event(_)) {
            self.touch(record.event().as_str());
        }
        let org = self.org.as_str();
        match record {
            Record::Event(record) => self.registrations.push(record),
            Record::Playback(record) => return self.spans.push(&record.beat()),
            Record::Chat(record) => self.chat.building().push(org, &record),
            Record::ChatDeletion(record) => self.chat.building().push_deletion(org, &record),
            Record::Poll(record) => self.polls.building().push(org, &record),
            Record::Vote(record) => self.votes.building().push(org, &record),
        }
        true
    }

    fn touch(&mut self, event: &str) {
        // Neighbours are nearly always about the same event.
        if self.last_touched.as_ref().map(EventId::as_str) != Some(event) {
            let event = EventId::new(event).expect("the event of a record was checked");
            if self.touched.insert(event.clone()) {
                self.touched_bytes += TOUCHED_BYTES + event.as_str().len();
            }
            self.last_touched = Some(event);
        }
    }

    /// Adds rows of a table, as they are in its batches.
    fn add_rows(&mut self, table: Table, rows: RecordBatch) {
        match table {
            Table::Spans => self.spans.add(&rows),
            Table::Chat => self.chat.add(rows),
            Table::Polls => self.polls.add(rows),
            Table::Votes => self.votes.add(rows),
        }
    }

    /// Adds what the same organisation sent elsewhere, and leaves it there.
    pub fn absorb(&mut self, other: &mut Self) {
        debug_assert_eq!(self.org, other.org, "facts of one organisation");
        self.spans.absorb(&other.spans);
        self.chat.absorb(&mut other.chat);
        self.polls.absorb(&mut other.polls);
        self.votes.absorb(&mut other.votes);
        self.registrations.absorb(&other.registrations);
        self.touched.extend(other.touched.iter().cloned());
        self.touched_bytes += other.touched_bytes;
        self.records += other.records;
    }

    /// Whose facts they are.
    pub const fn org(&self) -> &OrgId {
        &self.org
    }

    /// About how many bytes they are in memory.
    pub fn memory_bytes(&mut self) -> usize {
        let seldom = self.chat.memory_bytes() + self.polls.memory_bytes();
        let events = self.registrations.memory_bytes() + self.touched_bytes;
        self.spans.memory_bytes() + seldom + self.votes.memory_bytes() + events
    }

    /// How many events are registered or have rows; one that is both counts twice.
    pub fn events(&self) -> usize {
        self.registrations.len() + self.touched.len()
    }

    /// How many events are registered.
    pub fn registered(&self) -> usize {
        self.registrations.len()
    }

    /// Records added since the last [`FactsBuilder::finish`].
    pub const fn records(&self) -> usize {
        self.records
    }

    /// What was added, leaving the builder empty.
    pub fn finish(&mut self) -> Collected {
        self.last_touched = None;
        self.touched_bytes = 0;
        let [no_spans, no_chat, no_polls, no_votes] = &*NOTHING;
        let spans = self.spans.finish(&self.org);
        let batches = [
            spans.unwrap_or_else(|| no_spans.clone()),
            self.chat.finish(no_chat),
            self.polls.finish(no_polls),
            self.votes.finish(no_votes),
        ];
        Collected {
            facts: Facts { batches },
            registrations: std::mem::take(&mut self.registrations),
            touched: std::mem::take(&mut self.touched),
            records: std::mem::take(&mut self.records),
        }
    }
}

/// Memory of an event in a set, beside its text.
const TOUCHED_BYTES: usize = 2 * size_of::<EventId>() + 16;

/// Defines the columns of a table once: how each is built and what it takes of a record.
macro_rules! columns {
    ($builder:ident of $table:ident from $record:ty: $($column:ident: $kind:ty = $make:expr, |$it:ident, $fact:ident| $append:expr;)*) => {
        #[derive(Debug)]
        struct $builder { org: StringBuilder, event: StringBuilder, $($column: $kind,)* }

        impl Default for $builder {
            fn default() -> Self {
                Self { org: texts(), event: texts(), $($column: $make,)* }
            }
        }

        impl Columns for $builder {
            fn finish(mut self) -> RecordBatch {
                let columns = vec![
                    Arc::new(self.org.finish()) as _,
                    Arc::new(self.event.finish()) as _,
                    $(Arc::new(self.$column.finish()) as _,)*
                ];
                RecordBatch::try_new(Table::$table.schema(), columns)
                    .expect("the builders follow the schema")
            }
        }

        impl $builder {
            fn push(&mut self, org: &str, record: &$record) {
                self.org.append_value(org);
                self.event.append_value(record.event.as_str());
                $({ let ($it, $fact) = (&mut self.$column, record); $append; })*
            }
        }
    };
}

// Builders begin without room: most requests hold one record or one kind of them.
fn texts() -> StringBuilder {
    StringBuilder::with_capacity(0, 0)
}

fn times() -> TimestampMillisecondBuilder {
    TimestampMillisecondBuilder::with_capacity(0).with_timezone("UTC")
}

columns! { ChatBuilder of Chat from ChatRecord:
    message: StringBuilder = texts(), |it, fact| it.append_value(fact.message.as_str());
    sent_at: TimestampMillisecondBuilder = times(), |it, fact| it.append_value(fact.sent_at.as_millis());
    updated_at: TimestampMillisecondBuilder = times(), |it, fact| it.append_value(fact.updated_at.unwrap_or(fact.sent_at).as_millis());
    deleted: BooleanBuilder = BooleanBuilder::with_capacity(0), |it, fact| it.append_value(fact.deleted);
    text: StringBuilder = texts(), |it, fact| it.append_value(&fact.text);
    name: StringBuilder = texts(), |it, fact| it.append_option(fact.name.as_deref());
    role: StringBuilder = texts(), |it, fact| it.append_option(fact.role.map(Role::name));
    customer: StringBuilder = texts(), |it, fact| it.append_option(fact.customer.as_ref().map(CustomerId::as_str));
    device: StringBuilder = texts(), |it, fact| it.append_option(fact.device.as_ref().map(DeviceId::as_str));
}

columns! { PollsBuilder of Polls from PollRecord:
    poll: StringBuilder = texts(), |it, fact| it.append_value(fact.poll.as_str());
    updated_at: TimestampMillisecondBuilder = times(), |it, fact| it.append_option(fact.updated_at.map(Timestamp::as_millis));
    question: StringBuilder = texts(), |it, fact| it.append_value(&fact.question);
    choice: StringBuilder = texts(), |it, fact| it.append_value(fact.choice.name());
    status: StringBuilder = texts(), |it, fact| it.append_value(fact.status.name());
    started_at: TimestampMillisecondBuilder = times(), |it, fact| it.append_option(fact.started_at.map(Timestamp::as_millis));
    ended_at: TimestampMillisecondBuilder = times(), |it, fact| it.append_option(fact.ended_at.map(Timestamp::as_millis));
    options: ListBuilder<StructBuilder> = options_builder(), |it, fact| append_options(it, fact);
    record: StringBuilder = texts(), |it, fact| it.append_value(fact.canonical_json());
}

columns! { VotesBuilder of Votes from VoteRecord:
    poll: StringBuilder = texts(), |it, fact| it.append_value(fact.poll.as_str());
    voted_at: TimestampMillisecondBuilder = times(), |it, fact| it.append_value(fact.voted_at.as_millis());
    vote: StringBuilder = texts(), |it, fact| it.append_option(fact.vote.as_ref().map(VoteId::as_str));
    option_ids: ListBuilder<StringBuilder> = ListBuilder::with_capacity(texts(), 0).with_field(list_item(DataType::Utf8)), |it, fact| it.append_value(fact.options.iter().map(|id| Some(id.as_str())));
    customer: StringBuilder = texts(), |it, fact| it.append_option(fact.voter.customer().map(CustomerId::as_str));
    device: StringBuilder = texts(), |it, fact| it.append_option(fact.voter.device().map(DeviceId::as_str));
    name: StringBuilder = texts(), |it, fact| it.append_option(fact.name.as_deref());
}

fn options_builder() -> ListBuilder<StructBuilder> {
    ListBuilder::with_capacity(StructBuilder::from_fields(option_fields(), 0), 0)
        .with_field(list_item(DataType::Struct(option_fields())))
}

fn append_options(builder: &mut ListBuilder<StructBuilder>, poll: &PollRecord) {
    for option in &poll.options {
        let fields = builder.values();
        let kind = "the fields are built from option_fields";
        fields
            .field_builder::<StringBuilder>(0)
            .expect(kind)
            .append_value(option.option.as_str());
        fields
            .field_builder::<StringBuilder>(1)
            .expect(kind)
            .append_value(&option.text);
        fields
            .field_builder::<BooleanBuilder>(2)
            .expect(kind)
            .append_value(option.correct);
        fields.append(true);
    }
    builder.append(true);
}

#[cfg(test)]
mod tests;
