//! The facts of one event or of many, as frames that plans start from.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::prelude::{DataFrame, SessionContext, col, lit};
use showreport_lake::{DataFile, FoundDamage, Lake, Sought, table_schema};
use showreport_model::facts::Table;
use showreport_model::report::Heads;
use showreport_model::{EventId, OrgId, Window};
use tempfile::TempDir;

use crate::dictionary_rows::{Condition, DictionaryRows};
use crate::error::Error;
use crate::functions::among::among;
use crate::single_pass::high_cardinality;

/// The events of an organisation to read the facts of.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    Event(EventId),
    /// Sorted.
    Events(Vec<EventId>),
    /// All events.
    Org,
}

impl Scope {
    fn events(&self) -> Option<&[EventId]> {
        match self {
            Self::Event(event) => Some(std::slice::from_ref(event)),
            Self::Events(events) => Some(events),
            Self::Org => None,
        }
    }
}

/// Facts at pinned versions of the tables.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) context: SessionContext,
    /// For whole polls; the smallest batches.
    pub(crate) polls_context: SessionContext,
    /// For votes and poll options.
    pub(crate) wide_context: SessionContext,
    /// For messages.
    pub(crate) chat_context: SessionContext,
    /// For rows that must keep their order; one partition.
    pub(crate) serial_context: SessionContext,
    pub(crate) lake: Lake,
    /// The damaged files that the query has found.
    pub(crate) found: FoundDamage,
    pub(crate) org: OrgId,
    pub(crate) scope: Scope,
    /// The views to read the facts of; all if `None`.
    pub(crate) playbacks: Option<Arc<HashSet<String>>>,
    pub(crate) heads: Heads,
    /// Files of [`Facts::staged`]; deleted when the query ends.
    pub(crate) stages: Arc<TempDir>,
}

impl Facts {
    /// The same facts with those of these views alone.
    pub(crate) fn of_playbacks(&self, playbacks: HashSet<String>) -> Self {
        Self {
            playbacks: Some(Arc::new(playbacks)),
            ..self.clone()
        }
    }

    /// The key columns: the event, where there may be several, then these ids.
    pub(crate) fn keys<'a>(&self, ids: &[&'a str]) -> Vec<&'a str> {
        let event = (!matches!(self.scope, Scope::Event(_))).then_some("event_id");
        event.into_iter().chain(ids.iter().copied()).collect()
    }

    /// The same as group keys, for one id of high cardinality.
    pub(crate) fn unique_keys(&self, id: &str) -> Vec<Expr> {
        let mut keys = self.key_columns(&[]);
        keys.push(high_cardinality(id));
        keys
    }

    /// The same as expressions.
    pub(crate) fn key_columns(&self, ids: &[&str]) -> Vec<Expr> {
        self.keys(ids).into_iter().map(col).collect()
    }

    /// The rows of a table.
    pub(crate) async fn frame(&self, table: Table) -> Result<DataFrame, Error> {
        self.frame_within(table, Window::ALL).await
    }

    /// The rows of a table with times on the UTC days of the window, and possibly others.
    pub(crate) async fn frame_within(
        &self,
        table: Table,
        window: Window,
    ) -> Result<DataFrame, Error> {
        let schema = table_schema(table);
        let context = self.context_of(table);
        let files = self.files(table, window).await?;
        if files.is_empty() {
            return Ok(context.read_batch(RecordBatch::new_empty(schema))?);
        }
        let urls = files
            .iter()
            .map(|file| ListingTableUrl::parse(format!("{}{}", Lake::STORE_URL, file.path)))
            .collect::<Result<Vec<_>, _>>()?;
        let options = ListingOptions::new(Arc::new(ParquetFormat::default()));
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .with_schema(schema);
        let rows = context.read_table(Arc::new(ListingTable::try_new(config)?))?;
        let mut ours = col("org").eq(lit(self.org.as_str()));
        if let Some(playbacks) = &self.playbacks
            && matches!(table, Table::Spans | Table::Beats | Table::Coverage)
        {
            let playbacks = HashSet::clone(playbacks);
            ours = ours.and(among(playbacks).call(vec![col("playback_id")]));
        }
        Ok(rows.filter(match &self.scope {
            Scope::Org => ours,
            Scope::Event(event) => ours.and(col("event_id").eq(lit(event.as_str()))),
            Scope::Events(events) => ours.and(is_one_of(events)),
        })?)
    }

    /// These columns of the rows of a table, with texts as dictionaries, for a table in which rows
    /// next to each other have the same texts. `None` if no file can have such rows.
    pub(crate) async fn dictionary_frame(
        &self,
        table: Table,
        columns: &[&str],
    ) -> Result<Option<DataFrame>, Error> {
        let files = self.files(table, Window::ALL).await?;
        if files.is_empty() {
            return Ok(None);
        }
        let schema = table_schema(table);
        let columns = columns.iter().map(|name| schema.field_with_name(name));
        let columns = columns.collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(DataFusionError::from)?;
        let context = self.context_of(table);
        let rows = DictionaryRows::new(
            context,
            self.lake.store(&self.found),
            columns,
            self.conditions(),
        );
        Ok(Some(rows.frame(context, files)?))
    }

    /// What the rows of views that are sought have in common.
    fn conditions(&self) -> Vec<Condition> {
        let of_org = Condition {
            column: "org",
            texts: vec![self.org.to_string()],
        };
        let of_events = self.scope.events().map(|events| Condition {
            column: "event_id",
            texts: events.iter().map(ToString::to_string).collect(),
        });
        let of_playbacks = self.playbacks.as_ref().map(|playbacks| {
            let mut texts: Vec<String> = playbacks.iter().cloned().collect();
            texts.sort_unstable();
            let column = "playback_id";
            Condition { column, texts }
        });
        let conditions = [Some(of_org), of_events, of_playbacks];
        conditions.into_iter().flatten().collect()
    }

    /// The files that may have rows of the table.
    async fn files(&self, table: Table, window: Window) -> Result<Vec<DataFile>, Error> {
        let sought = Sought {
            org: &self.org,
            events: self.scope.events(),
            window,
        };
        let files = self.lake.files(&self.heads, table, sought).await;
        files.map_err(|source| Error::FindFacts { source })
    }

    const fn context_of(&self, table: Table) -> &SessionContext {
        match table {
            Table::Spans | Table::Beats | Table::Coverage => &self.context,
            Table::Chat => &self.chat_context,
            Table::Votes => &self.wide_context,
            Table::Polls => &self.polls_context,
        }
    }
}

