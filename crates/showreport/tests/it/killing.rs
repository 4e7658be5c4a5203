//! The program is killed, again and again; what it acknowledged is there.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command_line::{self, Server, acme, printed};
use crate::harness::Random;
use crate::harness::app::ndjson;

const ROUNDS: u64 = 6;
const BATCH: usize = 25;

pub(crate) fn message(id: usize) -> Value {
    json!({
        "type": "chat", "event_id": "keynote", "message_id": format!("{id:06}"), "text": "hello",
        "sent_at": 1_740_823_200_000_i64 + i64::try_from(id).expect("few"),
    })
}

/// Starts the server, which flushes all the time, and returns its address.
pub(crate) fn serve(data: &Path) -> (Server, String) {
    command_line::serve(data, "--flush-after 20ms", Stdio::null())
}

/// Sends a batch; whether it was acknowledged.
pub(crate) fn collect(address: &str, token: &str, batch: &[Value]) -> std::io::Result<bool> {
    let response = post(address, token, &ndjson(batch))?;
    Ok(response.starts_with("HTTP/1.1 202"))
}

/// Sends records. Returns the whole response.
pub(crate) fn post(address: &str, token: &str, body: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    write!(
        connection,
        "POST /collect HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut response = String::new();
    connection.read_to_string(&mut response)?;
    Ok(response)
}

#[test]
fn a_killed_server_has_lost_nothing_that_it_acknowledged() {
    let data = acme();
    let token = printed(data.path(), "token create --org acme --scope collect");
    let mut random = Random::new(5);
    let (mut sent, mut acknowledged) = (0, BTreeSet::new());
    for _ in 0..ROUNDS {
        let (mut server, address) = serve(data.path());
        let until = Duration::from_millis(u64::try_from(random.between(5, 400)).expect("positive"));
        let killer = std::thread::spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            server.0.kill().expect("kill");
            server.0.wait().expect("it ends");
        });
        loop {
            let ids = sent..sent + BATCH;
            sent += BATCH;
            let batch: Vec<Value> = ids.clone().map(message).collect();
            match collect(&address, token.trim_end(), &batch) {
                Ok(true) => acknowledged.extend(ids),
                Ok(false) | Err(_) => break,
            }
        }
        killer.join().expect("the killer ends");
    }
    assert!(!acknowledged.is_empty());
    let file = printed(
        data.path(),
        "report --org acme --event keynote --dimension chat-histories",
    );
    let ids = file.lines().skip(1).map(|row| {
        row.split(',')
            .nth(1)
            .expect("an id")
            .parse()
            .expect("a number")
    });
    let found: Vec<usize> = ids.collect();
    let distinct: BTreeSet<usize> = found.iter().copied().collect();
    assert_eq!(found.len(), distinct.len(), "nothing is there twice");
    assert!(
        acknowledged.is_subset(&distinct),
        "lost: {:?}",
        acknowledged.difference(&distinct)
    );
    assert!(distinct.iter().all(|id| *id < sent), "nothing was made up");
}
