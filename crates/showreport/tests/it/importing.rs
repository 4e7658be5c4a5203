//! Files as people have them: `showreport import`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::command_line::{acme, command, printed};

fn line(id: &str, text: &str) -> String {
    json!({
        "type": "chat", "event_id": "keynote", "message_id": id,
        "sent_at": "2025-03-01T10:00:00Z", "customer_id": "ada", "text": text,
    })
    .to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn utf16(text: &str) -> Vec<u8> {
    let marked = format!("\u{feff}{text}");
    marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The messages of the event, by their ids and texts.
fn messages(data: &Path) -> Vec<(String, String)> {
    let typed = "report --org acme --event keynote --dimension chat-histories --format ndjson";
    let report = printed(data, typed);
    let rows = report.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        (text("message_id"), text("text"))
    });
    rows.collect()
}

#[test]
fn each_kind_of_file_holds_the_same_records() {
    let text = format!(
        "{}\r\n{}\r\n",
        line("m1", "=1+1"),
        line("m2", "\u{1f44b}, é")
    );
    let csv = "\u{feff}type;event_id;message_id;sent_at;customer_id;text\r\n\
               chat;keynote;m1;2025-03-01T10:00:00Z;ada;=1+1\r\n\
               chat;keynote;m2;1740823200000;ada;\"\u{1f44b}, é\"\r\n";
    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22)
        .write_all(text.as_bytes())
        .expect("memory");
    let frames = text
        .split_inclusive('\n')
        .map(|line| zstd::encode_all(line.as_bytes(), 19));
    let frames: Vec<u8> = frames.flat_map(|frame| frame.expect("memory")).collect();
    for (name, bytes) in [
        ("a.ndjson", text.clone().into_bytes()),
        ("utf16.ndjson", utf16(&text)),
        // As `cat` joins files that begin with a mark.
        (
            "joined.jsonl",
            text.split_inclusive('\n')
                .flat_map(|line| [b"\xef\xbb\xbf", line.as_bytes()].concat())
                .collect(),
        ),
        ("a.ndjson.gz", [gzip(&utf16(&text)), vec![0; 1000]].concat()),
        ("frames.jsonl.zst", frames),
        ("a.ndjson.br", brotli),
        ("a.csv", csv.as_bytes().to_vec()),
        (
            "utf16.csv.gz",
            gzip(&utf16(csv.trim_start_matches('\u{feff}'))),
        ),
    ] {
        let data = acme();
        fs::write(data.path().join(name), bytes).expect("a file");
        assert_eq!(
            printed(data.path(), &format!("import {name} --org acme")),
            "accepted 2 records, rejected 0\n",
            "{name}"
        );
        let wanted = [("m1", "=1+1"), ("m2", "\u{1f44b}, é")];
        let wanted = wanted.map(|(id, text)| (id.to_owned(), text.to_owned()));
        assert_eq!(messages(data.path()), wanted, "{name}");
    }
}

/// The stderr of a program that exits with 1.
#[track_caller]
fn problem(data: &Path, typed: &str) -> String {
    let output = command(data, typed).output().expect("the program starts");
    let why = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{typed}: {why}");
    why
}

#[test]
fn rows_that_are_no_records_are_named_by_line() {
    let data = acme();
    let csv = "type,event_id,poll_id,option_ids,voted_at,customer_id\n\
               vote,keynote,q,\"[\"\"a\"\",\n\"\"b\"\"]\",2025-03-01T10:00:00Z,ada\n\
               vote,keynote,q,a,2025-03-01T10:00:00Z,bob\n\
               vote,keynote,q,[],2025-03-01T10:00:00Z,\"bob\",eve\n\
               vote,,q,[7],2025-03-01T10:00:00Z,42\n";
    fs::write(data.path().join("votes.csv"), csv).expect("a file");
    let why = problem(data.path(), "import votes.csv --org acme --event keynote");
    assert!(
        why.contains("votes.csv:4: WRONG_TYPE: `option_ids`"),
        "{why}"
    );
    assert!(
        why.contains("votes.csv:5: MALFORMED_CSV: the row has 7 cells"),
        "{why}"
    );
    assert_eq!(why.matches("votes.csv:").count(), 2, "{why}");
    fs::write(data.path().join("bare.csv"), "vote,keynote,q\n").expect("a file");
    let why = problem(data.path(), "import bare.csv --org acme");
    assert!(why.contains("`type`"), "{why}");
}

#[test]
fn a_file_that_another_program_must_unpack_is_named() {
    let data = acme();
    fs::write(data.path().join("a.ndjson"), b"BZh91AY&SY").expect("a file");
    let why = problem(data.path(), "import a.ndjson --org acme");
    assert!(why.contains("bunzip2"), "{why}");
}

/// Packs the file as the program of that name does. Nothing where it is not installed.
fn packed_by(tool: &[&str], file: &Path) -> Option<Vec<u8>> {
    let output = Command::new(tool[0])
        .args(&tool[1..])
        .arg(file)
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

#[test]
fn files_compressed_by_common_programs_are_read() {
    let data = acme();
    let lines: Vec<String> = (0..20_000)
        .map(|id| line(&format!("m{id}"), "hello"))
        .collect();
    let plain = data.path().join("plain");
    fs::write(&plain, lines.join("\n")).expect("a file");
    let mut tried = 0;
    for (tool, ending) in [
        (&["gzip", "-c"][..], "gz"),
        (&["pigz", "-c", "-p4", "-b128"], "gz"),
        (&["zstd", "-c", "-T4", "-B512K"], "zst"),
        (&["zstd", "-c", "--ultra", "-22", "--long=27"], "zst"),
        (&["pzstd", "-c", "-p", "4"], "zst"),
        (&["brotli", "-c", "-w", "24"], "br"),
    ] {
        let Some(packed) = packed_by(tool, &plain) else {
            continue;
        };
        tried += 1;
        let name = format!("packed-{tried}.ndjson.{ending}");
        fs::write(data.path().join(&name), packed).expect("a file");
        assert_eq!(
            printed(data.path(), &format!("import {name} --org acme")),
            "accepted 20000 records, rejected 0\n",
            "{tool:?}"
        );
    }
    assert!(tried > 0, "gzip is there wherever this is built");
}
