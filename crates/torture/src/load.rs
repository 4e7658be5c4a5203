//! Many kinds of records, sent by clients that try again and repeat themselves.

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::SystemTime;

use anyhow::ensure;

use super::book::{Fact, Request};
use super::victim::Caller;
use showreport_testkit::{Connection, Random, head};

/// When every show begins, in milliseconds: three days before the run, at 10 o'clock. Its day is
/// settled, and late records restate it.
static BEGINNING: LazyLock<u64> = LazyLock::new(|| {
    let now = now().duration_since(SystemTime::UNIX_EPOCH);
    let days = now.expect("it is after 1970").as_secs() / 86_400 - 3;
    (days * 24 + 10) * 3_600_000
});

/// Stretches of a view. Each is twice as long as the one before, in whole milliseconds, so that the
/// sum of those that are there says which they are.
pub(crate) const BEATS: u32 = 20;

/// Customers of an event.
pub(crate) const CUSTOMERS: u64 = 40;

/// Options of the one poll.
pub(crate) const OPTIONS: u32 = 3;

/// Clients that send at the same time, each on a connection of its own.
pub(crate) const CLIENTS: u64 = 4;

/// Records of a client's request.
const RECORDS_MAX: u64 = 12;

/// Records of a request that fills a server.
const RECORDS_EACH: usize = 1_000;

/// Views, messages and voters that are gone on with.
const OPEN_MAX: usize = 8;

/// What tells the ids of one client from those of all others.
const CLIENT_IDS: u64 = 1_000_000;

/// One that sends, and keeps its part of the book.
pub(crate) struct Client {
    random: Random,
    event: String,
    next: u64,
    /// Of each kind, what can be gone on with: its id, and how much of it was told.
    open: [Vec<(u64, u32)>; 3],
    /// A request without an answer that is to be sent again.
    again: Option<usize>,
    /// When which request was first acknowledged.
    answers: Vec<(SystemTime, usize)>,
    pub(crate) told: Vec<Request>,
}

impl Client {
    pub(crate) fn new(number: u64, event: &str, random: &mut Random) -> Self {
        Self {
            random: Random::new(random.next()),
            event: event.to_owned(),
            next: number * CLIENT_IDS,
            open: Default::default(),
            again: None,
            answers: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Sends until the connection breaks.
    pub(crate) fn talk(&mut self, connection: &mut Connection, token: &str) {
        loop {
            let (at, body) = self.write();
            let head = head("POST", "/collect", token, body.len());
            let answer = connection.send(head.as_bytes(), body.as_bytes());
            if answer.as_ref().is_ok_and(|answer| answer.status == 202) {
                if !std::mem::replace(&mut self.told[at].acknowledged, true) {
                    self.answers.push((now(), at));
                }
                continue;
            }
            // Half of the clients give up; what they sent may be kept or not.
            if !self.told[at].acknowledged && self.random.below(2) == 0 {
                self.again = Some(at);
            }
            if answer.is_err() {
                return;
            }
        }
    }

    /// The next request, and its records in lines.
    pub(crate) fn write(&mut self) -> (usize, String) {
        let at = self.choose();
        let mut body = String::new();
        for &fact in &self.told[at].facts {
            tell(&mut body, &self.event, fact);
        }
        (at, body)
    }

    /// Notes that a request was confirmed.
    pub(crate) fn acknowledge(&mut self, at: usize) {
        self.told[at].acknowledged = true;
    }

    /// Takes answers that came after an instant for none; says how many there were.
    pub(crate) fn forget_since(&mut self, instant: SystemTime) -> u64 {
        let late = self.answers.iter().filter(|(came, _)| *came > instant);
        let late: Vec<usize> = late.map(|&(_, at)| at).collect();
        for &at in &late {
            self.told[at].acknowledged = false;
        }
        self.answers.clear();
        late.len() as u64
    }

    /// The next request: one that had no answer, rarely an old one, mostly a new one.
    fn choose(&mut self) -> usize {
        if let Some(again) = self.again.take() {
            return again;
        }
        let told = self.told.len();
        if told > 0 && self.random.below(25) == 0 {
            return usize::try_from(self.random.below(told as u64)).expect("it is less than told");
        }
        let records = 1 + self.random.below(RECORDS_MAX);
        let mut facts: Vec<Fact> = (0..records).map(|_| self.draw()).collect();
        if self.random.below(10) == 0 {
            facts.push(facts[0]);
        }
        self.told.push(Request {
            facts,
            acknowledged: false,
        });
        told
    }

    /// Something new, or more of something old.
    fn draw(&mut self) -> Fact {
        let kind = usize::try_from(self.random.below(3)).expect("it is less than 3");
        let goes_on = self.random.below(3) > 0;
        let at = self.random.below(OPEN_MAX as u64);
        let open = &mut self.open[kind];
        let at = usize::try_from(at).expect("it is small");
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

#[expect(
    clippy::disallowed_methods,
    reason = "it is compared with what another program took for the time"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Lets clients send while something is done to their server, which must end in its death.
pub(crate) fn under_load<T>(
    clients: &mut [Client],
    caller: &Caller,
    torment: impl FnOnce() -> T,
) -> T {
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(move || {
                // Who cannot connect comes too late.
                if let Ok(mut connection) = caller.connect() {
                    client.talk(&mut connection, &caller.token);
                }
            });
        }
        torment()
    })
}

/// Sends half an hour of each of so many views.
pub(crate) fn fill(
    caller: &Caller,
    event: &str,
    views: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    let mut connection = caller.connect()?;
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
        let head = head("POST", "/collect", &caller.token, body.len());
        let answer = connection.send(head.as_bytes(), body.as_bytes())?;
        ensure!(
            answer.status == 202,
            "records were answered {}",
            answer.status
        );
    }
    Ok(())
}

/// Writes the record of a fact, a line.
fn tell(body: &mut String, event: &str, fact: Fact) {
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
            // Its poll comes with each vote: told again, it is the same poll.
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
