//! The architecture of the code: which crate and module may use which.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate uses only crates to its left.
const LINE: [&str; 10] = [
    "model",
    "origins",
    "records",
    "meta",
    "lake",
    "query",
    "live",
    "jobs",
    "server",
    "showreport",
];

/// They are no part of the product.
const BESIDE: [&str; 5] = ["bench", "fuzz", "testkit", "torture", "xtask"];

/// The crate that a heavy library belongs to; no other crate of the product uses it.
const OWNERS: [(&str, &str); 14] = [
    ("jiff", "model"),
    ("maxminddb", "origins"),
    ("tor-geoip", "origins"),
    ("ua-parser", "origins"),
    ("sqlx", "meta"),
    ("deltalake", "lake"),
    ("object_store", "lake"),
    ("parquet", "lake"),
    ("datafusion", "query"),
    ("axum", "server"),
    ("tower-http", "server"),
    ("utoipa", "server"),
    ("clap", "showreport"),
    ("tracing-subscriber", "showreport"),
];

/// The crates that are no part of the product, and have a command line too.
const COMMAND_LINES: [&str; 2] = ["bench", "torture"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The output of `cargo metadata`.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The crates of the workspace, by the last part of their names, with what they depend on outside
/// tests.
fn crates() -> BTreeMap<String, Vec<String>> {
    let metadata = metadata();
    let name = |value: &Value| {
        let name = value["name"].as_str().expect("a name");
        name.strip_prefix("showreport-").unwrap_or(name).to_owned()
    };
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter();
            let used = dependencies
                .filter(|used| used["kind"] != "dev")
                .map(name)
                .collect();
            (name(package), used)
        })
        .collect()
}

fn place(name: &str) -> Option<usize> {
    LINE.iter().position(|known| *known == name)
}

#[test]
fn a_crate_uses_only_crates_to_its_left() {
    for (user, used) in crates() {
        // No crate uses these, and they may use all others.
        if user == "fuzz" {
            continue;
        }
        for used in used.iter().filter(|used| place(used).is_some()) {
            let (Some(left), Some(right)) = (place(used), place(&user)) else {
                panic!("`{user}` stands outside the line and must not use `{used}`");
            };
            assert!(left < right, "`{user}` must not use `{used}`");
        }
    }
}

#[test]
fn every_crate_has_its_place() {
    let known: Vec<String> = crates()
        .into_keys()
        .filter(|name| !BESIDE.contains(&name.as_str()))
        .collect();
    let mut line: Vec<&str> = LINE.to_vec();
    line.sort_unstable();
    assert_eq!(known, line);
}

#[test]
fn a_heavy_library_has_one_owner() {
    for (user, used) in crates() {
        for (library, owner) in OWNERS {
            let is_tool = library == "clap" && COMMAND_LINES.contains(&user.as_str());
            assert!(
                user == owner || is_tool || !used.iter().any(|it| it == library),
                "`{library}` belongs to `{owner}`, not to `{user}`"
            );
        }
    }
}

#[test]
fn only_what_tests_build_has_fail_points() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let dependencies = packages.flat_map(|it| it["dependencies"].as_array().expect("a list"));
    let (for_tests, for_all): (Vec<_>, Vec<_>) = dependencies
        .filter(|used| used["name"] == "fail")
        .partition(|used| used["kind"] == "dev");
    assert_eq!(for_tests.len(), 1, "the tests of the program have them");
    assert!(!for_all.is_empty());
    for used in for_all {
        assert_eq!(used["features"], serde_json::json!([]), "{used}");
    }
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let mut broken = Vec::new();
    for name in LINE.into_iter().chain(["testkit"]) {
        let source = root().join("crates").join(name).join("src");
        let modules = modules(&source.join("lib.rs"));
        assert!(!modules.is_empty(), "{name} has modules");
        for (place, module) in modules.iter().enumerate() {
            for file in files_of(&source, module) {
                let text = std::fs::read_to_string(&file).expect("a source file");
                let used = used_modules(&text, &modules);
                // Modules for tests may stand anywhere.
                for used in used.into_iter().filter(|used| used != "testing") {
                    if modules.iter().position(|it| *it == used) > Some(place) {
                        broken.push(format!(
                            "{}: `{module}` must not use `{used}`, which stands below it",
                            file.display()
                        ));
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The modules that a `lib.rs` declares, in order.
fn modules(lib: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(lib).expect("a lib.rs");
    text.lines()
        .filter_map(|line| {
            let line = line
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub ");
            line.strip_prefix("mod ")?
                .strip_suffix(';')
                .map(str::to_owned)
        })
        .collect()
}

/// `name.rs` and everything below `name/`.
fn files_of(source: &Path, module: &str) -> Vec<PathBuf> {
    let mut files = vec![source.join(module).with_extension("rs")];
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The modules named after `crate::`, alone or in a list; re-exports of the root are left out.
fn used_modules(text: &str, modules: &[String]) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list
                .split(';')
                .next()
                .unwrap_or_default()
                .split([',', '{', '}', '\n'])
                .collect(),
            None => vec![rest],
        };
        for name in names {
            let end = name
                .trim()
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(name.trim().len());
            let name = &name.trim()[..end];
            if modules.iter().any(|module| module == name) {
                used.push(name.to_owned());
            }
        }
    }
    used
}

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
        {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path)
                    .expect("a source file")
                    .lines()
                    .count();
                assert!(lines <= 500, "{} has {lines} lines", path.display());
            }
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_which_forbid_unsafe_code() {
    let text = |path: &Path| std::fs::read_to_string(path).expect("a manifest");
    assert!(text(&root().join("Cargo.toml")).contains("\nunsafe_code = \"forbid\"\n"));
    let crates = std::fs::read_dir(root().join("crates")).expect("a folder");
    for entry in crates {
        let manifest = entry.expect("an entry").path().join("Cargo.toml");
        let takes = text(&manifest).contains("\n[lints]\nworkspace = true\n");
        assert!(takes, "{}", manifest.display());
    }
}

#[test]
fn the_reader_of_sources_finds_used_modules() {
    let modules = ["config", "error", "meta"].map(str::to_owned);
    let text = "use crate::{Config, error::{self, Error}, meta};\nfn f() { crate::config::load() }";
    assert_eq!(used_modules(text, &modules), ["error", "meta", "config"]);
}
