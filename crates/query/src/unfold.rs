//! Frames with rows that are computed from another frame while they are read.
//!
//! One row may become very many. The engine's own operators would hold all of them in memory.

pub(crate) mod slices;
pub(crate) mod bucket_rows;
pub(crate) mod totals;
pub(crate) mod packed_beats;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;

use crate::error::Error;

/// Computes batches from batches.
pub(crate) trait Unfold: Send {
    /// Takes the next input batch. Is called when `next` has returned `None`.
    fn push(&mut self, batch: RecordBatch) -> Result<()>;

    /// The next output batch of the input so far.
    fn next(&mut self) -> Result<Option<RecordBatch>>;

    /// Is called after the last input batch. `next` may return further batches.
    fn end(&mut self) -> Result<()>;
}

/// Creates an [`Unfold`] for a partition.
pub(crate) type Unfolder = Arc<dyn Fn() -> Box<dyn Unfold> + Send + Sync>;

/// The frame that is computed from another, as a frame of `context`. `columns` are given if they
/// differ.
pub(crate) async fn unfolded(
    context: &SessionContext,
    frame: DataFrame,
    columns: Option<SchemaRef>,
    unfolder: Unfolder,
) -> Result<DataFrame, Error> {
    let session = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let schema = columns.unwrap_or_else(|| plan.schema());
    let partitions = 0..plan.output_partitioning().partition_count();
    let partitions = partitions.map(|number| {
        Arc::new(Partition {
            plan: Arc::clone(&plan),
            session: Arc::clone(&session),
            number,
            schema: Arc::clone(&schema),
            unfolder: Arc::clone(&unfolder),
        }) as Arc<dyn PartitionStream>
    });
    let table = StreamingTable::try_new(Arc::clone(&schema), partitions.collect())?;
    Ok(context.read_table(Arc::new(table))?)
}

struct Partition {
    plan: Arc<dyn ExecutionPlan>,
    session: Arc<TaskContext>,
    number: usize,
    schema: SchemaRef,
    unfolder: Unfolder,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unfolded(partition: {})", self.number)
    }
}

impl Partition {
    /// The input rows. If the plan cannot be started, the error is the only item.
    fn rows(&self) -> SendableRecordBatchStream {
        let rows = self.plan.execute(self.number, Arc::clone(&self.session));
        rows.unwrap_or_else(|error| {
            let none = futures::stream::once(async { Err(error) });
            Box::pin(RecordBatchStreamAdapter::new(self.plan.schema(), none))
        })
    }
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows();
        let unfold = (self.unfolder)();
        let batches = futures::stream::try_unfold(
            (rows, unfold, false),
            async |(mut rows, mut unfold, mut ended)| loop {
                if let Some(batch) = unfold.next()? {
                    return Ok(Some((batch, (rows, unfold, ended))));
                }
                if ended {
                    return Ok(None);
                }
                if let Some(batch) = rows.next().await.transpose()? {
                    unfold.push(batch)?;
                } else {
                    unfold.end()?;
                    ended = true;
                }
            },
        );
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}
