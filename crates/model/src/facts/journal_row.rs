//! Facts as the bytes of a journal row. Columns are found by their names, so a row of an older
//! version of the program may lack those that came later.

use std::collections::HashSet;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::Facts;
use super::columns::Table;
use crate::ids::IdError;

/// Why bytes are not the facts of a journal row.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the row is cut short")]
    CutShort,
    /// They have facts of a table that is not known.
    #[error(
        "table number {number} is unknown: a newer version of showreport wrote the row; run that \
         version"
    )]
    UnknownTable {
        /// The number.
        number: u8,
    },
    /// They have a column that is not known.
    #[error(
        "the column `{column}` of {table} is unknown: a newer version of showreport wrote the row; \
         run that version"
    )]
    UnknownColumn {
        /// The table.
        table: Table,
        /// The column.
        column: String,
    },
    /// They lack a column that every version writes.
    #[error("the column `{column}` of {table} is missing")]
    MissingColumn {
        /// The table.
        table: Table,
        /// The column.
        column: String,
    },
    /// A column has the type of another.
    #[error("the column `{column}` of {table} holds {found}")]
    WrongType {
        /// The table.
        table: Table,
        /// The column.
        column: String,
        /// The type that it has.
        found: DataType,
    },
    /// An organisation has a name that none can have.
    #[error("read the name of an organisation")]
    Org(#[from] IdError),
    /// They are not Arrow IPC, or a value is null that must not be.
    #[error("read Arrow IPC")]
    Arrow(#[from] ArrowError),
}

impl Facts {
    /// As bytes: for each table that has rows its number, a length (32 bits,
    /// little-endian) and an Arrow IPC stream.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &table in Table::ALL {
            let batch = self.batch(table);
            if batch.num_rows() > 0 {
                append(&mut bytes, table as u8, batch);
            }
        }
        bytes
    }

    /// The facts that [`Facts::encode`] gave, in this version of the program or an older one.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut facts = Self::default();
        while let Some((&number, rest)) = bytes.split_first() {
            let cut_short = || DecodeError::CutShort;
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut_short)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (stream, rest) = rest.split_at_checked(length).ok_or_else(cut_short)?;
            let table = Table::ALL.get(usize::from(number));
            let &table = table.ok_or(DecodeError::UnknownTable { number })?;
            facts.batches[table as usize] = read(table, stream)?;
            bytes = rest;
        }
        Ok(facts)
    }
}

fn append(bytes: &mut Vec<u8>, number: u8, batch: &RecordBatch) {
    let stream = ipc_stream(batch).expect("writing to memory cannot fail");
    let length = u32::try_from(stream.len()).expect("a group is far below 4 GiB");
    bytes.push(number);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&stream);
}

fn ipc_stream(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    writer.into_inner()
}

fn read(table: Table, stream: &[u8]) -> Result<RecordBatch, DecodeError> {
    let reader = StreamReader::try_new(Cursor::new(stream), None)?;
    let written = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    conform(table, concat_batches(&written, &batches)?)
}

/// The rows with the columns of the table, in their order.
fn conform(table: Table, batch: RecordBatch) -> Result<RecordBatch, DecodeError> {
    let schema = table.schema();
    if batch.schema() == schema {
        return Ok(batch);
    }
    let known: HashSet<&str> = schema
        .fields()
        .iter()
        .map(|it| it.name().as_str())
        .collect();
    let written = batch.schema();
    let mut written = written.fields().iter();
    if let Some(unknown) = written.find(|field| !known.contains(field.name().as_str())) {
        return Err(DecodeError::UnknownColumn {
            table,
            column: unknown.name().clone(),
        });
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(table, &batch, field));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn column(table: Table, batch: &RecordBatch, field: &Field) -> Result<ArrayRef, DecodeError> {
    let name = field.name();
    match batch.column_by_name(name) {
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => Err(DecodeError::WrongType {
            table,
            column: name.clone(),
            found: column.data_type().clone(),
        }),
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
        None => Err(DecodeError::MissingColumn {
            table,
            column: name.clone(),
        }),
    }
}

#[cfg(test)]
mod tests;
