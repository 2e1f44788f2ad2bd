//! The stage a flow is played on: every call through a port stops there first, and a director says how it goes on.

use std::sync::Arc;

use async_trait::async_trait;

use crate::System;

/// A call that is about to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A method of the store.
    Store(&'static str),
    /// A read of an application.
    Read(System),
    /// A write to an application, before anything has left.
    Send(System),
    /// The same write, applied, before its answer comes back.
    Answer(System),
}

/// How a call goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// As it should.
    #[default]
    Well,
    /// Nothing leaves the machine.
    NotSent,
    /// The system refuses a write, and says so.
    Refused,
    /// The system refuses a create because it has the record already, and names the first it has, if it has any.
    Duplicate,
    /// It is lost on its way there: nothing is applied, and nobody knows.
    LostThere,
    /// It is applied and its answer is lost.
    LostBack,
    /// It is applied later, by [`MemoryApplication::land`](super::MemoryApplication::land), and nobody knows.
    Late,
}

/// Decides the fate of every call. May keep a call waiting for as long as it likes.
#[async_trait]
pub trait Director: Send + Sync {
    /// A call is about to happen.
    async fn direct(&self, step: Step) -> Fate;
}

/// Where calls stop. Without a director they pass.
#[derive(Clone, Default)]
pub struct Stage(Option<Arc<dyn Director>>);

impl Stage {
    /// A stage with a director.
    pub fn directed_by(director: Arc<dyn Director>) -> Self {
        Self(Some(director))
    }

    /// Stops here until the director lets it pass.
    pub async fn pass(&self, step: Step) -> Fate {
        match &self.0 {
            None => Fate::Well,
            Some(director) => director.direct(step).await,
        }
    }
}
