//! Keeps what passes between the program and a system. It makes no call of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::Clock;

use crate::application::{Answer, Call, Description, Transport, TransportError};

/// A transport that keeps what passes it.
pub(super) struct Witness {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    description: Description,
    seen: Mutex<Vec<Seen>>,
}

/// A call and how it ended.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) call: Call,
    pub(super) signs_in: bool,
    pub(super) took: Duration,
    pub(super) answer: Result<Answer, TransportError>,
}

impl Witness {
    pub(super) fn new(inner: Arc<dyn Transport>, clock: Arc<dyn Clock>, description: Description) -> Self {
        Self { inner, clock, description, seen: Mutex::default() }
    }

    /// What has passed since it was last asked.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        // Each of them is whole by itself.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Witness {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let signs_in = self.description.is_sign_in(&call);
        let (kept, began) = (call.clone(), self.clock.now());
        let answer = self.inner.call(call).await;
        let took = self.clock.now().since(began);
        self.lock().push(Seen { call: kept, signs_in, took, answer: answer.clone() });
        answer
    }
}
