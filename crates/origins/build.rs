//! Writes the rules for systems as Rust: the list that lies beside the source of `ua-parser`.
//!
//! That crate has no loader of its own for its list, and the list has no parser in Rust that is
//! maintained. So the few forms of lines that it has are read here; any other form is an error.
//! Cargo is asked where the source is, since it knows about vendored and replaced sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

fn main() {
    let core = source_of("ua-parser").join("uap-core");
    let list = core.join("regexes.yaml");
    let text = fs::read_to_string(&list);
    let text = text.unwrap_or_else(|error| panic!("read {}: {error}", list.display()));
    let rules = rules(&text);
    assert!(rules.len() > 100, "{} has few rules", list.display());
    let lines: Vec<String> = rules
        .iter()
        .map(|(regex, system)| format!("    ({regex:?}, {system:?}),\n"))
        .collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("rules.rs");
    fs::write(&out, format!("&[\n{}]\n", lines.concat())).expect("write the rules");
    // Only the tests read it.
    println!("cargo::rustc-env=UAP_CORE={}", core.display());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", list.display());
    println!("cargo::rerun-if-changed=../../Cargo.lock");
}

/// The directory with the source of a dependency.
fn source_of(package: &str) -> PathBuf {
    // Without a network first. Packages that this build does not need may be missing; then cargo
    // fetches them.
    let metadata = metadata(&["--offline"]).or_else(|_| metadata(&[]));
    let metadata = metadata.unwrap_or_else(|error| panic!("cargo metadata: {error}"));
    let packages = metadata["packages"].as_array().expect("packages");
    let found = packages.iter().find(|it| it["name"] == package);
    let manifest = found.and_then(|it| it["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("a dependency of this crate"));
    manifest.parent().expect("a directory").to_owned()
}

fn metadata(arguments: &[&str]) -> Result<Value, String> {
    let variable = |name| env::var_os(name).expect("cargo sets it");
    let output = Command::new(variable("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .arg("--filter-platform")
        .arg(variable("TARGET"))
        .args(arguments)
        .current_dir(variable("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// The rules for systems: a regular expression, and the system or what is to be put for it.
fn rules(text: &str) -> Vec<(String, Option<String>)> {
    let mut rules = Vec::new();
    let lines = text.lines().map(str::trim);
    let of_systems = lines
        .skip_while(|line| *line != "os_parsers:")
        .skip(1)
        .take_while(|line| *line != "device_parsers:")
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in of_systems {
        if let Some(regex) = line.strip_prefix("- regex: ") {
            rules.push((quoted(regex), None));
        } else if let Some(system) = line.strip_prefix("os_replacement: ") {
            let rule = rules.last_mut().expect("a replacement follows a rule");
            rule.1 = Some(quoted(system));
        } else {
            // Versions are not used.
            assert!(line.starts_with("os_v"), "an unknown line: {line}");
        }
    }
    rules
}

/// The text in single quotes, in which two of them stand for one.
fn quoted(text: &str) -> String {
    let inner = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
    let inner = inner.unwrap_or_else(|| panic!("not in single quotes: {text}"));
    inner.replace("''", "'")
}
