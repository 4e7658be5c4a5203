//! The front of the engine: an order goes in, a file comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use showreport_lake::{FoundDamage, Lake};
use showreport_model::buckets::Buckets;
use showreport_model::bulk::DayOrder;
use showreport_model::report::{Event, Heads, Pins, ReportOrder};
use showreport_model::{EventId, OrgId, Timestamp};
use tokio::runtime::Handle;

use crate::config::Config;
use crate::embedded::{self, BATCH_ROWS, CHAT_BATCH_ROWS, POLLS_BATCH_ROWS, WIDE_BATCH_ROWS, Way};
use crate::error::Error;
use crate::facts::{Facts, Scope};
use crate::plans::audience::{self, Audience};
use crate::plans::figures::{Figures, figures};
use crate::plans::report_rows::ReportRows;
use crate::plans::touched_days::{self, Reach, table_of};
use crate::plans::{bulk, plan, started_views};
use crate::render::{Form, Output, Rendered, render};

/// Told how far a report is, of a hundred.
pub type Progress = Arc<dyn Fn(u8) + Send + Sync>;

/// Answers questions. Cheap to clone.
#[derive(Clone)]
pub struct Query {
    config: Arc<Config>,
    lake: Lake,
    /// One for each way.
    runtimes: Arc<[Arc<RuntimeEnv>]>,
    way: Way,
    cpu: Handle,
}

impl Query {
    /// Opens the engine. Questions run on `cpu`, never on the caller's runtime,
    /// so that a heavy report cannot hold up a request.
    pub fn new(config: &Config, lake: Lake, cpu: Handle) -> Result<Self, Error> {
        let runtimes = Way::all().map(|way| embedded::runtime(config, way));
        let runtimes: Result<_, _> = runtimes.collect();
        Ok(Self {
            config: Arc::new(config.clone()),
            runtimes: runtimes.map_err(|source| Error::OpenEngine { source })?,
            lake,
            way: Way::default(),
            cpu,
        })
    }

    /// In how many ways a question can be asked.
    pub const WAYS: u32 = Way::COUNT;

    /// The same engine for a question that was asked so many times without that its process came to
    /// the end of it: with less memory, fewer threads and smaller batches each time.
    #[must_use]
    pub fn after(&self, lost: u32) -> Self {
        Self {
            way: Way::after(lost),
            ..self.clone()
        }
    }

    /// Writes the file of an order, made from the pinned facts.
    ///
    /// The same facts give the same bytes. On an error the output is dropped
    /// unfinished, which leaves nothing behind.
    pub async fn write_report(
        &self,
        order: &ReportOrder,
        pins: &Pins,
        output: Output,
        progress: Progress,
    ) -> Result<Rendered, Error> {
        let facts = self.facts(&order.org, Scope::Event(order.event.clone()), &pins.heads)?;
        let order = order.clone();
        let buckets = Buckets::new(order.granularity, &pins.zone);
        let form = Form::of(&order, pins);
        self.on_cpu(facts, move |facts| async move {
            let ReportRows { frame, columns } = plan(&facts, &order, &buckets).await?;
            // The session of the frame, which has the batch size of its table.
            let session = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await?;
            progress(PLANNED_PERCENT);
            let rows = execute_stream(Arc::clone(&plan), session)?;
            // Rows are merged on one thread while those before are written on another.
            let rows = spawn_buffered(rows, BATCHES_AHEAD);
            let written = |rows| progress(percent(rows, rows_in_all(&plan)));
            let rendered = render(form, columns, rows, output, &written).await?;
            let ran = DisplayableExecutionPlan::with_metrics(plan.as_ref());
            tracing::debug!(plan = %ran.indent(false), "plan of a report, as it ran");
            progress(99);
            Ok(rendered)
        })
        .await
    }

    /// The events that a day's report says something about, sorted; perhaps others too.
    pub async fn events_of_day(
        &self,
        order: &DayOrder,
        heads: &Heads,
    ) -> Result<Vec<EventId>, Error> {
        let facts = self.facts(&order.org, Scope::Org, heads)?;
        let window = order.window;
        let table = table_of(order.report_type);
        self.on_cpu(facts, move |facts| async move {
            touched_days::events_within(&facts, table, window).await
        })
        .await
    }

    /// Writes the CSV file of a day, made from the facts of these events.
    ///
    /// As for [`Query::write_report`], the same facts give the same bytes.
    pub async fn write_bulk_report(
        &self,
        order: &DayOrder,
        heads: &Heads,
        events: BTreeMap<EventId, Event>,
        output: Output,
    ) -> Result<Rendered, Error> {
        let scope = Scope::Events(events.keys().cloned().collect());
        let facts = self.facts(&order.org, scope, heads)?;
        let order = order.clone();
        self.on_cpu(facts, move |facts| async move {
            let rows = bulk::plan(&facts, &order, &events).await?;
            write_csv(rows, output).await
        })
        .await
    }

