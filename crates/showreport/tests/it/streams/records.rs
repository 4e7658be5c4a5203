//! Random records: few ids and instants, so that they collide, and texts that
//! files and spreadsheets stumble over.

use serde_json::{Value, json};

use crate::harness::Random;
use crate::oracle::rfc3339;

const CUSTOMERS: [&str; 7] = [
    "ada",
    "bob",
    "=SUM(A1)",
    "tv-1",
    "Ébène",
    "a,b",
    "say \"q\"",
];
const DEVICES: [&str; 6] = ["tv-1", "phone", "-d", "ada", "+x", "d e"];
const PLAYBACKS: [&str; 7] = ["p1", "p2", "p3", "@p4", "ada", "tv-1", "p,5"];
const SYSTEMS: [&str; 5] = ["iOS", "Android", "=os", "Fire TV, 2nd", "\"Tizen\""];
const REGIONS: [&str; 5] = ["TW", "tw-tpe", "DE", "us-ca", "JP-13"];
const TEXTS: [&str; 14] = [
    "hello",
    "=1+1",
    "",
    "a,b",
    "line\nbreak",
    "say \"hi\"",
    "-",
    "\ttab",
    "\rreturn",
    "\nfeed",
    "＝1+1",
    "@all",
    "日本",
    "z\r\n",
];
const NAMES: [&str; 5] = ["Ada L.", "+Bob", "Éa", "x,y", "A"];
const MESSAGES: [&str; 8] = ["m1", "m2", "m3", "m4", "=m5", "m6", "m7", "m8"];
const POLLS: [&str; 4] = ["q1", "q2", "-q3", "never-defined"];
const OPTIONS: [&str; 5] = ["a", "b", "=c", "d", "a b"];
const QUESTIONS: [&str; 3] = ["Why?", "=why", "Who, then?"];
const VOTES: [&str; 4] = ["v1", "v2", "v10", "=v"];
const RATES: [f64; 7] = [1.0, 1.5, 2.0, 0.333, 0.0, 0.0004, 17.0];

/// Makes records around one instant.
pub(crate) struct Records {
    /// The middle of everything: often a midnight somewhere.
    middle: i64,
}

impl Records {
    pub(crate) const fn around(middle: i64) -> Self {
        Self { middle }
    }

    /// A valid record of an event.
    pub(crate) fn record(&self, random: &mut Random, event: &str) -> Value {
        let mut record = match random.below(100) {
            0..38 => self.playback(random),
            38..58 => self.beat(random),
            58..68 => self.chat(random),
            68..70 => self.deletion(random),
            70..79 => self.poll(random),
            79..97 => self.vote(random),
            _ => self.event(random),
        };
        record["event_id"] = event.into();
        if random.percent(5) {
            record["x_unknown"] = json!({"ignored": [1, 2]});
        }
        record
    }

    /// The record again with another value in one field, so that just this field decides.
    pub(crate) fn variant(&self, random: &mut Random, record: &Value) -> Value {
        let fields: &[&str] = match record["type"].as_str() {
            Some("playback") => &[
                "customer_id",
                "device_id",
                "device_os",
                "geo_region",
                "name",
                "position_ms",
                "rate",
            ],
            Some("beat") => &[
                "seq",
                "at",
                "playing",
                "customer_id",
                "device_id",
                "geo_region",
            ],
            Some("chat") if record["sent_at"].is_null() => &["updated_at"],
            Some("chat") => &[
                "updated_at",
                "deleted",
                "text",
                "name",
                "role",
                "customer_id",
                "device_id",
                "sent_at",
            ],
            Some("poll") => &[
                "updated_at",
                "question",
                "choice",
                "options",
                "status",
                "started_at",
                "ended_at",
            ],
            Some("vote") => &[
                "device_id",
                "device_id",
                "name",
                "vote_id",
                "option_ids",
                "voted_at",
            ],
            _ => &["title"],
        };
        let field = *random.pick(fields);
        let other = match record["type"].as_str() {
            Some("playback") => self.playback(random),
            Some("beat") => self.beat(random),
            Some("chat") => self.chat(random),
            Some("poll") => self.poll(random),
            Some("vote") => self.vote(random),
            _ => self.event(random),
        };
        let mut variant = record.clone();
        if other[field].is_null() {
            // A vote needs a customer or a device.
            if record["type"] != "vote" || field != "device_id" {
                variant.as_object_mut().expect("a record").remove(field);
            }
        } else if other[field] != "" || field == "text" {
            variant[field] = other[field].clone();
        }
        variant
    }

