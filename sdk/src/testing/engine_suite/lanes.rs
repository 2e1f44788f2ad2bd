//! Which hints are at work together, and which comes next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::desk::{play, until};
use super::news::tell;
use super::{EngineUnderTest, SETTLE};
use crate::testing::contact::{contact, customer, erp};
use crate::{Clock, Create, Creates, Fields, Outcome, PairStore, Provenance, Record, Request, Reserve};

pub async fn a_record_settles_and_others_do_not_wait_for_it(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        desk.done(&first);
        until(&engine, |health| health.waiting == 0).await;
        test.clock().advance(SETTLE - Duration::from_millis(1));
        tell(&engine, &contact("1"), "e-2").await;
        tell(&engine, &contact("2"), "e-3").await;

        desk.next_is(&contact("2")).await;
        test.clock().advance(Duration::from_millis(1));
        let second = desk.next_is(&contact("1")).await;
        desk.done(&second);
        until(&engine, |health| health.waiting == 1).await;

        // Long after, an edit is immediate again.
        test.clock().advance(Duration::from_secs(60));
        tell(&engine, &contact("1"), "e-4").await;
        desk.next_is(&contact("1")).await;
    })
    .await;
}

pub async fn both_records_of_a_pair_share_a_lane_and_know_of_each_other(test: impl EngineUnderTest) {
    let engine = test.engine();
    pair_up(&test.store(), "1", "9").await;
    let now = test.clock().now();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &customer("9"), "e-2").await;
    tell(&engine, &customer("10"), "e-3").await;
    play(&engine, 4, async |desk| {
        let first = desk.one(&contact("1")).await;
        let news = BTreeMap::from([("phone".to_owned(), now)]);
        assert_eq!(first.others, BTreeMap::from([(customer("9"), news)]));
        // The other record of the pair waits; a stranger does not.
        desk.one(&customer("10")).await;
        tell(&engine, &contact("2"), "e-4").await;
        desk.next_is(&contact("2")).await;
        desk.done(&first);

        let second = desk.next_is(&customer("9")).await;

        assert_eq!(second.others, BTreeMap::new());
        // And the other way round.
        tell(&engine, &contact("1"), "e-5").await;
        tell(&engine, &contact("3"), "e-6").await;
        test.clock().advance(SETTLE);
        desk.next_is(&contact("3")).await;
        desk.done(&second);
        desk.next_is(&contact("1")).await;
    })
    .await;
}

/// Writes a pair of two records of these ids.
async fn pair_up(store: &Arc<dyn PairStore>, id: &str, made: &str) {
    let create = Create {
        source: contact(id),
        target: erp(),
        contract: "contact".to_owned(),
        request: Request {
            method: "POST".to_owned(),
            path: "/customers".to_owned(),
            body: "{}".to_owned(),
            precondition: None,
        }
        .into(),
        writes: Arc::default(),
        inverse: None,
        deadline: Duration::from_secs(10),
        request_life: Duration::from_secs(60),
        provenance: Provenance::default(),
    };
    store.set_creates(&Creates::Allowed).await.unwrap();
    let Reserve::Won(intent) = store.reserve(&create).await.unwrap() else { panic!("expected a reservation") };
    let outcome = Outcome::Committed { record: Record::new(made, Fields::new()) };
    store.settle(&intent, &outcome).await.unwrap();
    store.persist(&intent.operation().id).await.unwrap();
}

pub async fn different_records_are_at_work_together(test: impl EngineUnderTest) {
    let engine = test.engine();
    for id in ["1", "2", "3", "4"] {
        tell(&engine, &contact(id), id).await;
    }
    play(&engine, 4, async |desk| {
        for id in ["1", "2", "3", "4"] {
            assert!(["1", "2", "3", "4"].contains(&desk.next().await.record.id.as_str()), "{id} of four");
        }
    })
    .await;
}

pub async fn no_more_than_the_limit_is_at_work(test: impl EngineUnderTest) {
    let engine = test.engine();
    for id in 0..20 {
        tell(&engine, &contact(&id.to_string()), &id.to_string()).await;
    }
    play(&engine, 2, async |desk| {
        let mut before = desk.next().await;
        for _ in 1..20 {
            let next = desk.next().await;
            desk.done(&before);
            before = next;
        }
        desk.done(&before);
        until(&engine, |health| health.waiting == 0).await;
        assert_eq!(desk.state().most_at_work, 2);
    })
    .await;
}

pub async fn hints_are_handed_out_oldest_first(test: impl EngineUnderTest) {
    let engine = test.engine();
    let ids = ["7", "3", "5", "1", "9"];
    for id in ids {
        tell(&engine, &contact(id), id).await;
    }
    // More news does not lose a record its place.
    test.clock().advance(Duration::from_secs(1));
    tell(&engine, &contact("7"), "more").await;
    play(&engine, 1, async |desk| {
        for id in ids {
            let hint = desk.next_is(&contact(id)).await;
            desk.done(&hint);
        }
    })
    .await;
}
