//! Senders of playbacks, messages and votes, which send some records again.

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::SystemTime;

use anyhow::ensure;

use super::sent::{Fact, Request};
use showreport_testkit::{Client, Connection, DAY_MS, Random, now, now_ms};

/// The start of every show in milliseconds: three days before the run, at 10 o'clock UTC. That day
/// is closed, so late records make it dirty.
static BEGINNING: LazyLock<u64> =
    LazyLock::new(|| (now_ms() / DAY_MS - 3) * DAY_MS + 10 * 3_600_000);

/// Spans of a view. Each is twice as long as the one before, in whole milliseconds, so that the sum
/// of those that are present says which they are.
pub(crate) const BEATS: u32 = 20;

/// Customers of an event.
pub(crate) const CUSTOMERS: u64 = 40;

/// Options of the one poll.
pub(crate) const OPTIONS: u32 = 3;

/// Senders at the same time, each on a connection of its own.
pub(crate) const SENDERS: u64 = 4;

/// Facts of a request.
const RECORDS_MAX: u64 = 12;

/// Records of a request of [`fill`].
const RECORDS_EACH: usize = 1_000;

/// Views, messages and voters that a sender continues.
const OPEN_MAX: usize = 8;

/// Ids of each sender, so that no two share one.
const SENDER_IDS: u64 = 1_000_000;

/// Sends records, and keeps what it sent.
pub(crate) struct Sender {
    random: Random,
    event: String,
    next: u64,
    /// By kind, what can be continued: its id, and the number of its last fact.
    open: [Vec<(u64, u32)>; 3],
    /// The request without a response that is sent again next.
    again: Option<usize>,
    /// When each request was first acknowledged.
    acknowledged: Vec<(SystemTime, usize)>,
    pub(crate) requests: Vec<Request>,
}

