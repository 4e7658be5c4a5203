//! One run of the benchmarks: its data, its peers and its results.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::data::{self, Data};
use super::duck::Duck;
use super::import;
use super::postgres::Postgres;
use super::table::Table;
use showreport_testkit::root;
use showreport_testkit::{Product, Server};

/// How thorough a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// For figures: waits for the server's maintenance, and repeats what is short.
    Full,
    /// For the comparison of results only.
    Small,
}

pub(crate) struct Run {
    pub(crate) folder: PathBuf,
    pub(crate) binary: PathBuf,
    pub(crate) records: u64,
    pub(crate) size: Size,
    pub(crate) duck: Duck,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) tables: Vec<Table>,
    loaded: Option<Product>,
    compacted: bool,
}

impl Run {
    pub(crate) fn prepare(binary: PathBuf, records: u64, size: Size) -> anyhow::Result<Self> {
        let folder = root().join("target/bench");
        fs::create_dir_all(folder.join("data")).context("make target/bench")?;
        let duck = Duck::install(&folder)?;
        Ok(Self {
            folder,
            binary,
            records,
            size,
            duck,
            postgres: Postgres::find()?,
            tables: Vec::new(),
            loaded: None,
            compacted: false,
        })
    }

    /// How often the product and the peer are measured in turn.
    pub(crate) fn pairs(&self) -> usize {
        match self.size {
            Size::Full => 3,
            Size::Small => 1,
        }
    }

    /// The records of the event that most parts measure.
    pub(crate) fn keynote(&self) -> anyhow::Result<Data> {
        self.show("keynote", self.records)
    }

    pub(crate) fn show(&self, event: &str, records: u64) -> anyhow::Result<Data> {
        data::show(&self.folder.join("data"), event, records)
    }

    /// A fresh data directory.
    pub(crate) fn fresh(&self, name: &str) -> anyhow::Result<Product> {
        Product::fresh(&self.binary, self.folder.join(name))
    }

    /// The data directory that this run has imported the keynote into.
    pub(crate) fn take_loaded(&mut self) -> anyhow::Result<Product> {
        if let Some(product) = self.loaded.take() {
            return Ok(product);
        }
        let product = self.fresh("loaded")?;
        import::file(&product, &self.keynote()?.path)?;
        Ok(product)
    }

    /// The same after compaction, which small runs do not wait for.
    pub(crate) fn take_compacted(&mut self) -> anyhow::Result<Product> {
        let product = self.take_loaded()?;
        if self.size == Size::Full && !self.compacted {
            let server = Server::start(&product, &[])?;
            server.wait_until_compacted(&product.database_log())?;
            server.stop()?;
            self.compacted = true;
        }
        Ok(product)
    }

    pub(crate) fn keep_loaded(&mut self, product: Product) {
        self.loaded = Some(product);
    }

    /// The names and versions of the peers.
    pub(crate) fn peers(&self) -> anyhow::Result<String> {
        let mut peers = Duck::NAME.to_owned();
        if let Some(postgres) = &self.postgres {
            peers += ", ";
            peers += &postgres.version()?;
        }
        Ok(peers)
    }

    /// Prints the missed aims, and fails if results differ.
    pub(crate) fn judge(&self) -> anyhow::Result<()> {
        let missed = self.tables.iter().flat_map(|table| &table.missed);
        if self.size == Size::Full {
            for aim in missed {
                println!("aim missed: {aim}");
            }
        }
        let wrong: Vec<&str> = self
            .tables
            .iter()
            .flat_map(|table| &table.wrong)
            .map(String::as_str)
            .collect();
        if !wrong.is_empty() {
            bail!("results differ:\n{}", wrong.join("\n"));
        }
        Ok(())
    }
}
