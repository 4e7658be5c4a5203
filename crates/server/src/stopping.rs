//! [`Stopping`]: how a handler learns that the server stops.

use tokio_util::sync::CancellationToken;

/// Cancelled when the server stops. It is in the extensions of a request. A response without an end
/// must end then, or the server would wait for it.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(pub(crate) CancellationToken);