    fn playback(&self, random: &mut Random) -> Value {
        let from = match random.below(10) {
            0 => self.middle + random.between(-3_000, 3_000),
            1 => self.middle + random.between(-30 * 3_600_000, 30 * 3_600_000),
            _ => self.instant(random),
        };
        let length = match random.below(20) {
            0 => 1,
            1 => random.between(1, 2_500),
            2 => random.between(1_000_000, 12_000_000),
            3..6 => random.between(30_000, 400_000),
            _ => *random.pick(&[10_000, 10_000, 5_000, 9_999, 10_001]),
        };
        let mut record = json!({
            "type": "playback",
            "playback_id": random.pick(&PLAYBACKS),
            "from": time(random, from),
            "to": time(random, from + length),
        });
        maybe(random, &mut record, "customer_id", 45, &CUSTOMERS);
        maybe(random, &mut record, "device_id", 50, &DEVICES);
        maybe(random, &mut record, "device_os", 40, &SYSTEMS);
        maybe(random, &mut record, "geo_region", 40, &REGIONS);
        maybe(random, &mut record, "name", 30, &NAMES);
        if random.percent(50) {
            record["position_ms"] = position(random);
        }
        if random.percent(30) {
            record["rate"] = (*random.pick(&RATES)).into();
        }
        record
    }

    /// Often the successor of another one: the numbers are few, and follow the clock.
    fn beat(&self, random: &mut Random) -> Value {
        let number = random.between(0, 9);
        let off = *random.pick(&[0, 0, 0, 0, 1, -1, 500, 65_000, 65_001, -90_000]);
        let mut record = json!({
            "type": "beat",
            "playback_id": random.pick(&PLAYBACKS),
            "at": time(random, self.middle + (number - 5) * 10_000 + off),
            "playing": random.percent(75),
        });
        match random.below(10) {
            0..6 => record["seq"] = number.into(),
            6 => record["seq"] = random.between(0, 9).into(),
            7 => record["seq"] = Value::Null,
            _ => {}
        }
        maybe(random, &mut record, "customer_id", 30, &CUSTOMERS);
        maybe(random, &mut record, "device_id", 40, &DEVICES);
        maybe(random, &mut record, "device_os", 30, &SYSTEMS);
        maybe(random, &mut record, "geo_region", 30, &REGIONS);
        maybe(random, &mut record, "name", 20, &NAMES);
        record
    }

    fn chat(&self, random: &mut Random) -> Value {
        let sent_at = self.instant(random);
        let mut record = json!({
            "type": "chat",
            "message_id": random.pick(&MESSAGES),
            "sent_at": time(random, sent_at),
            "text": random.pick(&TEXTS),
        });
        maybe(random, &mut record, "customer_id", 60, &CUSTOMERS);
        maybe(random, &mut record, "device_id", 50, &DEVICES);
        maybe(random, &mut record, "name", 50, &NAMES);
        maybe(
            random,
            &mut record,
            "role",
            50,
            &["viewer", "guest", "admin"],
        );
        if random.percent(30) {
            record["deleted"] = random.percent(70).into();
        }
        self.maybe_time(random, &mut record, "updated_at");
        record
    }

    /// Of a message by its id alone.
    fn deletion(&self, random: &mut Random) -> Value {
        let mut record = json!({
            "type": "chat",
            "message_id": random.pick(&MESSAGES),
            "deleted": true,
        });
        self.maybe_time(random, &mut record, "updated_at");
        record
    }

