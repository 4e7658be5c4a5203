//! The columns of every kind of fact, in one place: name, type, and the value that a record has.
//!
//! Schemas, builders and readers here, and the rows of the lake's files, are made from these lists.
//! A new column is an `Option` and stands at the end of its list: journal rows and files that were
//! written before it lack it, and are read as if it were null.

use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::column_types::{ColumnType, Flag, Integer, OptionIds, Options, Text, Time};
use crate::record::named;

/// Calls a macro with the columns of a kind of fact, each as `name: Type = value,`.
///
/// `columns_of!(Chat => run { given })` becomes `run! { { given } (org, record) columns { … }
/// attributes { … } }`. The values are expressions of `org`, a text, and `record`: a `PlaybackRef`
/// for spans and coverage, a `ChatVersion` for chat, and the records themselves for polls, votes
/// and beats. The ends of coverage are those of `interval`.
#[macro_export]
macro_rules! columns_of {
    (Spans => $macro:ident $given:tt) => {
        $macro! { $given (org, record)
            columns {
                org: Text = org,
                event_id: Text = record.event,
                playback_id: Text = record.playback,
                from_time: Time = record.span.from(),
                to_time: Time = record.span.to(),
            }
            // Of each the least value that is not empty holds for a view, so merging spans
            // keeps that. All are `Option<Text>`.
            attributes {
                customer_id: Option<Text> = record.customer,
                device_id: Option<Text> = record.device,
                device_os: Option<Text> = record.device_os,
                geo_region: Option<Text> = record.geo_region,
                name: Option<Text> = record.name,
            }
        }
    };
    (Chat => $macro:ident $given:tt) => {
        $macro! { $given (org, record)
            columns {
                org: Text = org,
                event_id: Text = record.event,
                message_id: Text = record.message,
                sent_at: Time = record.sent_at_ms,
                updated_at: Time = record.updated_at_ms,
                deleted: Flag = record.deleted,
                text: Text = record.text,
                name: Option<Text> = record.name,
                role: Option<Text> = record.role.map(Role::name),
                customer_id: Option<Text> = record.customer,
                device_id: Option<Text> = record.device,
            }
            attributes {}
        }
    };
    (Polls => $macro:ident $given:tt) => {
        $macro! { $given (org, record)
            columns {
                org: Text = org,
                event_id: Text = record.event.as_str(),
                poll_id: Text = record.poll.as_str(),
                updated_at: Option<Time> = record.updated_at.map(Timestamp::as_millis),
                question: Text = &record.question,
                choice: Text = record.choice.name(),
                status: Text = record.status.name(),
                started_at: Option<Time> = record.started_at.map(Timestamp::as_millis),
                ended_at: Option<Time> = record.ended_at.map(Timestamp::as_millis),
                options: Options = &record.options,
                record: Text = &record.canonical_json(),
            }
            attributes {}
        }
    };
    (Votes => $macro:ident $given:tt) => {
        $macro! { $given (org, record)
            columns {
                org: Text = org,
                event_id: Text = record.event.as_str(),
                poll_id: Text = record.poll.as_str(),
                voted_at: Time = record.voted_at.as_millis(),
                vote_id: Option<Text> = record.vote.as_ref().map(VoteId::as_str),
                option_ids: OptionIds = &record.options,
                customer_id: Option<Text> = record.voter.customer().map(CustomerId::as_str),
                device_id: Option<Text> = record.voter.device().map(DeviceId::as_str),
                name: Option<Text> = record.name.as_deref(),
            }
            attributes {}
        }
    };
    (Beats => $macro:ident $given:tt) => {
        $macro! { $given (org, record)
            columns {
                org: Text = org,
                event_id: Text = record.event.as_str(),
                playback_id: Text = record.playback.as_str(),
                seq: Option<Integer> = record.seq,
                at: Time = record.at.as_millis(),
                playing: Flag = record.playing,
                customer_id: Option<Text> = record.customer.as_ref().map(CustomerId::as_str),
                device_id: Option<Text> = record.device.as_ref().map(DeviceId::as_str),
                device_os: Option<Text> = record.device_os.as_deref(),
                geo_region: Option<Text> = record.geo_region.as_deref(),
                name: Option<Text> = record.name.as_deref(),
            }
            attributes {}
        }
    };
    (Coverage => $macro:ident $given:tt) => {
        $macro! { $given (org, record)
            columns {
                org: Text = org,
                event_id: Text = record.event,
                playback_id: Text = record.playback,
                from_ms: Integer = interval.from(),
                to_ms: Integer = interval.to(),
            }
            attributes {}
        }
    };
}

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
        /// What players report that send states: whether a view was playing at an instant.
        Beats = "beats",
        /// Which parts of the content a view has played: half-open intervals of the media axis.
        Coverage = "coverage",
    }
}

impl Table {
    /// The number of tables.
    pub const COUNT: usize = Self::ALL.len();

    /// The columns, in order. Times are milliseconds UTC.
    pub fn schema(self) -> SchemaRef {
        SCHEMAS[self as usize].clone()
    }

    /// The time of a fact; of a span its start. `None` for polls and coverage, which are about all
    /// of the event.
    pub const fn time_column(self) -> Option<&'static str> {
        match self {
            Self::Spans => Some("from_time"),
            Self::Chat => Some("sent_at"),
            Self::Polls | Self::Coverage => None,
            Self::Votes => Some("voted_at"),
            Self::Beats => Some("at"),
        }
    }
}

macro_rules! schema {
    (
        {} $names:tt
        columns { $($column:ident: $type:ty = $value:expr,)* }
        attributes { $($attribute:ident: $attribute_type:ty = $attribute_value:expr,)* }
    ) => {
        Arc::new(Schema::new(vec![
            $(field::<$type>(stringify!($column)),)*
            $(field::<$attribute_type>(stringify!($attribute)),)*
        ]))
    };
}

fn field<T: ColumnType>(name: &str) -> Field {
    Field::new(name, T::data_type(), T::IS_OPTIONAL)
}

static SCHEMAS: LazyLock<[SchemaRef; Table::COUNT]> = LazyLock::new(|| {
    [
        columns_of!(Spans => schema {}),
        columns_of!(Chat => schema {}),
        columns_of!(Polls => schema {}),
        columns_of!(Votes => schema {}),
        columns_of!(Beats => schema {}),
        columns_of!(Coverage => schema {}),
    ]
});

/// Each table without a row. What is collected at a time is mostly of one kind, and nothing of the
/// others.
pub(super) static EMPTY: LazyLock<[RecordBatch; Table::COUNT]> =
    LazyLock::new(|| SCHEMAS.clone().map(RecordBatch::new_empty));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_of_a_tables_time_is_a_time() {
        for &table in Table::ALL {
            let schema = table.schema();
            if let Some(column) = table.time_column() {
                let field = schema.field_with_name(column).expect(column);
                assert_eq!(*field.data_type(), Time::data_type());
            }
        }
    }

    #[test]
    fn a_table_begins_with_the_organisation_and_the_event() {
        for &table in Table::ALL {
            let schema = table.schema();
            assert_eq!(
                [schema.field(0).name(), schema.field(1).name()],
                ["org", "event_id"]
            );
        }
    }
}
