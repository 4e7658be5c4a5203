//! Builders of the tables of chat, polls, votes and beats: a row a record.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::chat::ChatVersion;
use super::column_types::{ColumnType, Flag, Integer, OptionIds, Options, Text, Time};
use super::columns::Table;
use super::rows::Columns;
use crate::columns_of;
use crate::ids::{CustomerId, DeviceId, VoteId};
use crate::record::{BeatRecord, PollRecord, Role, VoteRecord};
use crate::time::Timestamp;

macro_rules! builder {
    (
        {$builder:ident of $table:ident from $record_type:ty}
        ($org:ident, $record:ident)
        columns { $($column:ident: $type:ty = $value:expr,)* }
        attributes {}
    ) => {
        #[derive(Debug)]
        pub(super) struct $builder { $($column: <$type as ColumnType>::Builder,)* }

        impl Default for $builder {
            fn default() -> Self {
                Self { $($column: <$type>::builder(),)* }
            }
        }

        impl Columns for $builder {
            fn finish(mut self) -> RecordBatch {
                let columns = vec![$(Arc::new(self.$column.finish()) as _,)*];
                RecordBatch::try_new(Table::$table.schema(), columns)
                    .expect("the builders follow the schema")
            }
        }

        impl $builder {
            pub(super) fn push(&mut self, $org: &str, $record: &$record_type) {
                $(<$type>::append(&mut self.$column, $value);)*
            }
        }
    };
}

columns_of!(Chat => builder {ChatBuilder of Chat from ChatVersion<'_>});
columns_of!(Polls => builder {PollsBuilder of Polls from PollRecord});
columns_of!(Votes => builder {VotesBuilder of Votes from VoteRecord});
columns_of!(Beats => builder {BeatsBuilder of Beats from BeatRecord});
