//! The trait every node implements.

use async_trait::async_trait;

use crate::{NodeDescription, NodeError, ProcessDto};

/// A node: one unit of work in a topology.
///
/// # What a node may rely on
///
/// * It gets a message and answers with the message, changed or not, or with a [`NodeError`] that says what happens
///   next. It never calls the runner.
/// * Messages of one record usually come one at a time, oldest first. That only saves work: a node must stay right
///   when two workers run it at once for the same record.
///
/// # What a node must promise
///
/// * **Twice is once.** It may run again with the same message, after a crash, a repeat or an approval; the second
///   run changes nothing that the first has finished.
/// * **No state of its own.** What must survive lives behind a port; the message itself is not kept: a repeat walks
///   the topology again from its start and reads everything afresh.
/// * **It may be dropped at any `.await`.** Whatever it has not committed through a port has then not happened.
/// * **It adds fields and leaves those it does not know alone.**
/// * It does not sleep, spawn, retry or read the machine's clock: it answers
///   [`NodeError::Repeat`], and takes a [`Clock`](crate::Clock).
///
/// # What happens next
///
/// | answer | next |
/// |---|---|
/// | `Ok`, with [`ProcessDto::follow`] | the follower that the topology wires to that route |
/// | `Ok` | every follower |
/// | `Ok`, with [`ProcessDto::stop`] | nothing: the message has reached its end |
/// | [`NodeError::Repeat`] | the record re-enters as a hint, later |
/// | [`NodeError::StopAndFail`] | the message moves to the trash, until a person approves or rejects it |
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a node",
    note = "implement `ProcessAction` with `#[async_trait]`: `describe` and `process_action`"
)]
#[async_trait]
pub trait ProcessAction: Send + Sync {
    /// What this node is: its routes, its effects, its settings. The linter reads it before anything runs.
    fn describe(&self) -> &NodeDescription;

    /// Does the work on one message.
    ///
    /// # Errors
    ///
    /// [`NodeError`] says what happens next with the message.
    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError>;
}

#[cfg(test)]
fn _stays_object_safe(_: &dyn ProcessAction) {}
