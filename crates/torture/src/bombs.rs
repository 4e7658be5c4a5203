//! Bodies that are small and unpack to much: each is refused, and takes hardly any memory.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{Outcome, Torment};
use showreport_testkit::{Product, Server};
use showreport_testkit::{execute, root};

/// How much more memory the server may take for all of a kind at once.
const MEMORY_MAX: u64 = 32 << 20;

/// The same for bodies that are allowed: for each processor one that is unpacked, as much again
/// to read it, and one window.
fn memory_max_fitting() -> u64 {
    let processors = thread::available_parallelism().map_or(2, usize::from);
    (processors.min(8) as u64 * 32 + 16) << 20
}

/// How long a bomb is sent again and again while the server has no turn for it.
const PATIENCE: Duration = Duration::from_mins(2);

/// A body and what it deserves.
struct Bomb {
    name: String,
    answer: u16,
    encoding: String,
    body: Vec<u8>,
}

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    let bombs = bombs(&torment.folder.join("bombs"))?;
    warm_up(&server)?;
    control(&server)?;
    let (mut worst, mut worst_fitting, mut too_much) = (0, 0, Vec::new());
    for bomb in &bombs {
        let grown = explode(&server, bomb, torment.rounds)?;
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
        torment.rounds,
        too_much.join(", ")
    );
    Ok(Outcome::Held(format!(
        "{} at once of each of {} bombs, all refused; at most {} MiB more memory, {} MiB for bodies \
         of the size that is allowed",
        torment.rounds,
        bombs.len(),
        worst >> 20,
        worst_fitting >> 20,
    )))
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
        let (Some(answer), Some(encoding)) = (parts.next(), parts.next()) else {
            continue;
        };
        bombs.push(Bomb {
            answer: answer.parse()?,
            encoding: encoding.to_owned(),
            body: fs::read(&path)?,
            name: name.to_owned(),
        });
    }
    bombs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(bombs)
}

/// So many at once; gives how much more memory that took.
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
    let head = format!(
        "POST /collect HTTP/1.1\r\nHost: bombs\r\nAuthorization: Bearer {}\r\n\
         Content-Encoding: {}\r\nContent-Length: {}\r\n\r\n",
        server.token,
        bomb.encoding,
        bomb.body.len()
    );
    let begun = Instant::now();
    loop {
        let answer = server.connect()?.send(head.as_bytes(), &bomb.body)?;
        // Of many at once some are told to come again.
        if answer.status == 503 && answer.retry_after().is_some() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(200));
            continue;
        }
        ensure!(
            answer.status == bomb.answer,
            "{} was answered {}: {}",
            bomb.name,
            answer.status,
            String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)])
        );
        return Ok(());
    }
}

/// Bodies that are as large as they say take memory, and that must show.
fn control(server: &Server) -> anyhow::Result<()> {
    let large = Bomb {
        name: "plain spaces".to_owned(),
        answer: 400,
        encoding: "identity".to_owned(),
        body: vec![b' '; 16 << 20],
    };
    let grown = explode(server, &large, 4)?;
    ensure!(
        grown > MEMORY_MAX,
        "64 MiB of bodies were sent and only {} MiB of memory seen",
        grown >> 20
    );
    Ok(())
}

/// What the first requests take once and for all is not the bombs'.
fn warm_up(server: &Server) -> anyhow::Result<()> {
    let bomb = Bomb {
        name: "a record".to_owned(),
        answer: 202,
        encoding: "identity".to_owned(),
        body: br#"{"type":"event","event_id":"keynote","kind":"live","title":"Keynote"}"#.to_vec(),
    };
    explode(server, &bomb, 64).map(drop)
}
