//! How a run begins and ends, by an order or by a crash.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, join, select};

use super::desk::{Desk, play, until};
use super::news::{again, arrival, delivery, tell, updated, waiting_in};
use super::{EngineUnderTest, SETTLE};
use crate::testing::contact::contact;
use crate::{Clock, Control, EngineError, Hint, Worker};

pub async fn stop_waits_for_what_is_at_work(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &contact("2"), "e-2").await;
    let desk = Desk::open();
    let run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, 1);
    let scene = async {
        let hint = desk.next_is(&contact("1")).await;
        engine.control(Control::Stop).await.unwrap();
        // Taken all the same.
        tell(&engine, &contact("3"), "e-3").await;
        desk.done(&hint);
    };

    let (ended, ()) = desk.within("the end of the run", join(run, scene)).await;

    ended.unwrap();
    // The end of what was at work is written, and nothing else was begun.
    assert_eq!(engine.health().await.unwrap().waiting, 2);
    assert_eq!(desk.state().given.len(), 0);
}

pub async fn an_engine_runs_again_after_a_stop(test: impl EngineUnderTest) {
    let engine = test.engine();
    let desk = Desk::open();
    let run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, 1);
    let scene = async {
        tell(&engine, &contact("1"), "e-1").await;
        let hint = desk.next_is(&contact("1")).await;
        desk.done(&hint);
        engine.control(Control::Stop).await.unwrap();
    };
    desk.within("the end of the run", join(run, scene)).await.0.unwrap();
    tell(&engine, &contact("2"), "e-2").await;

    play(&engine, 1, async |desk| drop(desk.next_is(&contact("2")).await)).await;
}

pub async fn only_one_runs_an_engine(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 1, async |desk| {
        desk.next_is(&contact("1")).await;
        let second = desk.within("a refusal", engine.run(Desk::open(), 1)).await;
        assert!(matches!(second, Err(EngineError::Unavailable(_))), "{second:?}");
    })
    .await;
}

pub async fn a_run_that_was_stopped_is_over_only_when_its_workers_are(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    let desk = Desk::open();
    let mut run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, 4);
    let busy = async {
        let hint = desk.next_is(&contact("1")).await;
        engine.control(Control::Stop).await.unwrap();
        // Two runs would have one record at work twice.
        let second = desk.within("a refusal", engine.run(Desk::open(), 4)).await;
        assert!(matches!(second, Err(EngineError::Unavailable(_))), "{second:?}");
        desk.done(&hint);
    };
    match select(pin!(busy), &mut run).await {
        Either::Left(((), _)) => desk.within("the end of the run", run).await.unwrap(),
        Either::Right((ended, _)) => panic!("expected that the run waits for its worker, found {ended:?}"),
    }
    assert_eq!(waiting_in(&engine).await, []);
}

pub async fn a_crash_hands_out_again_what_was_not_finished(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &contact("2"), "e-2").await;
    play(&engine, 4, async |desk| {
        let (first, second) = (desk.one(&contact("1")).await, desk.one(&contact("2")).await);
        assert_eq!((first.hops, second.hops), (0, 0));
        desk.done(&first);
        until(&engine, |health| health.waiting == 1).await;
    })
    .await;
    // The run died. So does the program.
    for restarted in [false, true] {
        let again = engine.health().await.unwrap();
        assert_eq!(again.waiting, 1, "restarted: {restarted}");
        test.clock().advance(SETTLE);
        if !restarted {
            play(&engine, 4, async |desk| drop(desk.next_is(&contact("2")).await)).await;
        }
    }
    drop(engine);
    let test = test.restart().await;
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("2")).await;
        assert_eq!(hint.facts, Some(updated("phone", "e-2")), "nothing was done with it yet");
        desk.done(&hint);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
}

pub async fn news_does_not_hide_what_a_crash_left_unfinished(test: impl EngineUnderTest) {
    let engine = test.engine();
    let record = contact("1");
    let news = |field: &str, key: &str| delivery(vec![arrival(&record, key, updated(field, key))]);
    engine.enqueue(news("phone", "e-1")).await.unwrap();
    play(&engine, 4, async |desk| {
        desk.next_is(&record).await;
        engine.enqueue(news("email", "e-2")).await.unwrap();
    })
    .await;
    let stands_for_both = |hint: &Hint| {
        assert_eq!(hint.facts, None, "the second event alone would hide the first");
        assert_eq!(hint.received.keys().collect::<Vec<_>>(), ["email", "phone"]);
    };
    // The run died. So does the program.
    test.clock().advance(SETTLE);
    play(&engine, 4, async |desk| stands_for_both(&desk.next_is(&record).await)).await;
    drop(engine);
    let test = test.restart().await;
    let engine = test.engine();
    test.clock().advance(SETTLE);
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&record).await;
        stands_for_both(&hint);
        // Nor does a try that has to be repeated.
        desk.end(&hint, again(test.clock().now(), false));
        test.clock().advance(SETTLE);
        let hint = desk.next_is(&record).await;
        stands_for_both(&hint);
        // What comes during the work stands for itself again, once that is done.
        engine.enqueue(news("name", "e-3")).await.unwrap();
        desk.done(&hint);
        test.clock().advance(SETTLE);
        let last = desk.next_is(&record).await;
        assert_eq!((last.facts, last.received.len()), (Some(updated("name", "e-3")), 1));
    })
    .await;
}
