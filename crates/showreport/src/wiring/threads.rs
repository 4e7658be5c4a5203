//! Threads for one kind of work, so that it does not wait for another kind.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime that can be dropped inside another one.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// The name is shown in process lists.
    pub(super) fn start(name: &str, count: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Starts work on these threads.
    pub(super) fn handle(&self) -> Handle {
        let runtime = self.0.as_ref().expect("taken out only when dropped");
        runtime.handle().clone()
    }
}

impl Drop for Threads {
    /// A runtime dropped inside another would block it, which panics.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
