//! Players of others in a browser, with the product's script in the page: the report is compared
//! with what the playhead did.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use showreport_testkit::{ORG, Product, Server, built_beside, execute, leave_out, root, step};

use crate::clients::{NO_BROWSER, browser};
use crate::npm;
use crate::tools::build_tests;

const NO_FFMPEG: &str = "ffmpeg is not installed; on Debian, `apt-get install ffmpeg`";

/// The lines around the part of docs/players.md that [`run`] writes.
const TABLE_MARKS: [&str; 2] = [
    "<!-- measured: made by `cargo xtask players` -->\n",
    "<!-- end of measured -->\n",
];

/// The arguments that check the types of the script, which are `JSDoc`.
const TYPES: [&str; 8] = [
    "--checkJs",
    "--allowJs",
    "--noEmit",
    "--strict",
    "--target",
    "es2022",
    "--lib",
    "es2022,dom,dom.iterable",
];

/// Plays every case, and writes the table of docs/players.md.
pub(crate) fn run() -> anyhow::Result<()> {
    let Some(browser) = found("players")? else {
        return Ok(());
    };
    let folder = npm::install_listed("players")?;
    step("players: every case", || {
        build_tests()?;
        let table = folder.join("table.md");
        play(&folder, &browser, &table)?;
        write_table(&fs::read_to_string(&table).context("read the table")?)
    })
}

/// Checks the types and rules of the script, and plays a short case with each player.
pub(crate) fn check() -> anyhow::Result<()> {
    let folder = npm::install_listed("players")?;
    let script = root().join("crates/server/src/script/showreport.js");
    step("players: types and rules of the script", || {
        let mut compiler = Command::new(folder.join("node_modules/.bin/tsc"));
        execute(compiler.args(TYPES).arg(&script))?;
        execute(
            Command::new("node")
                .arg(scripts().join("rules.mjs"))
                .arg(&script),
        )
    })?;
    let Some(browser) = found("players: a short case each")? else {
        return Ok(());
    };
    step("players: a short case each", || {
        build_tests()?;
        play(&folder, &browser, Path::new("--short"))
    })
}

/// The browser, if it and ffmpeg are installed.
fn found(what: &str) -> anyhow::Result<Option<PathBuf>> {
    let browser = browser();
    if browser.is_none() {
        leave_out(what, NO_BROWSER)?;
        return Ok(None);
    }
    let mut ffmpeg = Command::new("ffmpeg");
    let status = ffmpeg.arg("-version").stdout(Stdio::null()).status();
    if !status.is_ok_and(|status| status.success()) {
        leave_out(what, NO_FFMPEG)?;
        return Ok(None);
    }
    Ok(browser)
}

/// Runs `players.mjs` with a fresh server; `mode` is its last argument.
fn play(folder: &Path, browser: &Path, mode: &Path) -> anyhow::Result<()> {
    let product = Product::fresh(&built_beside()?, folder.join("data"))?;
    let flags = ["--log-level", "warn", "--collect-path", "/v"];
    let server = Server::start(&product, &flags)?;
    let address = format!("http://{}", server.client.address);
    let tokens = [
        product.token_of(ORG, "collect")?,
        product.token_of(ORG, "report")?,
    ];
    let mut node = Command::new("node");
    node.arg(scripts().join("players.mjs"))
        .arg(address)
        .args(tokens);
    node.arg(folder).arg(browser).arg(mode);
    // The command holds tokens, so it is not shown when it fails.
    let status = node.status().context("start node")?;
    ensure!(status.success(), "players.mjs ended with {status}");
    Ok(())
}

fn write_table(table: &str) -> anyhow::Result<()> {
    let path = root().join("docs/players.md");
    let page = fs::read_to_string(&path).context("read docs/players.md")?;
    let [begin, end] = TABLE_MARKS;
    let (before, rest) = page.split_once(begin).context("find the table")?;
    let (_, after) = rest.split_once(end).context("find the end of the table")?;
    let page = format!("{before}{begin}{table}{end}{after}");
    fs::write(path, page).context("write docs/players.md")
}

fn scripts() -> PathBuf {
    root().join("tests/players")
}
