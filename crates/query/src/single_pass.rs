//! Groupings that find few rows a group go in a single pass.
//!
//! The engine groups what each thread reads, sends the groups to the threads
//! that own them, and groups again. That pays where rows melt together. Views,
//! voices and messages hardly do, since flush and compaction have merged their
//! rows before, so both groupings hold nearly every row. Here the rows are sent
//! to their threads at once, and grouped there.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// Columns of which nearly every row has a value of its own.
const NEARLY_UNIQUE: [&str; 4] = ["playback_id", "message_id", "name", CUSTOMER];

/// Whoever asks by customer has many, and few rows of each. Rows that were sent by it alone need
/// not be sent again when what was grouped is grouped by customer.
const CUSTOMER: &str = "customer_id";

/// The rule, to be applied after the engine's own.
#[derive(Debug)]
pub(crate) struct SinglePass;

impl PhysicalOptimizerRule for SinglePass {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            Ok(match in_single_pass(&plan)? {
                Some(changed) => Transformed::yes(changed),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "single_pass"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The grouping in a single pass, if it is one in two that should not be.
fn in_single_pass(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(last) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let Some(sent) = last.input().downcast_ref::<RepartitionExec>() else {
        return Ok(None);
    };
    let Some(first) = sent.input().downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let in_two_passes =
        *last.mode() == AggregateMode::FinalPartitioned && *first.mode() == AggregateMode::Partial;
    let groups = first.group_expr().expr();
    if !in_two_passes || !hardly_melt(groups) {
        return Ok(None);
    }
    let customer = groups.iter().find(|(_, name)| name == CUSTOMER);
    let owner = customer.map_or_else(
        || first.group_expr().input_exprs(),
        |(customer, _)| vec![Arc::clone(customer)],
    );
    let rows = sent_by(first.input(), owner, sent.partitioning().partition_count())?;
    let grouped = AggregateExec::try_new(
        AggregateMode::SinglePartitioned,
        first.group_expr().clone(),
        first.aggr_expr().to_vec(),
        first.filter_expr().to_vec(),
        rows,
        first.input_schema(),
    )?;
    Ok(Some(Arc::new(grouped)))
}

/// Whether rows that are grouped by these hardly melt together.
fn hardly_melt(groups: &[(Arc<dyn PhysicalExpr>, String)]) -> bool {
    let by = |column: &str| groups.iter().any(|(_, name)| name == column);
    NEARLY_UNIQUE.into_iter().any(by)
}

/// The rows, each at the thread that owns it.
fn sent_by(
    rows: &Arc<dyn ExecutionPlan>,
    owner: Vec<Arc<dyn PhysicalExpr>>,
    threads: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let wanted = Partitioning::Hash(owner, threads);
    if *rows.output_partitioning() == wanted {
        return Ok(Arc::clone(rows));
    }
    Ok(Arc::new(RepartitionExec::try_new(
        Arc::clone(rows),
        wanted,
    )?))
}
