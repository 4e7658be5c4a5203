//! Chooses and flips a bit.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use showreport_testkit::{Random, files_below};

/// What a file is for. Each kind has the same chance, however few bytes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    LakeFile,
    LakeLog,
    LakeSums,
    ReportFile,
    ReportSums,
    Database,
    DatabaseLog,
    DatabaseIndex,
    Watermark,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::LakeFile,
        Self::LakeLog,
        Self::LakeSums,
        Self::ReportFile,
        Self::ReportSums,
        Self::Database,
        Self::DatabaseLog,
        Self::DatabaseIndex,
        Self::Watermark,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::LakeFile => "lake: data",
            Self::LakeLog => "lake: log",
            Self::LakeSums => "lake: checksums",
            Self::ReportFile => "reports",
            Self::ReportSums => "reports: checksums",
            Self::Database => "meta.sqlite",
            Self::DatabaseLog => "meta.sqlite-wal",
            Self::DatabaseIndex => "meta.sqlite-shm",
            Self::Watermark => "meta.acknowledged",
        }
    }

    /// The kind of the file at a path of the data directory; `None` if its bytes are never read.
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "meta.sqlite" => Self::Database,
            "meta.sqlite-wal" => Self::DatabaseLog,
            "meta.sqlite-shm" => Self::DatabaseIndex,
            "meta.acknowledged" => Self::Watermark,
            path if path.starts_with("store/.sums/reports/") => Self::ReportSums,
            path if path.starts_with("store/.sums/") => Self::LakeSums,
            path if path.starts_with("store/reports/") => Self::ReportFile,
            path if path.contains("/_delta_log/") => Self::LakeLog,
            path if path.starts_with("store/lake/") => Self::LakeFile,
            _ => return None,
        })
    }

    /// Whether a running server reads it from the disk. The index of the log is memory that
    /// processes share, made at each start.
    pub(super) fn is_on_disk(self) -> bool {
        self != Self::DatabaseIndex
    }
}

/// One bit of one file.
#[derive(Debug, Clone)]
pub(super) struct Flip {
    pub(super) kind: Kind,
    /// Relative to the data directory.
    pub(super) path: String,
    pub(super) bit: u64,
}

impl Flip {
    /// A random bit of a file of one of these kinds.
    pub(super) fn choose(
        data_dir: &Path,
        kinds: impl Fn(Kind) -> bool,
        random: &mut Random,
    ) -> anyhow::Result<Self> {
        let mut candidates = Vec::new();
        for path in files_below(data_dir)? {
            let name = path.to_string_lossy().into_owned();
            let bytes = fs::metadata(data_dir.join(&path))?.len();
            if let Some(kind) = Kind::of(&name).filter(|kind| kinds(*kind) && bytes > 0) {
                candidates.push((kind, name, bytes));
            }
        }
        candidates.sort();
        let mut present: Vec<Kind> = candidates.iter().map(|(kind, ..)| *kind).collect();
        present.dedup();
        ensure!(!present.is_empty(), "there is no such file");
        let kind = present[random.usize(..present.len())];
        candidates.retain(|(it, ..)| *it == kind);
        let (_, path, bytes) = candidates.swap_remove(random.usize(..candidates.len()));
        Ok(Self {
            kind,
            path,
            bit: random.u64(..bytes * 8),
        })
    }

    /// What a refusal must name: the file, or the database for each of its files.
    pub(super) fn named(&self) -> &str {
        match self.kind {
            Kind::Database | Kind::DatabaseLog | Kind::DatabaseIndex => Kind::Database.name(),
            _ => &self.path,
        }
    }

    /// Flips it.
    pub(super) fn carry_out(&self, data_dir: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::FileExt;
        let path = data_dir.join(&self.path);
        let file = fs::File::options().read(true).write(true).open(&path);
        let file = file.with_context(|| format!("open {}", self.path))?;
        let mut byte = [0];
        // A file that became shorter meanwhile has lost the bit.
        if file.read_at(&mut byte, self.bit / 8)? == 1 {
            byte[0] ^= 1 << (self.bit % 8);
            file.write_all_at(&byte, self.bit / 8)?;
        }
        Ok(())
    }
}
