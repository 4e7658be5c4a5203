//! One run of the benchmarks: what it measures, with what, and what it found.

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
    /// For figures: waits for the server's own maintenance, repeats what is short.
    Full,
    /// For the results alone.
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

    /// How often a pair of measurements is repeated.
    pub(crate) fn pairs(&self) -> usize {
        match self.size {
            Size::Full => 3,
            Size::Small => 1,
        }
    }

    /// The records of the keynote, which most parts are about.
    pub(crate) fn keynote(&self) -> anyhow::Result<Data> {
        self.show("keynote", self.records)
    }

    pub(crate) fn show(&self, event: &str, records: u64) -> anyhow::Result<Data> {
        data::show(&self.folder.join("data"), event, records)
    }

    /// A data directory with nothing in it.
    pub(crate) fn fresh(&self, name: &str) -> anyhow::Result<Product> {
        Product::fresh(&self.binary, self.folder.join(name))
    }

    /// The data directory that the keynote was imported into in this run.
    pub(crate) fn take_loaded(&mut self) -> anyhow::Result<Product> {
        if let Some(product) = self.loaded.take() {
            return Ok(product);
        }
        let product = self.fresh("loaded")?;
        import::file(&product, &self.keynote()?.path)?;
        Ok(product)
    }

    /// The same, once the server has compacted it. Small runs do not wait for that.
    pub(crate) fn take_compacted(&mut self) -> anyhow::Result<Product> {
        let product = self.take_loaded()?;
        if self.size == Size::Full && !self.compacted {
            let server = Server::start(&product, &[])?;
            server.wait_until_compacted(&product)?;
            server.stop()?;
            self.compacted = true;
        }
        Ok(product)
    }

    pub(crate) fn keep_loaded(&mut self, product: Product) {
        self.loaded = Some(product);
    }

    /// Who we are measured beside.
    pub(crate) fn peers(&self) -> anyhow::Result<String> {
        let mut peers = Duck::NAME.to_owned();
        if let Some(postgres) = &self.postgres {
            peers += ", ";
            peers += &postgres.version()?;
        }
        Ok(peers)
    }

    /// Fails if any two sides gave different results; says which aims were missed.
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
