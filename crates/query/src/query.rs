//! [`Query`], the front type: takes orders, writes files.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use showreport_lake::{FoundDamage, Lake};
use showreport_model::buckets::Buckets;
use showreport_model::bulk::DayOrder;
use showreport_model::figures::Figures;
use showreport_model::question::{Answer, Question};
use showreport_model::report::{Event, Heads, Pins, ReportOrder};
use showreport_model::{EventId, OrgId, Timestamp, Window};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use crate::changes::{Changes, changes};
use crate::config::Config;
use crate::embedded::{
    self, BATCH_ROWS, CHAT_BATCH_ROWS, MemoryProfile, POLLS_BATCH_ROWS, WIDE_BATCH_ROWS,
};
use crate::error::Error;
use crate::facts::{Facts, Scope};
use crate::plans::dirty_times::{self, DirtyTimes, table_of};
use crate::plans::event_facts::{self, EventRows};
use crate::plans::figures::{figures, viewers_of_events};
use crate::plans::report_rows::ReportRows;
use crate::plans::{answer, bulk, plan, started_views};
use crate::preview::{Preview, preview};
use crate::render::{FileFormat, Output, Rendered, render};

/// Called with the progress of a report in percent.
pub type Progress = Arc<dyn Fn(u8) + Send + Sync>;

/// Runs queries. Cheap to clone.
#[derive(Clone)]
pub struct Query {
    config: Arc<Config>,
    lake: Lake,
    /// One for each memory profile.
    runtimes: Arc<[Arc<RuntimeEnv>]>,
    profile: MemoryProfile,
    cpu: Handle,
}

impl Query {
    /// Opens the engine. Queries run on `cpu`, never on the caller's runtime, so that a large
    /// report cannot delay requests.
    pub fn new(config: &Config, lake: Lake, cpu: Handle) -> Result<Self, Error> {
        let runtimes = MemoryProfile::all().map(|profile| embedded::runtime(config, profile));
        let runtimes: Result<_, _> = runtimes.collect();
        Ok(Self {
            config: Arc::new(config.clone()),
            runtimes: runtimes.map_err(|source| Error::OpenEngine { source })?,
            lake,
            profile: MemoryProfile::default(),
            cpu,
        })
    }

    /// The number of memory profiles.
    pub const MEMORY_PROFILES: u32 = MemoryProfile::COUNT;

    /// The engine for a report with this number of lost attempts, those during which the process
    /// ended. Each leads to less memory, fewer threads and smaller batches.
    #[must_use]
    pub fn after(&self, lost: u32) -> Self {
        Self {
            profile: MemoryProfile::after(lost),
            ..self.clone()
        }
    }

    /// Writes the file of an event report from the pinned facts.
    ///
    /// The same facts give the same bytes. On an error the output is dropped before its shutdown,
    /// which leaves no file.
    pub async fn write_report(
        &self,
        order: &ReportOrder,
        pins: &Pins,
        output: Output,
        progress: Progress,
    ) -> Result<Rendered, Error> {
        let facts = self.facts(&order.org, Scope::Event(order.event.clone()), &pins.heads)?;
        let (order, event) = (order.clone(), pins.event.clone());
        let buckets = Buckets::new(order.granularity, &pins.zone);
        let format = FileFormat::of(&order, pins);
        self.on_cpu(facts, move |facts| async move {
            let ReportRows { frame, columns } = plan(&facts, &order, &event, &buckets).await?;
            // The session of the frame, which has the batch size of its table.
            let session = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await?;
            progress(PLANNED_PERCENT);
            let rows = execute_stream(Arc::clone(&plan), session)?;
            // One thread merges rows while another writes earlier ones.
            let rows = spawn_buffered(rows, BATCHES_AHEAD);
            let written = |rows| progress(percent(rows, rows_in_all(&plan)));
            let rendered = render(format, columns, rows, output, &written).await?;
            let ran = DisplayableExecutionPlan::with_metrics(plan.as_ref());
            tracing::debug!(plan = %ran.indent(false), "plan of a report, as it ran");
            progress(99);
            Ok(rendered)
        })
        .await
    }

    /// The events with rows in a day's report, sorted; possibly others too.
    pub async fn events_of_day(
        &self,
        order: &DayOrder,
        heads: &Heads,
    ) -> Result<Vec<EventId>, Error> {
        let facts = self.facts(&order.org, Scope::Org, heads)?;
        let window = order.window;
        let table = table_of(order.report_type);
        self.on_cpu(facts, move |facts| async move {
            dirty_times::events_within(&facts, table, window).await
        })
        .await
    }

    /// Writes the CSV file of a bulk report from the facts of these events.
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

