//! Gives tables the columns that came with a newer version of the program.
//!
//! Data files stay as they are: a file without a column is read as if the column were null.

use deltalake::kernel::{Action, MetadataExt};
use deltalake::protocol::DeltaOperation;
use showreport_meta::{KnownLake, Meta, NewHead, NewHeads};
use showreport_model::facts::Table;

use crate::Error;
use crate::delta::Newest;
use crate::schema::{kernel_schema, lacking};

/// Whether a table lacks columns in the version that counts. The flush lock is not needed.
pub(crate) async fn are_due(newest: &Newest, known: &KnownLake) -> Result<bool, Error> {
    let mut are_due = false;
    for &table in Table::ALL {
        let columns = newest.columns(table, known).await?;
        are_due |= !lacking(table, &columns)?.is_empty();
    }
    Ok(are_due)
}

/// Adds the columns that tables lack, a table after the other. The caller holds the flush lock.
pub(crate) async fn add(meta: &Meta, newest: &mut Newest) -> Result<(), Error> {
    for &table in Table::ALL {
        if let Some(head) = commit(meta, newest, table).await? {
            meta.move_heads(&NewHeads::from([(table, head)]), &[])
                .await?;
        }
    }
    Ok(())
}

/// Commits the version of a table that has all columns. The head still has to be moved. `None` if
/// the version that counts lacks no column.
pub(crate) async fn commit(
    meta: &Meta,
    newest: &mut Newest,
    table: Table,
) -> Result<Option<NewHead>, Error> {
    let columns = newest.columns(table, &meta.known_lake().await?).await?;
    let fields = lacking(table, &columns)?;
    if fields.is_empty() {
        return Ok(None);
    }
    let basis = newest
        .refresh(table, &meta.announce_versions().await?)
        .await?;
    let schema = kernel_schema(table)?;
    let metadata = basis.newest().snapshot().and_then(|snapshot| {
        let metadata = snapshot.metadata().clone();
        Ok(metadata.with_schema(&schema)?)
    });
    let metadata = metadata.map_err(|source| Error::LoadTable { table, source })?;
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    tracing::info!(%table, columns = names.join(", "), "adding columns to a table");
    let operation = DeltaOperation::AddColumn { fields };
    let head = basis.commit(vec![Action::Metadata(metadata)], operation);
    head.await.map(Some)
}
