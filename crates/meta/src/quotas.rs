//! Quotas: how much one organisation may keep, so that it cannot fill the disk of all.

use std::fmt;

/// How much one organisation may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Event reports that are running or have a file.
    pub reports_max: u64,
    /// Files of days that were made at a request.
    pub day_files_max: u64,
    /// Bytes of the files of all event reports, bulk reports and days.
    pub file_bytes_max: u64,
    /// Events that there are facts or records of.
    pub events_max: u64,
    /// Records that were ever accepted.
    pub records_max: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            reports_max: 50_000,
            day_files_max: 1_000,
            file_bytes_max: 50 << 30,
            events_max: 1_000_000,
            records_max: 100_000_000_000,
        }
    }
}

/// Names one of the [`Quotas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    Reports,
    DayFiles,
    FileBytes,
    Events,
    Records,
}

impl Quota {
    /// The name of its setting.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reports => "org_reports",
            Self::DayFiles => "org_day_files",
            Self::FileBytes => "org_files_size",
            Self::Events => "org_events",
            Self::Records => "org_records",
        }
    }

    /// What a client can do when it is used up.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Self::Reports | Self::DayFiles | Self::FileBytes => {
                "delete some, or wait until they expire"
            }
            Self::Events => {
                "give shows that go on one id, or have the operator raise the setting org_events"
            }
            Self::Records => "have the operator raise the setting org_records",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reports => "event reports",
            Self::DayFiles => "files of days that were made at a request",
            Self::FileBytes => "bytes of files of reports",
            Self::Events => "events",
            Self::Records => "records",
        })
    }
}
