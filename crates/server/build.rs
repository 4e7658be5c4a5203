//! Makes the scripts and the style sheet as they are served: without comments and indentation,
//! compressed, and hashed.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

const SCRIPT: &str = "src/script/showreport.js";
const DASHBOARD_SCRIPT: &str = "assets/dashboard.js";
const DASHBOARD_STYLE: &str = "assets/dashboard.css";

/// Where the script sends to, seen from its own address.
const BESIDE: &str = "\"collect?key=\"";
/// The same for the script below `/collect`, and so below `--collect-path`.
const ABOVE: &str = "\"./?key=\"";

/// A page that includes the script waits for so many bytes at most.
const PLAIN_BYTES_MAX: usize = 5_000;
const GZIP_BYTES_MAX: usize = 2_000;

/// Pages work without their script, so it stays small.
const DASHBOARD_SCRIPT_LINES_MAX: usize = 300;

/// Characters of the hash in the file's name.
const HASH_CHARACTERS: usize = 16;

fn main() {
    let script = stripped_script(SCRIPT);
    assert_eq!(script.matches(BESIDE).count(), 1, "{SCRIPT}: {BESIDE}");
    let below = script.replace(BESIDE, ABOVE);
    for (name, script) in [("SCRIPT", script), ("SCRIPT_BELOW", below)] {
        let gzip_bytes = write(name, &script);
        for (bytes, max, form) in [
            (script.len(), PLAIN_BYTES_MAX, "as text"),
            (gzip_bytes, GZIP_BYTES_MAX, "with gzip"),
        ] {
            assert!(
                bytes <= max,
                "{SCRIPT} has {bytes} bytes {form}; at most {max}"
            );
        }
    }
    let lines = read(DASHBOARD_SCRIPT).lines().count();
    assert!(
        lines <= DASHBOARD_SCRIPT_LINES_MAX,
        "{DASHBOARD_SCRIPT} has {lines} lines; at most {DASHBOARD_SCRIPT_LINES_MAX}"
    );
    write("DASHBOARD_SCRIPT", &stripped_script(DASHBOARD_SCRIPT));
    write("DASHBOARD_STYLE", &stripped(&read(DASHBOARD_STYLE)));
}

fn read(source: &str) -> String {
    println!("cargo::rerun-if-changed={source}");
    fs::read_to_string(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

/// Writes a text, plain and compressed, and gives its hash to the crate. Returns the number of
/// compressed bytes.
fn write(name: &str, text: &str) -> usize {
    let compressed = compressed(text);
    let bytes = compressed.len();
    let directory = env::var_os("OUT_DIR").expect("cargo sets it");
    let directory = Path::new(&directory);
    fs::write(directory.join(name), text).expect("write the text");
    fs::write(directory.join(format!("{name}.gz")), compressed).expect("write the text");
    println!("cargo::rustc-env=SHOWREPORT_{name}_HASH={}", hash(text));
    bytes
}

/// A script without comments, indentation and empty lines.
fn stripped_script(source: &str) -> String {
    let code = stripped(&read(source));
    let lines = code.lines().filter(|line| !line.starts_with("//"));
    let script: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert!(
        !script.contains("//"),
        "{source}: a comment after `//` needs a line of its own"
    );
    script
}

/// A text without `/* */` comments, indentation and empty lines.
///
/// Strings and expressions of the sources have no `//` and no `/*`.
fn stripped(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        (_, rest) = comment.split_once("*/").expect("a comment ends");
    }
    code.push_str(rest);
    let lines = code.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn compressed(text: &str) -> Vec<u8> {
    let mut compressed = Vec::new();
    let gzip = zopfli::Format::Gzip;
    zopfli::compress(
        zopfli::Options::default(),
        gzip,
        text.as_bytes(),
        &mut compressed,
    )
    .expect("memory can be written");
    compressed
}

fn hash(text: &str) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(text) {
        write!(digits, "{byte:02x}").expect("a string can be written");
    }
    digits.truncate(HASH_CHARACTERS);
    digits
}
