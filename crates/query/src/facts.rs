//! The facts of one event, as frames that a plan starts from.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::prelude::{DataFrame, SessionContext, col, lit};
use showreport_lake::{Lake, table_schema};
use showreport_model::facts::Table;
use showreport_model::report::Heads;
use showreport_model::{EventId, OrgId};
use tempfile::TempDir;

use crate::error::Error;

/// One event at pinned versions of the tables.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) context: SessionContext,
    pub(crate) lake: Lake,
    pub(crate) org: OrgId,
    pub(crate) event: EventId,
    pub(crate) heads: Heads,
    /// Where stages leave their rows; it goes with the question.
    pub(crate) stages: Arc<TempDir>,
}

impl Facts {
    /// The event's rows of a table.
    pub(crate) async fn frame(&self, table: Table) -> Result<DataFrame, Error> {
        let files = self
            .lake
            .files(&self.heads, table, &self.org, &self.event)
            .await
            .map_err(|source| Error::FindFacts { source })?;
        let schema = table_schema(table);
        if files.is_empty() {
            return Ok(self.context.read_batch(RecordBatch::new_empty(schema))?);
        }
        let urls = files
            .iter()
            .map(|file| ListingTableUrl::parse(format!("{}{}", Lake::STORE_URL, file.path)))
            .collect::<Result<Vec<_>, _>>()?;
        let options = ListingOptions::new(Arc::new(ParquetFormat::default()));
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .with_schema(schema);
        let frame = self
            .context
            .read_table(Arc::new(ListingTable::try_new(config)?))?;
        Ok(frame.filter(
            col("org")
                .eq(lit(self.org.as_str()))
                .and(col("event_id").eq(lit(self.event.as_str()))),
        )?)
    }
}

impl Facts {
    /// Works the frame out and gives its rows back as a frame of their own.
    ///
    /// The engine shares its memory out evenly among all sorts and groupings of
    /// a plan, busy or not. A long plan therefore goes in stages, each with few.
    pub(crate) async fn staged(&self, name: &str, frame: DataFrame) -> Result<DataFrame, Error> {
        let path = self.stages.path().join(format!("{name}.parquet"));
        let path = path.to_str().ok_or(Error::SpillPath)?;
        let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
        let single = DataFrameWriteOptions::new().with_single_file_output(true);
        frame.write_parquet(path, single, None).await?;
        let url = ListingTableUrl::parse(path)?;
        let config = ListingTableConfig::new(url)
            .with_listing_options(ListingOptions::new(Arc::new(ParquetFormat::default())))
            .with_schema(schema);
        Ok(self
            .context
            .read_table(Arc::new(ListingTable::try_new(config)?))?)
    }
}