    fn poll(&self, random: &mut Random) -> Value {
        let mut ids = OPTIONS.to_vec();
        random.shuffle(&mut ids);
        ids.truncate(2 + random.below(3));
        let options: Vec<Value> = ids
            .iter()
            .map(|id| {
                let mut option =
                    json!({"id": id, "text": format!("{id}{}", random.pick(&["!", ",", ""]))});
                if random.percent(40) {
                    option["correct"] = random.percent(50).into();
                }
                option
            })
            .collect();
        let mut record = json!({
            "type": "poll",
            "poll_id": random.pick(&POLLS[..3]),
            "question": random.pick(&QUESTIONS),
            "choice": random.pick(&["single", "multi"]),
            "options": options,
            "status": random.pick(&["queued", "active", "closed", "archived"]),
        });
        for field in ["started_at", "ended_at"] {
            self.maybe_time(random, &mut record, field);
        }
        if random.percent(50) {
            let at = self.middle + random.between(0, 1);
            record["updated_at"] = time(random, at);
        }
        record
    }

    fn vote(&self, random: &mut Random) -> Value {
        // Many votes that differ in one field only.
        let voted_at = match random.below(3) {
            0 => self.instant(random),
            _ => self.middle + random.between(-2, 2) * 60_000,
        };
        let chosen = *random.pick(&[0, 1, 1, 1, 1, 1, 2, 3]);
        let options: Vec<&str> = (0..chosen).map(|_| *random.pick(&OPTIONS)).collect();
        let mut record = json!({
            "type": "vote",
            "poll_id": random.pick(&POLLS),
            "voted_at": time(random, voted_at),
            "option_ids": options,
        });
        maybe(random, &mut record, "customer_id", 70, &CUSTOMERS[..3]);
        maybe(random, &mut record, "device_id", 50, &DEVICES);
        if record["customer_id"].as_str().is_none_or(str::is_empty) {
            record["device_id"] = (*random.pick(&DEVICES)).into();
        }
        maybe(random, &mut record, "name", 50, &NAMES);
        maybe(random, &mut record, "vote_id", 40, &VOTES);
        record
    }

    fn event(&self, random: &mut Random) -> Value {
        let (starts_at, length) = (self.instant(random), random.between(1_000, 3_600_000));
        let mut record = json!({
            "type": "event",
            "kind": "live",
            "title": random.pick(&["Keynote", "Keynote, again", "=Keynote"]),
            "starts_at": time(random, starts_at),
            "ends_at": time(random, starts_at + length),
            "updated_at": self.middle + random.between(0, 5),
        });
        if random.percent(50) {
            record["duration_ms"] = (*random.pick(&[1, 60_000, 65_432, 200_000])).into();
        }
        record
    }

    /// One of few instants, so that times are often equal.
    fn instant(&self, random: &mut Random) -> i64 {
        self.middle + random.between(-60, 60) * 5_000 + random.pick(&[0, 0, 0, 0, 1, -1, 500])
    }

    fn maybe_time(&self, random: &mut Random, record: &mut Value, field: &str) {
        match random.below(10) {
            0..4 => {
                let at = self.instant(random);
                record[field] = time(random, at);
            }
            4 => record[field] = Value::Null,
            _ => {}
        }
    }
}

/// Positions that lie near each other, fractions, and the wall clock, as players of live streams
/// send it.
fn position(random: &mut Random) -> Value {
    match random.below(12) {
        0 => json!(0.999),
        1 => random.between(0, 100_000).into(),
        2 => 1_795_305_600_000_i64.into(),
        _ => (random.between(0, 12) * 10_000 + random.pick(&[0, 0, 249, 250, 251, -250]))
            .max(0)
            .into(),
    }
}

/// Sets an optional field, or leaves it out in one of the three ways.
fn maybe(random: &mut Random, record: &mut Value, field: &str, percent: usize, choices: &[&str]) {
    if random.percent(percent) {
        record[field] = (*random.pick(choices)).into();
    } else {
        match random.below(6) {
            0 => record[field] = Value::Null,
            1 => record[field] = "".into(),
            _ => {}
        }
    }
}

/// An instant in one of the forms in which times are sent.
fn time(random: &mut Random, millis: i64) -> Value {
    let text = rfc3339(millis);
    match random.below(8) {
        0 => text.into(),
        // What is below a millisecond is floored away.
        1 => text.replace('Z', "999Z").into(),
        2 => rfc3339(millis + 8 * 3_600_000)
            .replace('Z', "+08:00")
            .into(),
        3 => rfc3339(millis - 210 * 60_000)
            .replace('Z', "000001-03:30")
            .into(),
        _ => millis.into(),
    }
}
