//! What a person has to decide about.

use std::sync::Arc;
use std::time::Duration;

use super::desk::{Desk, play, until, until_waiting};
use super::news::{again, delivery, tell, trash_of, updated};
use super::{EngineUnderTest, SETTLE};
use crate::testing::contact::{contact, crm};
use crate::{
    Arrival, Clock, Control, Delivery, Disposition, Engine, EngineError, ListQuery, Listed, RecordId, Taken, TrashId,
    TrashItem, TrashState, Unreadable,
};

pub async fn what_cannot_be_delivered_waits_in_the_trash(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("1")).await;
        desk.end(&hint, trash("name: too long"));
        until(&engine, |health| health.trash == 1 && health.waiting == 0).await;
    })
    .await;
    drop(engine);

    let test = test.restart().await;
    let items = trash_of(&test.engine()).await;
    assert_eq!(
        items,
        [TrashItem {
            id: items[0].id,
            record: Some(contact("1")),
            system: crm(),
            topology: "crm-to-erp".to_owned(),
            node: "update".to_owned(),
            reason: "name: too long".to_owned(),
            count: 1,
            at: test.clock().now(),
            body: None,
            state: TrashState::Open,
            decided_at: None,
        }]
    );
}

pub async fn the_same_trash_is_one_item_that_counts(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        fail(&test, &engine, desk, &contact("1"), "phone: not a number").await;
        fail(&test, &engine, desk, &contact("2"), "name: too long").await;
    })
    .await;

    let items = trash_of(&engine).await;

    let counts: Vec<_> = items.iter().map(|item| (item.record.clone().unwrap().id, item.count)).collect();
    assert_eq!(counts, [("2".to_owned(), 1), ("1".to_owned(), 1), ("1".to_owned(), 2)], "newest first");
    assert_eq!(engine.list(ListQuery::Trash, 1).await.unwrap(), Listed::Trash(items[..1].to_vec()));
}

pub async fn an_approved_item_comes_back_as_a_hint_once(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        let item = trash_of(&engine).await[0].id;
        test.clock().advance(SETTLE);

        engine.control(Control::Approve(item)).await.unwrap();

        let hint = desk.next_is(&contact("1")).await;
        assert_eq!((hint.facts.clone(), hint.hops, hint.since), (None, 0, test.clock().now()));
        desk.done(&hint);
        until(&engine, |health| health.waiting == 0 && health.trash == 0).await;
        for control in [Control::Approve(item), Control::Reject(item), Control::Approve(TrashId(item.0 + 1))] {
            assert!(matches!(engine.control(control).await, Err(EngineError::NotFound(_))));
        }
        // The same failure after it is news.
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        let items = trash_of(&engine).await;
        assert_eq!((items.len(), items[0].count), (1, 1));
    })
    .await;
}

pub async fn news_during_work_on_an_approved_item_is_not_lost_after_a_restart(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| fail(&test, &engine, desk, &contact("1"), "name: too long").await).await;
    drop(engine);
    let test = test.restart().await;
    let engine = test.engine();
    test.clock().advance(SETTLE);
    play(&engine, 4, async |desk| {
        engine.control(Control::Approve(trash_of(&engine).await[0].id)).await.unwrap();
        let approved = desk.next_is(&contact("1")).await;
        tell(&engine, &contact("1"), "e-1").await;
        desk.done(&approved);
        test.clock().advance(SETTLE);

        let news = desk.next_is(&contact("1")).await;

        assert_eq!(news.facts, Some(updated("phone", "e-1")));
    })
    .await;
}

pub async fn an_approved_item_hurries_a_repeat_that_is_counted_from_the_start(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        test.clock().advance(SETTLE);
        tell(&engine, &contact("1"), "e-1").await;
        let hint = desk.next_is(&contact("1")).await;
        desk.end(&hint, again(test.clock().now().plus(Duration::from_secs(60)), true));
        until_waiting(&engine, |hint| hint.hops == 1).await;
        test.clock().advance(SETTLE);

        engine.control(Control::Approve(trash_of(&engine).await[0].id)).await.unwrap();

        assert_eq!(desk.next_is(&contact("1")).await.hops, 0);
    })
    .await;
}

pub async fn an_item_approved_during_work_on_its_record_is_another_look(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        test.clock().advance(SETTLE);
        tell(&engine, &contact("1"), "e-1").await;
        let at_work = desk.next_is(&contact("1")).await;

        engine.control(Control::Approve(trash_of(&engine).await[0].id)).await.unwrap();
        desk.done(&at_work);
        test.clock().advance(SETTLE);

        assert_eq!(desk.next_is(&contact("1")).await.facts, None);
    })
    .await;
}