    /// Writes the CSV file of the views of these events that began on a day.
    pub async fn write_started_views(
        &self,
        order: &DayOrder,
        heads: &Heads,
        events: BTreeMap<EventId, Event>,
        output: Output,
    ) -> Result<Rendered, Error> {
        let scope = Scope::Events(events.keys().cloned().collect());
        let facts = self.facts(&order.org, scope, heads)?;
        let day = order.window;
        self.on_cpu(facts, move |facts| async move {
            let rows = started_views::plan(&facts, day, &events).await?;
            write_csv(rows, output).await
        })
        .await
    }

    /// Who watch an event now, and who ever did.
    pub async fn audience(
        &self,
        org: &OrgId,
        pins: &Pins,
        now: Timestamp,
    ) -> Result<Audience, Error> {
        let event = pins.event.clone();
        let facts = self.facts(org, Scope::Event(event.id.clone()), &pins.heads)?;
        self.on_cpu(facts, move |facts| async move {
            audience::audience(&facts, &event, now).await
        })
        .await
    }

    /// The times that are reached by what any of these events has facts of at or after `earliest`.
    pub async fn reach(
        &self,
        org: &OrgId,
        mut events: Vec<EventId>,
        heads: &Heads,
        earliest: Timestamp,
    ) -> Result<Reach, Error> {
        events.sort_unstable();
        let facts = self.facts(org, Scope::Events(events), heads)?;
        self.on_cpu(facts, move |facts| async move {
            touched_days::reach(&facts, earliest).await
        })
        .await
    }

    /// The figures of an event as a whole.
    pub async fn figures(
        &self,
        org: &OrgId,
        event: &EventId,
        pins: &Pins,
    ) -> Result<Figures, Error> {
        let facts = self.facts(org, Scope::Event(event.clone()), &pins.heads)?;
        let event = pins.event.clone();
        self.on_cpu(
            facts,
            move |facts| async move { figures(&facts, &event).await },
        )
        .await
    }

    fn facts(&self, org: &OrgId, scope: Scope, heads: &Heads) -> Result<Facts, Error> {
        let stages = tempfile::tempdir_in(&self.config.spill_dir)
            .map_err(|source| Error::MakeStages { source })?;
        let shared = &self.runtimes[self.way.number()];
        let found = FoundDamage::default();
        let runtime = embedded::runtime_of_question(shared, &self.lake, &found)
            .map_err(|source| Error::OpenEngine { source })?;
        let session =
            |batch_rows| embedded::session(&self.config, runtime.clone(), self.way, batch_rows);
        Ok(Facts {
            context: session(BATCH_ROWS),
            polls_context: session(POLLS_BATCH_ROWS),
            wide_context: session(WIDE_BATCH_ROWS),
            chat_context: session(CHAT_BATCH_ROWS),
            serial_context: embedded::serial_session(runtime.clone()),
            lake: self.lake.clone(),
            found,
            org: org.clone(),
            scope,
            heads: heads.clone(),
            stages: Arc::new(stages),
        })
    }

    /// Runs the work on the engine's own threads; it ends with the caller.
    async fn on_cpu<T, F>(&self, facts: Facts, work: impl FnOnce(Facts) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let found = facts.found.clone();
        let task = tokio_util::task::AbortOnDropHandle::new(self.cpu.spawn(work(facts)));
        let done = task.await.unwrap_or(Err(Error::Stopped));
        done.map_err(|error| error.explained_by(&found))
    }
}

/// Writes rows as CSV, without reporting progress.
async fn write_csv(rows: ReportRows, output: Output) -> Result<Rendered, Error> {
    let ReportRows { frame, columns } = rows;
    let session = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let rows = execute_stream(plan, session)?;
    render(Form::Csv, columns, rows, output, &|_| {}).await
}

/// Batches that may wait until those before are written.
const BATCHES_AHEAD: usize = 2;

/// Told when the plan stands.
const PLANNED_PERCENT: u8 = 10;

/// Told when the first row comes out: by then everything has been read, grouped and sorted.
const SORTED_PERCENT: u64 = 50;

fn percent(rows_written: u64, rows_in_all: u64) -> u8 {
    let rest = 99 - SORTED_PERCENT;
    let written = rows_written.min(rows_in_all) * rest / rows_in_all.max(1);
    u8::try_from(SORTED_PERCENT + written).unwrap_or(99)
}

/// The rows that went into the final sort, which is all there will be once the first comes out.
fn rows_in_all(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let mut node = plan;
    while node.name().starts_with("Sort") {
        match node.children().first() {
            Some(child) => node = child,
            None => break,
        }
    }
    let rows = node.metrics().and_then(|metrics| metrics.output_rows());
    rows.unwrap_or(0) as u64
}
