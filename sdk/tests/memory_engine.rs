//! The suite every engine must pass, on the engine in memory: what tests and simulations find out must hold on disk.
#![cfg(feature = "testing")]

mod in_memory;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use pairline_sdk::testing::engine_suite::SETTLE;
use pairline_sdk::testing::run_now;
use pairline_sdk::{
    Arrival, Control, Delivery, Disposition, Engine, EventFacts, EventKind, Hint, RecordId, System, Worker,
};

use crate::in_memory::InMemory;

pairline_sdk::engine_suite!(run_now, InMemory::make());

/// Answers in turn that a hint is done and that it is to be looked at again, and remembers what it was given.
#[derive(Default)]
struct Diary(Mutex<Vec<Hint>>);

#[async_trait]
impl Worker for Diary {
    async fn work(&self, hint: Hint) -> Disposition {
        let mut given = self.0.lock().expect("nothing panics while it holds this");
        let at = hint.since.plus(SETTLE);
        given.push(hint);
        if given.len().is_multiple_of(2) {
            return Disposition::Done;
        }
        Disposition::Again { at, reason: "the ERP is paused".to_owned(), counted: true }
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn event(id: &str, key: &str, field: &str) -> Delivery {
    let facts = EventFacts {
        kind: EventKind::Updated,
        operation: None,
        ours: false,
        values: None,
        fields: vec![field.to_owned()],
        of_several: false,
    };
    let arrival = Arrival::event(RecordId::new(&System::new("crm"), id), key, facts);
    Delivery { arrivals: vec![arrival], ..Delivery::default() }
}

#[test]
fn the_same_calls_in_the_same_order_hand_out_the_same() {
    let play = || {
        let test = run_now(InMemory::make());
        let diary = Arc::new(Diary::default());
        let mut run = test.engine.run(diary.clone(), 2);
        for number in 0..40 {
            let (id, key) = ((number * 7 % 5).to_string(), number.to_string());
            run_now(test.engine.enqueue(event(&id, &key, "phone"))).unwrap();
            assert!(poll_once(&mut run).is_pending());
            test.clock.advance(SETTLE / 3);
        }
        run_now(test.engine.control(Control::Stop)).unwrap();
        run_now(run).unwrap();
        let given = diary.0.lock().unwrap().clone();
        (given, test.engine.saved())
    };
    let (given, left) = play();
    assert!(given.len() > 20, "expected many looks, found {}", given.len());
    assert_eq!(play(), (given, left));
}
