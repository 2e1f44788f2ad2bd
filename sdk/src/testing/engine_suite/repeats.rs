//! A hint that is to be looked at again, later.

use std::time::Duration;

use super::desk::{play, until_waiting};
use super::news::{again, tell, waiting_in};
use super::{EngineUnderTest, SETTLE};
use crate::testing::contact::contact;
use crate::{Clock, ListQuery};

pub async fn a_repeat_comes_back_at_its_time_and_is_counted(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        let at = test.clock().now().plus(Duration::from_secs(60));
        desk.end(&first, again(at, true));
        until_waiting(&engine, |hint| hint.reason.as_deref() == Some("the ERP is paused")).await;
        let waiting = waiting_in(&engine).await;
        assert_eq!((waiting[0].ready_at, waiting[0].hops, waiting[0].since), (at, 1, first.since));

        test.clock().advance(Duration::from_secs(59));
        tell(&engine, &contact("2"), "e-2").await;
        desk.next_is(&contact("2")).await;
        test.clock().advance(Duration::from_secs(1));
        let second = desk.next_is(&contact("1")).await;

        assert_eq!((second.hops, second.facts), (1, None));
        assert_eq!((&second.received, second.since), (&first.received, first.since));
        assert_eq!(second.correlation_id, first.correlation_id, "it is the same process");
    })
    .await;
}

pub async fn a_repeat_that_does_not_count_keeps_its_hops(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        for counted in [false, true, false] {
            let hint = desk.next_is(&contact("1")).await;
            desk.end(&hint, again(test.clock().now(), counted));
            test.clock().advance(SETTLE);
        }
        assert_eq!(desk.next_is(&contact("1")).await.hops, 1);
    })
    .await;
}

pub async fn the_hint_of_a_record_tells_why_it_waits(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("1")).await;
        desk.end(&hint, again(test.clock().now().plus(Duration::from_secs(60)), true));
        until_waiting(&engine, |hint| hint.hops == 1).await;
    })
    .await;
    tell(&engine, &contact("2"), "e-2").await;
    let of = async |record: &str| {
        engine.list(ListQuery::WaitingOf(contact(record)), 1).await.unwrap().into_waiting().unwrap()
    };

    let waiting = waiting_in(&engine).await;

    assert_eq!(of("1").await, waiting[..1]);
    assert_eq!(waiting[0].reason.as_deref(), Some("the ERP is paused"));
    assert_eq!(of("2").await, waiting[1..]);
    assert_eq!(waiting[1].reason, None);
    assert_eq!(of("3").await, []);
}

pub async fn news_does_not_hurry_a_repeat(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        desk.end(&first, again(test.clock().now().plus(Duration::from_secs(60)), true));
        until_waiting(&engine, |hint| hint.hops == 1).await;
        test.clock().advance(Duration::from_secs(1));
        tell(&engine, &contact("1"), "e-2").await;
        tell(&engine, &contact("2"), "e-3").await;
        desk.next_is(&contact("2")).await;

        test.clock().advance(Duration::from_secs(59));
        assert_eq!(desk.next_is(&contact("1")).await.hops, 1);
    })
    .await;
}

pub async fn news_during_a_repeat_is_counted_from_the_start(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        desk.end(&first, again(test.clock().now(), true));
        test.clock().advance(SETTLE);
        let repeat = desk.next_is(&contact("1")).await;

        tell(&engine, &contact("1"), "e-2").await;

        let waiting = waiting_in(&engine).await;
        assert_eq!((repeat.hops, waiting[0].hops, &waiting[0].reason), (1, 0, &None));
        desk.done(&repeat);
        test.clock().advance(SETTLE);
        assert_eq!(desk.next_is(&contact("1")).await.hops, 0);
    })
    .await;
}
