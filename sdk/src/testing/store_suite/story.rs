//! How a test speaks to a store.

use std::sync::Arc;

use super::StoreUnderTest;
use super::samples::{committed, create};
use crate::testing::contact::{contact, erp};
use crate::{
    Begin, Case, Creates, Intent, Look, Operation, Outcome, Pair, PairStore, Persisted, Reserve, Revision, Update,
};

/// A store that allows creates, and short words for what a test does with it.
pub(super) struct Story(pub(super) Arc<dyn PairStore>);

impl Story {
    pub(super) async fn begin(store: &impl StoreUnderTest) -> Self {
        let story = Self(store.store());
        story.0.set_creates(&Creates::Allowed).await.unwrap();
        story
    }

    pub(super) async fn reserve(&self, id: &str) -> Intent {
        match self.0.reserve(&create(id)).await.unwrap() {
            Reserve::Won(intent) => intent,
            other => panic!("expected a reservation, found {other:?}"),
        }
    }

    pub(super) async fn settle(&self, intent: &Intent, outcome: Outcome) -> Operation {
        Arc::unwrap_or_clone(self.0.settle(intent, &outcome).await.unwrap().operation)
    }

    pub(super) async fn pair(&self, id: &str, made: &str) -> Pair {
        let intent = self.reserve(id).await;
        self.settle(&intent, committed(made)).await;
        match self.0.persist(&intent.operation().id).await.unwrap() {
            Persisted::Recorded(pair) => Pair::clone(&pair),
            other => panic!("expected a new pair, found {other:?}"),
        }
    }

    pub(super) async fn found(&self, id: &str) -> Pair {
        match self.0.look(&contact(id), &erp()).await.unwrap() {
            Look::Found(pair) => Pair::clone(&pair),
            other => panic!("expected a pair of {id}, found {other:?}"),
        }
    }

    pub(super) async fn pending(&self, id: &str) -> Operation {
        match self.0.look(&contact(id), &erp()).await.unwrap() {
            Look::Pending(reservation) => reservation.operation,
            other => panic!("expected a pending create of {id}, found {other:?}"),
        }
    }

    pub(super) async fn update(&self, update: &Update, revision: Revision) -> Intent {
        match self.0.begin(update, revision).await.unwrap() {
            Begin::Won(intent) => intent,
            other => panic!("expected a begun update, found {other:?}"),
        }
    }

    pub(super) async fn open_cases(&self) -> Vec<Case> {
        self.0.cases(100).await.unwrap()
    }
}
