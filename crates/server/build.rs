//! Makes `showreport.js` as it is served: without comments and indentation, compressed, and hashed.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

const SOURCE: &str = "src/script/showreport.js";

/// Where the script sends to, seen from its own address.
const BESIDE: &str = "\"collect?key=\"";
/// The same for the script below `/collect`, and so below `--collect-path`.
const ABOVE: &str = "\"./?key=\"";

/// A page that includes the script waits for so many bytes at most.
const PLAIN_BYTES_MAX: usize = 5_000;
const GZIP_BYTES_MAX: usize = 2_000;

/// Characters of the hash in the file's name.
const HASH_CHARACTERS: usize = 16;

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    let source = fs::read_to_string(SOURCE).expect("the source of the script");
    let script = stripped(&source);
    assert_eq!(script.matches(BESIDE).count(), 1, "{SOURCE}: {BESIDE}");
    write("", &script);
    write("_BELOW", &script.replace(BESIDE, ABOVE));
}

/// Writes a variant of the script, plain and compressed, and gives its hash to the crate.
fn write(variant: &str, script: &str) {
    let compressed = compressed(script);
    let sizes = [
        (script.len(), PLAIN_BYTES_MAX, "as text"),
        (compressed.len(), GZIP_BYTES_MAX, "with gzip"),
    ];
    for (bytes, max, form) in sizes {
        assert!(
            bytes <= max,
            "{SOURCE} has {bytes} bytes {form}; at most {max}"
        );
    }
    let directory = env::var_os("OUT_DIR").expect("cargo sets it");
    let directory = Path::new(&directory);
    let file = |ending| directory.join(format!("showreport{variant}.{ending}"));
    fs::write(file("js"), script).expect("write the script");
    fs::write(file("js.gz"), compressed).expect("write the script");
    println!(
        "cargo::rustc-env=SHOWREPORT_SCRIPT{variant}_HASH={}",
        hash(script)
    );
}

/// The script without comments, indentation and empty lines.
///
/// Strings and expressions of the source have no `//` and no `/*`.
fn stripped(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        (_, rest) = comment.split_once("*/").expect("a comment ends");
    }
    code.push_str(rest);
    let lines = code.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let script: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert!(
        !script.contains("//"),
        "{SOURCE}: a comment after `//` needs a line of its own"
    );
    script
}

fn compressed(script: &str) -> Vec<u8> {
    let mut compressed = Vec::new();
    let gzip = zopfli::Format::Gzip;
    zopfli::compress(
        zopfli::Options::default(),
        gzip,
        script.as_bytes(),
        &mut compressed,
    )
    .expect("memory can be written");
    compressed
}

fn hash(script: &str) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(script) {
        write!(text, "{byte:02x}").expect("a string can be written");
    }
    text.truncate(HASH_CHARACTERS);
    text
}