impl Sender {
    pub(crate) fn new(number: u64, event: &str, random: &mut Random) -> Self {
        Self {
            random: random.fork(),
            event: event.to_owned(),
            next: number * SENDER_IDS,
            open: Default::default(),
            again: None,
            acknowledged: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Sends until the connection breaks.
    pub(crate) fn send(&mut self, connection: &mut Connection, token: &str) {
        loop {
            let (at, body) = self.write();
            let response = connection.send("POST", "/collect", token, body);
            if response
                .as_ref()
                .is_ok_and(|response| response.status == 202)
            {
                if !std::mem::replace(&mut self.requests[at].acknowledged, true) {
                    self.acknowledged.push((now(), at));
                }
                continue;
            }
            // Half of these requests are not sent again; the server may keep them or not.
            if !self.requests[at].acknowledged && self.random.bool() {
                self.again = Some(at);
            }
            if response.is_err() {
                return;
            }
        }
    }

    /// The next request: its number, and its records as NDJSON.
    pub(crate) fn write(&mut self) -> (usize, String) {
        let at = self.choose();
        let mut body = String::new();
        for &fact in &self.requests[at].facts {
            write_record(&mut body, &self.event, fact);
        }
        (at, body)
    }

    /// Notes that a request was acknowledged.
    pub(crate) fn acknowledge(&mut self, at: usize) {
        self.requests[at].acknowledged = true;
    }

    /// Counts requests as unanswered that were acknowledged after this instant; how many.
    pub(crate) fn forget_since(&mut self, instant: SystemTime) -> u64 {
        let late = self.acknowledged.iter().filter(|(at, _)| *at > instant);
        let late: Vec<usize> = late.map(|&(_, at)| at).collect();
        for &at in &late {
            self.requests[at].acknowledged = false;
        }
        self.acknowledged.clear();
        late.len() as u64
    }

    /// The next request: one without a response, else rarely an old one, mostly a new one.
    fn choose(&mut self) -> usize {
        if let Some(again) = self.again.take() {
            return again;
        }
        let count = self.requests.len();
        if count > 0 && self.random.u32(..25) == 0 {
            return self.random.usize(..count);
        }
        let records = self.random.u64(1..=RECORDS_MAX);
        let mut facts: Vec<Fact> = (0..records).map(|_| self.draw()).collect();
        if self.random.u64(..10) == 0 {
            facts.push(facts[0]);
        }
        self.requests.push(Request {
            facts,
            acknowledged: false,
        });
        count
    }

    /// A fact about a new id, or the next about one that is open.
    fn draw(&mut self) -> Fact {
        let kind = self.random.usize(..3);
        let goes_on = self.random.u64(..3) > 0;
        let at = self.random.usize(..OPEN_MAX);
        let open = &mut self.open[kind];
        let (id, nth) = match open.get_mut(at) {
            Some((id, nth)) if goes_on && *nth + 1 < BEATS => {
                *nth += 1;
                (*id, *nth)
            }
            _ => {
                let new = (self.next, 0);
                self.next += 1;
                open.insert(0, new);
                open.truncate(OPEN_MAX);
                new
            }
        };
        match kind {
            0 => Fact::Beat { view: id, nth },
            1 => Fact::Version { message: id, nth },
            _ => Fact::Vote { voter: id, nth },
        }
    }
}

/// Sends while `work` is done, which must end the server: that ends the senders.
pub(crate) fn under_load<T>(
    senders: &mut [Sender],
    client: &Client,
    work: impl FnOnce() -> T,
) -> T {
    std::thread::scope(|scope| {
        for sender in senders {
            scope.spawn(move || {
                // The server may have ended already.
                if let Ok(mut connection) = client.connect() {
                    sender.send(&mut connection, &client.token);
                }
            });
        }
        work()
    })
}

/// Sends half an hour of each of these views.
pub(crate) fn fill(
    client: &Client,
    event: &str,
    views: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    let mut connection = client.connect()?;
    let mut views = views.peekable();
    while views.peek().is_some() {
        let mut body = String::new();
        for view in views.by_ref().take(RECORDS_EACH) {
            let (day, customer) = (view % 28 + 1, view % CUSTOMERS);
            writeln!(
                body,
                r#"{{"type":"playback","event_id":"{event}","playback_id":"{view}","customer_id":"{customer}","from":"2026-10-{day:02}T10:00:00Z","to":"2026-10-{day:02}T10:30:00Z"}}"#
            )?;
        }
        let status = connection
            .send("POST", "/collect", &client.token, body)?
            .status;
        ensure!(status == 202, "records were answered {status}");
    }
    Ok(())
}

/// Appends the record of a fact, with a newline.
fn write_record(body: &mut String, event: &str, fact: Fact) {
    let line = match fact {
        Fact::Beat { view, nth } => {
            let (from, to) = (*BEGINNING + (1 << nth), *BEGINNING + (2 << nth));
            let customer = view % CUSTOMERS;
            format!(
                r#"{{"type":"playback","event_id":"{event}","playback_id":"{view}","customer_id":"{customer}","from":{from},"to":{to}}}"#
            )
        }
        Fact::Version { message, nth } => {
            let begins = *BEGINNING;
            let updated_at = begins + u64::from(nth);
            format!(
                r#"{{"type":"chat","event_id":"{event}","message_id":"{message}","sent_at":{begins},"updated_at":{updated_at},"text":"{nth}"}}"#
            )
        }
        Fact::Vote { voter, nth } => {
            let (voted_at, option) = (*BEGINNING + u64::from(nth), nth % OPTIONS);
            // Each vote comes with its poll, which sent again is the same fact.
            let options: Vec<String> = (0..OPTIONS)
                .map(|id| format!(r#"{{"id":"{id}","text":"{id}"}}"#))
                .collect();
            let options = options.join(",");
            format!(
                r#"{{"type":"poll","event_id":"{event}","poll_id":"poll","question":"Which?","choice":"single","options":[{options}],"status":"active"}}
{{"type":"vote","event_id":"{event}","poll_id":"poll","customer_id":"{voter}","name":"{nth}","voted_at":{voted_at},"option_ids":["{option}"]}}"#
            )
        }
    };
    writeln!(body, "{line}").expect("writing to a string");
}