pub async fn a_rejected_item_is_gone_for_good(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        let item = trash_of(&engine).await[0].id;

        engine.control(Control::Reject(item)).await.unwrap();

        assert_eq!(trash_of(&engine).await, Vec::new());
        assert!(matches!(engine.control(Control::Approve(item)).await, Err(EngineError::NotFound(_))));
        let health = engine.health().await.unwrap();
        assert_eq!((health.trash, health.waiting), (0, 0));
    })
    .await;
}

pub async fn a_records_trash_is_found_with_what_was_decided(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        for why in ["name: too long", "phone: not a number", "email: taken"] {
            fail(&test, &engine, desk, &contact("1"), why).await;
        }
        fail(&test, &engine, desk, &contact("2"), "name: too long").await;
    })
    .await;
    let of = async |query, limit| engine.list(query, limit).await.unwrap().into_trash().unwrap();
    let one = ListQuery::TrashOf(contact("1"));
    let items = of(one.clone(), 100).await;
    let [third, second, first] = [items[0].id, items[1].id, items[2].id];
    test.clock().advance(SETTLE);
    let decided_at = test.clock().now();

    engine.control(Control::Approve(first)).await.unwrap();
    engine.control(Control::Reject(second)).await.unwrap();

    let items = of(one.clone(), 100).await;
    let states: Vec<_> = items.iter().map(|item| (item.id, item.state, item.decided_at)).collect();
    let expected = [
        (third, TrashState::Open, None),
        (second, TrashState::Rejected, Some(decided_at)),
        (first, TrashState::Approved, Some(decided_at)),
    ];
    assert_eq!(states, expected, "newest first");
    assert_eq!(of(one, 2).await, items[..2]);
    assert_eq!(of(ListQuery::TrashItem(second), 1).await, items[1..2]);
    assert_eq!(of(ListQuery::TrashItem(TrashId(99)), 1).await, Vec::new());
    assert_eq!(of(ListQuery::TrashOf(contact("3")), 100).await, Vec::new());
    for (item, said) in [(first, "approved before"), (second, "rejected before"), (TrashId(99), "has the number 99")] {
        let error = engine.control(Control::Reject(item)).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

pub async fn a_worker_that_panics_stops_one_record(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &contact("2"), "e-2").await;
    play(&engine, 4, async |desk| {
        let (first, second) = (desk.one(&contact("1")).await, desk.one(&contact("2")).await);
        desk.panic(&first);
        until(&engine, |health| health.trash == 1).await;
        desk.done(&second);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
    let item = trash_of(&engine).await.remove(0);
    assert_eq!(item.record, Some(contact("1")));
    assert!(item.reason.contains("a worker was told to panic"), "{}", item.reason);
}

pub async fn what_cannot_be_read_is_kept_as_text(test: impl EngineUnderTest) {
    let engine = test.engine();
    assert_eq!(engine.enqueue(unreadable(r#"{"a":1}"#)).await.unwrap(), Taken::default());
    engine.enqueue(unreadable(r#"{"a":2}"#)).await.unwrap();

    let items = trash_of(&engine).await;

    let bodies: Vec<_> = items.iter().map(|item| (item.record.clone(), item.body.as_deref())).collect();
    assert_eq!(bodies, [(None, Some(r#"{"a":2}"#)), (None, Some(r#"{"a":1}"#))], "each is kept");
    assert!(matches!(engine.control(Control::Approve(items[0].id)).await, Err(EngineError::NotFound(_))));
    engine.control(Control::Reject(items[0].id)).await.unwrap();
    assert_eq!(trash_of(&engine).await, items[1..]);
}

pub async fn a_long_text_is_cut_between_characters(test: impl EngineUnderTest) {
    let engine = test.engine();
    let long = "é".repeat(1_000_000) + "e";
    engine.enqueue(unreadable(&format!("e{long}"))).await.unwrap();

    let body = trash_of(&engine).await[0].body.clone().expect("it is kept as text");

    assert!(body.len() < 1_000_000 && body.starts_with("eé") && body.ends_with('é'));
}

fn trash(reason: &str) -> Disposition {
    Disposition::Trash { reason: reason.to_owned(), topology: "crm-to-erp".to_owned(), node: "update".to_owned() }
}

/// Lets a record fail.
async fn fail(test: &impl EngineUnderTest, engine: &Arc<dyn Engine>, desk: &Desk, record: &RecordId, why: &str) {
    test.clock().advance(SETTLE);
    let ours = Arrival::look_at(record.clone());
    engine.enqueue(delivery(vec![ours])).await.unwrap();
    let hint = desk.next_is(record).await;
    desk.end(&hint, trash(why));
    until(engine, |health| health.waiting == 0).await;
}

fn unreadable(body: &str) -> Delivery {
    let unreadable = Unreadable { system: crm(), reason: "no id at /objectId".to_owned(), body: body.to_owned() };
    Delivery { unreadable: vec![unreadable], ..Delivery::default() }
}
