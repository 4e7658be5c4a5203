//! `PostgreSQL`, the peer of collecting: a cluster in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::generator::CONNECTIONS;
use showreport_testkit::output;
use showreport_testkit::{leave_out, root};

const MISSING: &str = "PostgreSQL 15 is not installed; on Debian 12, `apt-get install postgresql`";

/// The folder of Debian's packages, by version. It is not on the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The version that the aims were written against.
const VERSION: &str = "15";

/// As durable as the product, with more memory than the defaults, which are for tiny machines.
const SETTINGS: &str = "-c listen_addresses= -c fsync=on -c synchronous_commit=on \
     -c max_connections=100 -c shared_buffers=512MB -c max_wal_size=4GB";

/// The programs of an installation.
pub(crate) struct Postgres {
    programs: PathBuf,
}

/// A running cluster. It is stopped and removed when dropped.
pub(crate) struct Cluster<'a> {
    postgres: &'a Postgres,
    folder: PathBuf,
}

impl Postgres {
    /// Finds the installation. Where it is missing its comparisons are left out, but not on CI.
    pub(crate) fn find() -> anyhow::Result<Option<Self>> {
        let programs = Path::new(DEBIAN).join(VERSION).join("bin");
        if programs.join("initdb").exists() && programs.join("pgbench").exists() {
            return Ok(Some(Self { programs }));
        }
        leave_out("all comparisons with PostgreSQL", MISSING)?;
        Ok(None)
    }

    pub(crate) fn version(&self) -> anyhow::Result<String> {
        output(Command::new(self.programs.join("postgres")).arg("--version"))
    }

    /// Starts a cluster that has the table `records`.
    pub(crate) fn start(&self) -> anyhow::Result<Cluster<'_>> {
        let name = format!("showreport-bench-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).context("make a directory for PostgreSQL")?;
        if is_root()? {
            output(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let cluster = Cluster {
            postgres: self,
            folder,
        };
        cluster.control(
            "initdb",
            &["--auth=trust", "--username=postgres", "--no-sync"],
        )?;
        let socket = format!("{SETTINGS} -k {}", cluster.folder.display());
        let log = cluster.folder.join("log").display().to_string();
        cluster.control(
            "pg_ctl",
            &["--wait", "--log", &log, "--options", &socket, "start"],
        )?;
        let schema = fs::read_to_string(root().join("crates/bench/queries/records.sql"))?;
        cluster.ask(&schema)?;
        Ok(cluster)
    }
}

impl Cluster<'_> {
    /// Runs a program that refuses to run as root.
    fn control(&self, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let program = self.postgres.programs.join(name);
        let mut command = if is_root()? {
            let mut other = Command::new("setpriv");
            other
                .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
                .arg(program);
            other
        } else {
            Command::new(program)
        };
        command
            .arg("--pgdata")
            .arg(self.folder.join("data"))
            .args(arguments);
        // The server inherits stdout: with a pipe this would wait until the server ends.
        let status = command
            .current_dir(&self.folder)
            .stdout(fs::File::create(self.folder.with_extension("log"))?)
            .status()
            .context("start a program of PostgreSQL")?;
        ensure!(status.success(), "{name} ended with {status}");
        Ok(())
    }

    /// The value of a statement.
    pub(crate) fn ask(&self, sql: &str) -> anyhow::Result<String> {
        output(self.client("psql").args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--command",
            sql,
        ]))
    }

    /// Inserts for this long on as many connections as the product has; transactions, and
    /// transactions a second.
    pub(crate) fn insert(&self, script: &str, time: Duration) -> anyhow::Result<(u64, f64)> {
        let path = self.folder.with_extension("sql");
        fs::write(&path, script)?;
        let mut pgbench = self.client("pgbench");
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
        pgbench.arg(format!("--client={CONNECTIONS}"));
        pgbench.arg(format!("--time={}", time.as_secs().max(1)));
        let printed = output(pgbench.arg("--file").arg(path))?;
        let figure = |name: &str| {
            let after = printed
                .split_once(name)
                .map(|(_, after)| after.trim_start());
            let word = after.and_then(|after| after.split_whitespace().next());
            word.with_context(|| format!("pgbench printed no {name:?}: {printed}"))
        };
        let count = figure("number of transactions actually processed:")?;
        Ok((count.parse()?, figure("tps =")?.parse()?))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.postgres.programs.join(program));
        command
            .arg("--host")
            .arg(&self.folder)
            .args(["--username", "postgres"]);
        command.env("PGDATABASE", "postgres");
        command
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        self.control("pg_ctl", &["--mode=immediate", "stop"]).ok();
        fs::remove_dir_all(&self.folder).ok();
        for extension in ["log", "sql"] {
            fs::remove_file(self.folder.with_extension(extension)).ok();
        }
    }
}

fn is_root() -> anyhow::Result<bool> {
    Ok(output(Command::new("id").arg("-u"))? == "0")
}
