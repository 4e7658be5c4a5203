//! Threads of their own for one kind of work, so that it waits for no other.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime that may be dropped anywhere.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts so many, under a name that a process list shows.
    pub(super) fn start(name: &str, count: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Where to start work on them.
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
