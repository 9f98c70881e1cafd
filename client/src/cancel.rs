//! Stopping work that waits for a server, from any thread.

use tokio_util::sync::CancellationToken;

/// A wish to stop, shared by whoever may have it and the work that heeds it. It can't be taken back.
#[derive(Clone, Debug, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// A wish that nobody has had yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the work: at once where it waits for the server, else before its next step.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether somebody has cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Ends when somebody cancels.
    pub(crate) async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}
