//! Who may create a counterpart: one, once creates are allowed, until it is refused.

use futures_util::future::join_all;

use super::StoreUnderTest;
use super::samples::{again, committed, create, facts, failed, not_sent};
use super::story::Story;
use crate::testing::contact::{contact, crm, customer, erp};
use crate::{Creates, Echo, EventKind, Look, OperationState, Resend, Reserve};

pub async fn a_record_nobody_has_seen_is_missing(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;

    assert_eq!(story.0.look(&contact("1"), &erp()).await.unwrap(), Look::Missing);
}

pub async fn a_reserved_create_is_pending_for_everybody_else(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;

    assert_eq!(story.pending("1").await, *intent.operation());
    let Reserve::Taken(Look::Pending(reservation)) = story.0.reserve(&create("1")).await.unwrap() else {
        panic!("expected that the reservation is taken");
    };
    assert_eq!(reservation.operation, *intent.operation());
    assert_eq!(reservation.incarnation, 1);
    // Another record is another reservation.
    story.reserve("2").await;
}

/// Whoever remembers that a record has no pair must notice when it gets one, or a reservation.
pub async fn a_record_that_stood_nowhere_is_found_once_it_stands_somewhere(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let (source, made) = (contact("1"), customer("9"));
    let missing = async || {
        for (record, target) in [(&source, erp()), (&made, crm())] {
            assert_eq!(story.0.echo(record, &facts(EventKind::Updated)).await.unwrap(), Echo::Foreign);
            assert_eq!(story.0.look(record, &target).await.unwrap(), Look::Missing);
        }
    };
    missing().await;
    missing().await;

    let intent = story.reserve("1").await;
    assert_eq!(story.pending("1").await, *intent.operation());
    assert_eq!(story.0.look(&made, &crm()).await.unwrap(), Look::Missing);

    story.settle(&intent, committed("9")).await;
    story.0.persist(&intent.operation().id).await.unwrap();
    let pair = story.found("1").await;
    assert!(matches!(story.0.look(&made, &crm()).await.unwrap(), Look::Found(same) if *same == pair));
}

pub async fn of_many_reservations_at_once_exactly_one_wins(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let wanted = create("1");

    let answers = join_all((0..16).map(|_| story.0.reserve(&wanted))).await;

    let won = answers.iter().filter(|answer| matches!(answer, Ok(Reserve::Won(_)))).count();
    let taken = answers.iter().filter(|answer| matches!(answer, Ok(Reserve::Taken(Look::Pending(_))))).count();
    assert_eq!((won, taken), (1, 15));
}

pub async fn nothing_is_reserved_until_creates_are_allowed(test: impl StoreUnderTest) {
    let store = test.store();
    for creates in [Creates::Undecided, Creates::Held("both sides have unlinked records".into())] {
        store.set_creates(&creates).await.unwrap();
        assert_eq!(store.creates().await.unwrap(), creates);
        assert!(matches!(store.reserve(&create("1")).await.unwrap(), Reserve::Held(_)));
        assert_eq!(store.look(&contact("1"), &erp()).await.unwrap(), Look::Missing);
    }
    store.set_creates(&Creates::Allowed).await.unwrap();
    drop(store);
    let test = test.restart().await;
    assert_eq!(test.store().creates().await.unwrap(), Creates::Allowed);
    assert!(matches!(test.store().reserve(&create("1")).await.unwrap(), Reserve::Won(_)));
}

pub async fn a_refused_create_makes_room_for_a_new_incarnation_with_a_new_key(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let first = story.reserve("1").await;
    story.settle(&first, failed()).await;
    assert_eq!(story.0.look(&contact("1"), &erp()).await.unwrap(), Look::Missing);

    let second = story.reserve("1").await;

    assert_ne!(second.operation().id, first.operation().id);
    assert_eq!(first.operation().key.as_deref(), Some("pairline:crm:1:erp:1"));
    assert_eq!(second.operation().key.as_deref(), Some("pairline:crm:1:erp:2"));
    // The one that was refused cannot come back to take the place of the second.
    assert_eq!(story.0.resend(&first.operation().id, again(1)).await.unwrap(), Resend::Moved);
    assert_eq!(story.pending("1").await.id, second.operation().id);
}

pub async fn a_create_that_was_not_sent_keeps_its_reservation(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, not_sent()).await;

    assert_eq!(story.pending("1").await.state, OperationState::NotSent);
    assert!(matches!(story.0.reserve(&create("1")).await.unwrap(), Reserve::Taken(Look::Pending(_))));
}
