//! The facts of one event, or of many, as frames that a plan starts from.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::logical_expr::Expr;
use datafusion::prelude::{DataFrame, SessionContext, col, lit};
use showreport_lake::{FoundDamage, Lake, Sought, table_schema};
use showreport_model::facts::Table;
use showreport_model::report::Heads;
use showreport_model::{EventId, OrgId, Window};
use tempfile::TempDir;

use crate::error::Error;
use crate::functions::among::among;

/// Whose facts of an organisation.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// One event's.
    Event(EventId),
    /// Those of these events, which are sorted.
    Events(Vec<EventId>),
    /// All.
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
    /// For frames of whole polls, which have few rows a batch.
    pub(crate) polls_context: SessionContext,
    /// For frames of votes and options, which have fewer than others.
    pub(crate) wide_context: SessionContext,
    /// For frames of messages.
    pub(crate) chat_context: SessionContext,
    /// For frames whose rows must keep their order.
    pub(crate) serial_context: SessionContext,
    pub(crate) lake: Lake,
    /// What the question has found damaged.
    pub(crate) found: FoundDamage,
    pub(crate) org: OrgId,
    pub(crate) scope: Scope,
    pub(crate) heads: Heads,
    /// Where stages leave their rows; it goes with the question.
    pub(crate) stages: Arc<TempDir>,
}

impl Facts {
    /// What tells one thing from another: its ids, and before them the event
    /// where there may be several.
    pub(crate) fn keys<'a>(&self, ids: &[&'a str]) -> Vec<&'a str> {
        let event = (!matches!(self.scope, Scope::Event(_))).then_some("event_id");
        event.into_iter().chain(ids.iter().copied()).collect()
    }

    /// The same as expressions.
    pub(crate) fn key_columns(&self, ids: &[&str]) -> Vec<Expr> {
        self.keys(ids).into_iter().map(col).collect()
    }

    /// The rows of a table.
    pub(crate) async fn frame(&self, table: Table) -> Result<DataFrame, Error> {
        self.frame_within(table, Window::ALL).await
    }

    /// The rows of a table that lie on the UTC days that the window touches, and perhaps others.
    pub(crate) async fn frame_within(
        &self,
        table: Table,
        window: Window,
    ) -> Result<DataFrame, Error> {
        let sought = Sought {
            org: &self.org,
            events: self.scope.events(),
            window,
        };
        let files = self
            .lake
            .files(&self.heads, table, sought)
            .await
            .map_err(|source| Error::FindFacts { source })?;
        let schema = table_schema(table);
        let context = match table {
            Table::Spans => &self.context,
            Table::Chat => &self.chat_context,
            Table::Votes => &self.wide_context,
            Table::Polls => &self.polls_context,
        };
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
        let frame = context.read_table(Arc::new(ListingTable::try_new(config)?))?;
        let ours = col("org").eq(lit(self.org.as_str()));
        Ok(frame.filter(match &self.scope {
            Scope::Org => ours,
            Scope::Event(event) => ours.and(col("event_id").eq(lit(event.as_str()))),
            Scope::Events(events) => ours.and(is_one_of(events)),
        })?)
    }
}

/// Whether a row is of one of these events, which are sorted. The engine leaves out files and row groups by
/// the least and the greatest of them.
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
    /// Works the frame out and gives its rows back as a frame of their own.
    ///
    /// The engine shares its memory out evenly among all sorts and groupings of
    /// a plan, busy or not. A long plan therefore goes in stages, each with few.
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
            .expect("it is only counted");
        count
    }

    #[test]
    fn what_is_planned_does_not_grow_with_the_events() {
        assert_eq!(expressions(&events(100_000)), expressions(&events(2)));
    }
}
