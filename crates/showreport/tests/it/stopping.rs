//! SIGTERM ends the server gracefully and in time, also while other processes work.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command_line::{acme, printed};
use crate::killing::{collect, message, serve};

/// The drain of requests has 10 s; here nothing is to be drained.
const STOPPED_WITHIN: Duration = Duration::from_secs(9);

fn terminate(pid: u32) {
    let sent = Command::new("kill")
        .args(["-TERM", &pid.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

#[test]
fn a_server_stops_in_time_while_another_process_changes_the_lake() {
    let data = acme();
    let token = printed(data.path(), "token create --org acme --scope collect");
    let token = token.trim_end();
    let (mut server, address) = serve(data.path());
    // As an import holds it for minutes.
    let lock = File::options()
        .write(true)
        .open(data.path().join("flush.lock"))
        .expect("the server has made it");
    lock.lock().expect("the lock");
    let batch = [message(1)];
    assert!(collect(&address, token, &batch).expect("a response"));
    // The flusher, which comes by every 20 ms, waits for the lock.
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    terminate(server.0.id());
    let status = server.0.wait().expect("it ends");
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0), "after {took:?}");
    assert!(took < STOPPED_WITHIN, "it took {took:?}");
    lock.unlock().expect("unlocked");
    let report = "report --org acme --event keynote --dimension chat-histories";
    assert_eq!(printed(data.path(), report).lines().count(), 2);
}

#[test]
fn a_live_stream_ends_at_once_when_the_server_stops() {
    let data = acme();
    let token = printed(
        data.path(),
        "token create --org acme --scope collect,report",
    );
    let token = token.trim_end();
    let (mut server, address) = serve(data.path());
    assert!(collect(&address, token, &[message(1)]).expect("a response"));
    let mut stream = TcpStream::connect(&address).expect("the server listens");
    write!(
        stream,
        "GET /api/v1/events/keynote/live/stream HTTP/1.1\r\nhost: {address}\r\n\
         authorization: Bearer {token}\r\n\r\n"
    )
    .expect("sent");
    let mut begun = [0; 1024];
    let length = stream.read(&mut begun).expect("a response");
    assert!(begun[..length].starts_with(b"HTTP/1.1 200"));
    let stopping = Instant::now();
    terminate(server.0.id());
    stream
        .read_to_end(&mut Vec::new())
        .expect("the stream ends in good order");
    assert_eq!(server.0.wait().expect("it ends").code(), Some(0));
    let took = stopping.elapsed();
    assert!(took < STOPPED_WITHIN, "it took {took:?}");
}
