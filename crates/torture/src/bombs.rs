//! Decompression bombs: each body is refused, within a bounded memory.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;

use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use showreport_testkit::{Product, Server, execute, request, root};

/// How much more memory the server may take for all copies of a bomb at once.
const MEMORY_MAX: u64 = 32 << 20;

/// The same for bodies of the permitted size: for each processor one that is unpacked, as much
/// again to decode it, and one window.
fn memory_max_fitting() -> u64 {
    let processors = thread::available_parallelism().map_or(2, usize::from);
    (processors.min(8) as u64 * 32 + 16) << 20
}

/// How long a bomb is sent again that was refused with `Retry-After`.
const RETRIED_FOR: Duration = Duration::from_mins(2);

/// A body, and the status of its response.
struct Bomb {
    name: String,
    status: u16,
    encoding: String,
    body: Bytes,
}

pub(crate) struct Bombs;

impl Scenario for Bombs {
    fn name(&self) -> &'static str {
        "bombs"
    }

    fn about(&self) -> &'static str {
        "bodies that unpack to much are refused within a bounded memory"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 100,
            small: 16,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    let bombs = bombs(&setting.folder.join("bombs"))?;
    warm_up(&server)?;
    let control = control(&server)?;
    let (mut worst, mut worst_fitting, mut too_much) = (0, 0, Vec::new());
    for bomb in &bombs {
        let grown = explode(&server, bomb, setting.rounds)?;
        let (memory_max, worst) = if bomb.name.contains(" that fit") {
            (memory_max_fitting(), &mut worst_fitting)
        } else {
            (MEMORY_MAX, &mut worst)
        };
        *worst = (*worst).max(grown);
        if grown > memory_max {
            too_much.push(format!("{}: {} MiB", bomb.name, grown >> 20));
        }
    }
    ensure!(
        too_much.is_empty(),
        "{} at once of these took too much memory: {}",
        setting.rounds,
        too_much.join(", ")
    );
    let held = format!(
        "{} at once of each of {} bombs, all refused; at most {} MiB more memory, {} MiB for bodies \
         of the permitted size",
        setting.rounds,
        bombs.len(),
        worst >> 20,
        worst_fitting >> 20,
    );
    Ok(Outcome::Held(held, control))
}

fn bombs(folder: &Path) -> anyhow::Result<Vec<Bomb>> {
    fs::create_dir_all(folder)?;
    let mut make = Command::new("python3");
    execute(make.arg(root().join("tests/hostile/bombs.py")).arg(folder))?;
    let mut bombs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.context("read a name")?;
        let mut parts = name.splitn(3, '.');
        let (Some(status), Some(encoding)) = (parts.next(), parts.next()) else {
            continue;
        };
        bombs.push(Bomb {
            status: status.parse()?,
            encoding: encoding.to_owned(),
            body: fs::read(&path)?.into(),
            name: name.to_owned(),
        });
    }
    bombs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(bombs)
}

/// Sends this many copies at once; gives how much more memory that took.
fn explode(server: &Server, bomb: &Bomb, at_once: u64) -> anyhow::Result<u64> {
    let before = server.resident_bytes()?;
    server.forget_peak()?;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(|| send(server, bomb)))
            .collect();
        for thread in threads {
            thread.join().expect("sending does not panic")?;
        }
        anyhow::Ok(())
    })?;
    Ok(server.peak_bytes()?.saturating_sub(before))
}

fn send(server: &Server, bomb: &Bomb) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let mut request = request("POST", "/collect", bomb.body.clone())?;
        let headers = request.headers_mut();
        // The decoder is found by the bytes alone.
        headers.remove(CONTENT_TYPE);
        headers.insert(
            AUTHORIZATION,
            format!("Bearer {}", server.client.token).parse()?,
        );
        headers.insert(CONTENT_ENCODING, bomb.encoding.parse()?);
        let response = server.client.connect()?.send_request(request)?;
        let is_busy = response.status == 503 && response.retry_after().is_some();
        if is_busy && begun.elapsed() < RETRIED_FOR {
            thread::sleep(Duration::from_millis(200));
            continue;
        }
        ensure!(
            response.status == bomb.status,
            "{} was answered {}: {}",
            bomb.name,
            response.status,
            response.text().chars().take(500).collect::<String>()
        );
        return Ok(());
    }
}

/// Large bodies that are not packed take memory, which must be noticed.
fn control(server: &Server) -> anyhow::Result<Control> {
    let large = Bomb {
        name: "plain spaces".to_owned(),
        status: 400,
        encoding: "identity".to_owned(),
        body: vec![b' '; 16 << 20].into(),
    };
    let grown = explode(server, &large, 4)?;
    Control::noticed(grown > MEMORY_MAX, "the memory of 64 MiB of plain bodies")
}

const RECORD: &[u8] = br#"{"type":"event","event_id":"keynote","kind":"live","title":"Keynote"}"#;

/// Lets the server allocate what it keeps for any request, which is not the bombs'.
fn warm_up(server: &Server) -> anyhow::Result<()> {
    let bomb = Bomb {
        name: "a record".to_owned(),
        status: 202,
        encoding: "identity".to_owned(),
        body: Bytes::from_static(RECORD),
    };
    explode(server, &bomb, 64).map(drop)
}