/// Whether a row belongs to one of these events, which are sorted. By the least and the greatest id
/// the engine skips files and row groups.
fn is_one_of(events: &[EventId]) -> Expr {
    let event = || col("event_id");
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return lit(false);
    };
    let ids = events.iter().map(|event| event.as_str().to_owned());
    event()
        .between(lit(first.as_str()), lit(last.as_str()))
        .and(among(ids.collect()).call(vec![event()]))
}

impl Facts {
    /// Writes the rows of the frame to a file and returns a frame that reads it.
    ///
    /// So a long plan runs in stages, each with few sorts and groupings, which divide the memory of
    /// the query among them.
    pub(crate) async fn staged(&self, name: &str, frame: DataFrame) -> Result<DataFrame, Error> {
        self.staged_for(&self.context, name, frame).await
    }

    /// The same, as a frame of this session.
    pub(crate) async fn staged_for(
        &self,
        context: &SessionContext,
        name: &str,
        frame: DataFrame,
    ) -> Result<DataFrame, Error> {
        let path = self.stages.path().join(format!("{name}.parquet"));
        let path = path.to_str().ok_or(Error::SpillPath)?;
        let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
        let single = DataFrameWriteOptions::new().with_single_file_output(true);
        frame.write_parquet(path, single, None).await?;
        let url = ListingTableUrl::parse(path)?;
        let config = ListingTableConfig::new(url)
            .with_listing_options(ListingOptions::new(Arc::new(ParquetFormat::default())))
            .with_schema(schema);
        Ok(context.read_table(Arc::new(ListingTable::try_new(config)?))?)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};

    use super::*;

    fn events(count: usize) -> Vec<EventId> {
        let ids = (0..count).map(|number| format!("{number:06}"));
        ids.map(|id| EventId::new(id).expect("an id")).collect()
    }

    fn expressions(events: &[EventId]) -> usize {
        let mut count = 0;
        is_one_of(events)
            .apply(|_| {
                count += 1;
                Ok(TreeNodeRecursion::Continue)
            })
            .expect("counting does not fail");
        count
    }

    #[test]
    fn the_size_of_a_plan_does_not_grow_with_the_events() {
        assert_eq!(expressions(&events(100_000)), expressions(&events(2)));
    }
}
