//! The first rows of a report, without making its file.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::DataFrame;
use futures::TryStreamExt;
use showreport_model::table::{Table, Value};

use crate::cells::Cells;
use crate::error::Error;
use crate::plans::report_rows::ReportRows;

/// The first rows of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub table: Table,
    /// The rows of the whole report.
    pub row_count: u64,
}

/// The first rows, at most `rows_max`, and the number of all.
pub(crate) async fn preview(rows: ReportRows, rows_max: usize) -> Result<Preview, Error> {
    let ReportRows { frame, columns } = rows;
    let mut preview = Preview {
        table: Table {
            columns,
            rows: Vec::new(),
        },
        row_count: 0,
    };
    let first = first_rows(&frame, rows_max).await?;
    let session = Arc::new(frame.task_ctx());
    let keep = |preview: &mut Preview, batch: &RecordBatch| {
        let missing = rows_max.saturating_sub(preview.table.rows.len());
        let cells = Cells::of(batch, &preview.table.columns);
        let rows = 0..batch.num_rows().min(missing);
        let rows = rows.map(|row| cells.row(row).map(Value::from).collect());
        preview.table.rows.extend(rows.collect::<Vec<_>>());
    };
    if let Some(plan) = first {
        let mut rows = execute_stream(Arc::clone(&plan), session)?;
        while let Some(batch) = rows.try_next().await? {
            keep(&mut preview, &batch);
        }
        preview.row_count = rows_into_sort(&plan).unwrap_or(0);
        return Ok(preview);
    }
    let plan = frame.create_physical_plan().await?;
    let mut rows = execute_stream(plan, session)?;
    while let Some(batch) = rows.try_next().await? {
        keep(&mut preview, &batch);
        preview.row_count += batch.num_rows() as u64;
    }
    Ok(preview)
}

/// The plan that sorts no more rows than are asked for. `None` if the rows of the frame come in
/// their order without a sort: then a limit would end the plan before all rows are counted.
async fn first_rows(
    frame: &DataFrame,
    rows_max: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>, Error> {
    let (mut state, plan) = frame.clone().into_parts();
    if !matches!(plan, LogicalPlan::Sort(_)) {
        return Ok(None);
    }
    // With it, scans leave out rows that cannot be among the first, and these would not be counted.
    let options = state.config_mut().options_mut();
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    let limited = DataFrame::new(state, plan).limit(0, Some(rows_max))?;
    let plan = limited.create_physical_plan().await?;
    Ok(sorted(&plan).is_some().then_some(plan))
}

/// The input of the sort that gives the rows of a plan.
fn sorted(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    let mut node = plan;
    loop {
        let input = *node.children().first()?;
        match node.name() {
            "SortExec" => return Some(input),
            "SortPreservingMergeExec" => node = input,
            _ => return None,
        }
    }
}

/// The rows that went into the sort of a plan that has run.
fn rows_into_sort(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    let rows = sorted(plan)?.metrics()?.output_rows()?;
    Some(rows as u64)
}
