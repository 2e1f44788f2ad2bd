//! What both sides turn out to agree on, without a write.

use serde_json::json;

use super::StoreUnderTest;
use super::samples::{adoption, fields, note, update};
use super::story::Story;
use crate::testing::contact::{contact, crm, erp};
use crate::{Adopted, Agreement, Rebase};

pub async fn what_agreed_is_taken_into_the_base_once(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let Adopted::Paired(pair) = story.0.adopt(&adoption("9", "1", true)).await.unwrap() else {
        panic!("expected a pair");
    };
    let rebase = Rebase {
        pair: pair.id,
        revision: pair.revision,
        changes: vec![
            (crm(), fields(json!({ "firstname": "Ada" }))),
            (erp(), fields(json!({ "name": "Ada", "phone": null }))),
        ],
        inverse_seen: vec![erp()],
        supersedes: None,
        notes: vec![note()],
    };

    assert!(story.0.rebase(&rebase).await.unwrap());
    assert!(!story.0.rebase(&rebase).await.unwrap(), "the pair has changed since it was read");

    let found = story.found("1").await;
    assert_eq!(*found.side(&crm()).base, fields(json!({ "firstname": "Ada" })));
    assert_eq!(*found.side(&erp()).base, fields(json!({ "name": "Ada" })));
    assert_eq!((found.side(&erp()).inverse_written, found.side(&crm()).inverse_written), (true, false));
    assert!(found.agreement == Agreement::Known && found.revision > pair.revision);
    assert_eq!(story.0.history(&contact("1")).await.unwrap().notes.len(), 1);
}

pub async fn nothing_is_taken_as_agreed_over_an_open_operation(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    let read = story.found("1").await;
    let mut rebase = Rebase {
        pair: pair.id,
        revision: read.revision,
        changes: vec![(erp(), fields(json!({ "name": "Eve" })))],
        inverse_seen: Vec::new(),
        supersedes: None,
        notes: Vec::new(),
    };
    assert!(!story.0.rebase(&rebase).await.unwrap());

    rebase.supersedes = Some(intent.operation().id.clone());
    assert!(story.0.rebase(&rebase).await.unwrap());

    let found = story.found("1").await;
    assert_eq!((found.open.is_none(), &*found.side(&erp()).base), (true, &fields(json!({ "name": "Eve" }))));
}