    /// Passes on all facts of an event, in no order, until `visit` returns false. It is called on
    /// the engine's threads.
    pub async fn read_event(
        &self,
        org: &OrgId,
        event: &EventId,
        heads: &Heads,
        visit: Arc<dyn Fn(EventRows<'_>) -> bool + Send + Sync>,
    ) -> Result<(), Error> {
        let facts = self.facts(org, Scope::Event(event.clone()), heads)?;
        self.on_cpu(facts, move |facts| async move {
            event_facts::read(&facts, visit.as_ref()).await
        })
        .await
    }

    /// The times of the views, messages and polls of these events that have facts at or after
    /// `earliest`.
    pub async fn dirty_times(
        &self,
        org: &OrgId,
        mut events: Vec<EventId>,
        heads: &Heads,
        earliest: Timestamp,
    ) -> Result<DirtyTimes, Error> {
        events.sort_unstable();
        let facts = self.facts(org, Scope::Events(events), heads)?;
        self.on_cpu(facts, move |facts| async move {
            dirty_times::dirty_times(&facts, earliest).await
        })
        .await
    }

    /// The figures of an event as a whole, within a filter.
    pub async fn figures(
        &self,
        org: &OrgId,
        pins: &Pins,
        window: Window,
    ) -> Result<Figures, Error> {
        let event = pins.event.clone();
        let facts = self.facts(org, Scope::Event(event.id.clone()), &pins.heads)?;
        self.on_cpu(facts, move |facts| async move {
            figures(&facts, &event, window).await
        })
        .await
    }

    /// The answer to a question about an event.
    pub async fn answer(
        &self,
        org: &OrgId,
        pins: &Pins,
        question: &Question,
    ) -> Result<Answer, Error> {
        let (question, pins) = (question.clone(), pins.clone());
        let facts = self.facts(org, Scope::Event(pins.event.id.clone()), &pins.heads)?;
        self.on_cpu(facts, move |facts| async move {
            answer(&facts, question, &pins).await
        })
        .await
    }

    /// The viewers of each event of the organisation that has any.
    pub async fn viewers_of_events(
        &self,
        org: &OrgId,
        heads: &Heads,
    ) -> Result<BTreeMap<EventId, i64>, Error> {
        let facts = self.facts(org, Scope::Org, heads)?;
        self.on_cpu(facts, move |facts| async move {
            viewers_of_events(&facts).await
        })
        .await
    }

    /// The first rows of an event report, as its file would have them, at most `rows_max`.
    pub async fn preview(
        &self,
        order: &ReportOrder,
        pins: &Pins,
        rows_max: usize,
    ) -> Result<Preview, Error> {
        let facts = self.facts(&order.org, Scope::Event(order.event.clone()), &pins.heads)?;
        let (order, event) = (order.clone(), pins.event.clone());
        let buckets = Buckets::new(order.granularity, &pins.zone);
        self.on_cpu(facts, move |facts| async move {
            let rows = plan(&facts, &order, &event, &buckets).await?;
            preview(rows, rows_max).await
        })
        .await
    }

    /// The rows by which a file of a bulk report differs from the one before it, given as exact
    /// texts. At most `rows_max` of them are listed.
    pub async fn changes(
        &self,
        before: Vec<u8>,
        after: Vec<u8>,
        rows_max: usize,
    ) -> Result<Changes, Error> {
        let comparing = async move { changes(&before, &after, rows_max) };
        AbortOnDropHandle::new(self.cpu.spawn(comparing))
            .await
            .unwrap_or(Err(Error::Stopped))
    }

    fn facts(&self, org: &OrgId, scope: Scope, heads: &Heads) -> Result<Facts, Error> {
        let stages = tempfile::tempdir_in(&self.config.spill_dir)
            .map_err(|source| Error::MakeStages { source })?;
        let shared = &self.runtimes[self.profile.index()];
        let found = FoundDamage::default();
        let runtime = embedded::runtime_of_query(shared, &self.lake, &found)
            .map_err(|source| Error::OpenEngine { source })?;
        let session =
            |batch_rows| embedded::session(&self.config, runtime.clone(), self.profile, batch_rows);
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
            playbacks: None,
            heads: heads.clone(),
            stages: Arc::new(stages),
        })
    }

    /// Runs the future on the engine's threads; it is aborted when the caller is dropped.
    async fn on_cpu<T, F>(&self, facts: Facts, work: impl FnOnce(Facts) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let found = facts.found.clone();
        let task = AbortOnDropHandle::new(self.cpu.spawn(work(facts)));
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
    render(FileFormat::Csv, columns, rows, output, &|_| {}).await
}

/// Merged batches that may wait for the writer.
const BATCHES_AHEAD: usize = 2;

/// Progress when the plan is made.
const PLANNED_PERCENT: u8 = 10;

/// Progress at the first row: by then all rows have been read, grouped and sorted.
const SORTED_PERCENT: u64 = 50;

fn percent(rows_written: u64, rows_in_all: u64) -> u8 {
    let rest = 99 - SORTED_PERCENT;
    let written = rows_written.min(rows_in_all) * rest / rows_in_all.max(1);
    u8::try_from(SORTED_PERCENT + written).unwrap_or(99)
}

/// The rows that went into the final sort: all rows of the report, once the first one comes out.
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
