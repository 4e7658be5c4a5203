use std::io::Cursor;

use super::*;

/// Each line that is not blank, with its number; `Err` for one that is rejected.
fn lines(text: &str) -> Vec<(usize, Result<String, String>)> {
    let blocks = CsvBlocks::open(Box::new(Cursor::new(text.to_owned()))).expect("a header");
    let mut lines = Vec::new();
    for block in blocks {
        let Block {
            first_line,
            content,
        } = block.expect("memory");
        match content {
            Content::Lines(text) => {
                let text = String::from_utf8(text).expect("UTF-8");
                let numbered = (first_line..).zip(text.lines());
                let filled = numbered.filter(|(_, line)| !line.is_empty());
                lines.extend(filled.map(|(number, line)| (number, Ok(line.to_owned()))));
            }
            Content::Rejected(_, why) => lines.push((first_line, Err(why))),
        }
    }
    lines
}

fn record(number: usize, json: &str) -> (usize, Result<String, String>) {
    (number, Ok(json.to_owned()))
}

#[test]
fn a_row_is_a_record_with_the_number_of_its_first_line() {
    let text = "\u{feff}type,event_id,message_id,sent_at,text,ours\r\n\
                chat,e,7,1795341600000,\"said \"\"hi\"\",\r\nand went\",x\r\n\
                \r\n\
                chat,e,008,2026-11-22T10:00:00Z,\"C:\\dir\",\r\n\
                chat,e,m,,";
    let wanted = [
        record(
            1,
            r#"{"type":"chat","event_id":"e","message_id":"7","sent_at":1795341600000,"text":"said \"hi\",\u000d\u000aand went"}"#,
        ),
        record(
            4,
            r#"{"type":"chat","event_id":"e","message_id":"008","sent_at":"2026-11-22T10:00:00Z","text":"C:\\dir"}"#,
        ),
    ];
    let lines = lines(text);
    assert_eq!(lines[..2], wanted);
    let (number, problem) = &lines[2];
    assert_eq!(*number, 5);
    assert!(problem.as_ref().is_err_and(|why| why.contains("5 cells")));
}

#[test]
fn cells_have_the_types_of_their_fields() {
    let text = "type;position_ms;rate;deleted;option_ids;from\n\
                a;12345.678;-0;TRUE;\"[\"\"a\"\",\n 2]\";1\n\
                b;;;;;\n\
                c;far;\"1,5\";yes;a,b;1.5\n";
    let wanted = [
        record(
            1,
            r#"{"type":"a","position_ms":12345.678,"rate":-0,"deleted":true,"option_ids":["a",  2],"from":1}"#,
        ),
        record(3, r#"{"type":"b"}"#),
        record(
            4,
            r#"{"type":"c","position_ms":"far","rate":"1,5","deleted":"yes","option_ids":"a,b","from":"1.5"}"#,
        ),
    ];
    assert_eq!(lines(text), wanted);
}

#[test]
fn a_header_names_the_fields_and_may_be_repeated() {
    let joined = "type\tevent_id\na\te\n\u{feff}type\tevent_id\nb\te\n";
    let wanted = [
        record(1, r#"{"type":"a","event_id":"e"}"#),
        record(3, r#"{"type":"b","event_id":"e"}"#),
    ];
    assert_eq!(lines(joined), wanted);
    assert!(lines("").is_empty());
    assert!(lines("type,text\n").is_empty());
    let open = |text: &'static str| CsvBlocks::open(Box::new(Cursor::new(text)));
    assert!(open("event_id,text\na,b\n").is_err());
    assert!(open("type,text,text\na,b,c\n").is_err());
}

#[test]
fn a_quote_that_is_never_closed_takes_bounded_memory() {
    let rest = "a,\"b\n".to_owned() + &"x\n".repeat(LINE_BYTES_MAX / 2 + 1);
    let lines = lines(&format!("type,text\n{rest}a,b\n"));
    let (number, problem) = &lines[0];
    assert_eq!(*number, 1);
    assert!(problem.as_ref().is_err_and(|why| why.contains("longer")));
    // The rows after it are read.
    assert_eq!(
        lines.last(),
        Some(&record(
            LINE_BYTES_MAX / 2 + 3,
            r#"{"type":"a","text":"b"}"#
        ))
    );
}

#[test]
fn every_field_with_a_type_is_one_that_records_have() {
    for field in [&LISTS[..], &NUMBERS, &FLAGS, &TIMES].concat() {
        assert!(FIELD_NAMES.contains(&field), "{field}");
    }
}

/// Texts that must be quoted in CSV, and texts that need not.
fn texts(seed: u64) -> Vec<String> {
    let parts = [
        "a", ",", ";", "\"", "\n", "\r\n", "\r", "é", " ", "'", "[", "\t",
    ];
    let mut state = seed;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from((state >> 33) % below).expect("a small number")
    };
    let mut text = || (0..next(6)).map(|_| parts[next(12)]).collect::<String>();
    (0..3).map(|_| text()).collect()
}

#[test]
fn csv_that_a_writer_wrote_is_read_back() {
    for separator in SEPARATORS {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(separator)
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        let rows: Vec<Vec<String>> = (0..3_000).map(texts).collect();
        writer
            .write_record(["type", "name", "text", "title"])
            .expect("memory");
        for row in &rows {
            writer
                .write_record(["x"].into_iter().chain(row.iter().map(String::as_str)))
                .expect("memory");
        }
        let text = writer.into_inner().expect("memory");
        let text = String::from_utf8(text).expect("UTF-8");
        let read: Vec<Vec<String>> = lines(&text)
            .into_iter()
            .map(|(_, line)| {
                let record: serde_json::Value =
                    serde_json::from_str(&line.expect("a record")).expect("JSON");
                let cell = |name: &str| record[name].as_str().expect("a text").to_owned();
                ["name", "text", "title"].map(cell).to_vec()
            })
            .collect();
        assert!(read == rows);
    }
}
