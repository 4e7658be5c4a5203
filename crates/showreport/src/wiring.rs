//! Opens the parts of an installation, starts the tasks of a server, and stops them in order.

mod data_dir;
mod limits;
mod spill;
mod tasks;
mod threads;
mod check;
mod parts;
mod open_files;
mod regions;
mod running;

pub use data_dir::DataDir;
pub use limits::{Limits, ServerLimits};
pub use parts::{Parts, open_lake, open_meta};
pub use regions::RegionArgs;
pub use running::{Running, ServerArgs, base_url};
