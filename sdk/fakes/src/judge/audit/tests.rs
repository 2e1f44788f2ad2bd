//! A sync by hand: it does everything right, and then one thing wrong.

use reqwest::Method;
use serde_json::{Map, json};

use super::*;
use crate::crm::{Crm, CrmConfig};
use crate::erp::{Erp, ErpConfig};
use crate::judge::cast::Cast;
use crate::judge::ledger::Actor;

/// The people, and the API as the sync would call it. Person 1 was made in the CRM, person 2 in the ERP.
struct Play {
    cast: Cast,
    http: reqwest::Client,
}

const CRM_BORN: u32 = 1;
const ERP_BORN: u32 = 2;

impl Play {
    /// Two people, each carried over as it should be.
    async fn well_begun() -> Self {
        let crm = Crm::start(CrmConfig::default()).await.unwrap();
        let erp = Erp::start(ErpConfig::default()).await.unwrap();
        let http = crate::loopback_client().build().unwrap();
        let mut play = Self { cast: Cast::new(crm, erp, 3), http };
        for home in Side::BOTH {
            let person = play.cast.create(home, 1).unwrap();
            play.carry_over(person, home.other()).await;
        }
        play.cast.look_around();
        play
    }

    async fn carry_over(&mut self, person: u32, to: Side) {
        let home = to.other();
        let home_id = self.id(person, home);
        let mut fields = self.values(person, to);
        fields.extend(pointing_at(to, &home_id));
        let id = self.call(Method::POST, to, None, fields).await;
        self.call(Method::PATCH, home, Some(&home_id), pointing_at(home, &id)).await;
    }

    fn id(&self, person: u32, side: Side) -> String {
        self.cast.id(person, side).unwrap().to_owned()
    }

    fn values(&self, person: u32, side: Side) -> Map<String, Value> {
        let mut fields = Map::new();
        for meaning in Meaning::ALL {
            if let Some(value) = self.cast.value(person, meaning) {
                meaning.type_into(side, Some(&value), &mut fields);
            }
        }
        fields
    }

    /// Answers the id, if there is one in the answer.
    async fn call(&self, method: Method, side: Side, id: Option<&str>, fields: Map<String, Value>) -> String {
        let (mut url, token, body) = match side {
            Side::Crm => (
                format!("{}/crm/v3/objects/contacts", self.cast.crm().base_url()),
                "crm-token",
                json!({ "properties": fields }),
            ),
            Side::Erp => (format!("{}/customers", self.cast.erp().base_url()), "erp-token", json!(fields)),
        };
        if let Some(id) = id {
            url = format!("{url}/{id}");
        }
        let request = self.http.request(method, url).bearer_auth(token).body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
        answer["id"].as_str().unwrap_or_default().to_owned()
    }

    async fn sync_writes(&self, person: u32, side: Side, fields: Value) {
        let id = self.id(person, side);
        self.call(Method::PATCH, side, Some(&id), fields.as_object().unwrap().clone()).await;
    }

    fn audit(&self) -> Audit {
        self.audit_of(self.cast.ledger())
    }

    fn audit_of(&self, ledger: &Ledger) -> Audit {
        Audit::of(ledger, &self.evidence(), self.cast.ownership(), Tolerance::CALM)
    }

    fn evidence(&self) -> Evidence {
        Evidence::of(self.cast.crm(), self.cast.erp())
    }

    /// Asserts which kinds of things are wrong, each once or more.
    fn assert_found(&self, expected: &[Category]) {
        let audit = self.audit();
        let found: Vec<_> = Category::ALL.into_iter().filter(|category| audit.count(*category) > 0).collect();
        assert_eq!(found, expected, "{:#?}", audit.findings);
    }
}

fn pointing_at(side: Side, id: &str) -> Map<String, Value> {
    let fields = match side {
        Side::Crm => json!({ "erp_id": id }),
        Side::Erp => json!({ "custom_fields": { "crm_id": id } }),
    };
    fields.as_object().unwrap().clone()
}

#[tokio::test]
async fn nothing_is_wrong_with_a_sync_that_does_everything_right() {
    let mut play = Play::well_begun().await;

    play.cast.edit(CRM_BORN, Side::Crm, &[Meaning::Email, Meaning::Name], Actor::Person).unwrap();
    let fields = play.values(CRM_BORN, Side::Erp);
    play.sync_writes(CRM_BORN, Side::Erp, json!({ "email": fields["email"], "name": fields["name"] })).await;

    let audit = play.audit();
    assert!(audit.is_clean(), "{:#?}", audit.findings);
    assert_eq!((audit.people, audit.pairs), (2, 2));
}

#[tokio::test]
async fn a_second_record_of_one_person_is_a_duplicate() {
    let play = Play::well_begun().await;

    play.call(Method::POST, Side::Erp, None, play.values(CRM_BORN, Side::Erp)).await;

    assert!(play.audit().count(Category::Duplicate) == 1);
}

#[tokio::test]
async fn a_person_on_one_side_only_is_missing_unless_somebody_deleted_it() {
    let mut play = Play::well_begun().await;

    let new = play.cast.create(Side::Crm, 1).unwrap();
    play.assert_found(&[Category::Missing]);
    play.cast.delete(new, Side::Crm).unwrap();
    play.cast.delete(ERP_BORN, Side::Crm).unwrap();

    play.assert_found(&[]);
}

#[tokio::test]
async fn an_edit_that_was_not_carried_over_is_lost_and_the_sides_differ() {
    let mut play = Play::well_begun().await;

    play.cast.edit(ERP_BORN, Side::Erp, &[Meaning::DunningState], Actor::Tool).unwrap();

    play.assert_found(&[Category::LostEdit, Category::Divergent]);
}

#[tokio::test]
async fn an_edit_on_the_wrong_side_has_to_be_put_right() {
    let mut play = Play::well_begun().await;

    play.cast.edit(ERP_BORN, Side::Erp, &[Meaning::Email], Actor::Person).unwrap();
    play.assert_found(&[Category::LostEdit, Category::Divergent]);
    let crm_value = Meaning::Email.value(ERP_BORN, 0);
    play.sync_writes(ERP_BORN, Side::Erp, json!({ "email": crm_value })).await;

    play.assert_found(&[]);
}

#[tokio::test]
async fn a_write_on_the_owners_side_is_found_even_when_it_changes_nothing() {
    let play = Play::well_begun().await;

    play.sync_writes(ERP_BORN, Side::Crm, json!({ "lastname": "van q00002q" })).await;

    play.assert_found(&[Category::Clobbered]);
}

#[tokio::test]
async fn a_value_of_another_person_is_found_even_when_it_was_put_right() {
    let play = Play::well_begun().await;

    play.sync_writes(CRM_BORN, Side::Erp, json!({ "email": Meaning::Email.value(ERP_BORN, 0) })).await;
    play.sync_writes(CRM_BORN, Side::Erp, json!({ "email": Meaning::Email.value(CRM_BORN, 0) })).await;

    play.assert_found(&[Category::Crossed]);
}

#[tokio::test]
async fn a_record_made_again_after_a_deletion_is_resurrected() {
    let mut play = Play::well_begun().await;

    play.cast.delete(CRM_BORN, Side::Erp).unwrap();
    play.assert_found(&[]);
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let mut fields = play.values(CRM_BORN, Side::Erp);
    fields.extend(pointing_at(Side::Erp, &play.id(CRM_BORN, Side::Crm)));
    play.call(Method::POST, Side::Erp, None, fields).await;

    assert_eq!(play.audit().count(Category::Resurrected), 1);
}

#[tokio::test]
async fn a_first_create_that_was_on_its_way_is_not_a_resurrection() {
    let mut play = Play::well_begun().await;

    let new = play.cast.create(Side::Crm, 1).unwrap();
    play.cast.delete(new, Side::Crm).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let mut fields = play.values(new, Side::Erp);
    fields.extend(pointing_at(Side::Erp, &play.id(new, Side::Crm)));
    play.call(Method::POST, Side::Erp, None, fields).await;

    play.assert_found(&[]);
    let mut long_ago = play.cast.ledger().clone();
    long_ago.0.last_mut().unwrap().at_ms -= 5_000;
    assert_eq!(play.audit_of(&long_ago).count(Category::Resurrected), 1);
}

#[tokio::test]
async fn a_record_may_be_made_again_if_nobody_was_told_of_the_first_while_it_lived() {
    let mut play = Play::well_begun().await;
    let first = play.id(CRM_BORN, Side::Erp);
    play.cast.delete(CRM_BORN, Side::Erp).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let mut fields = play.values(CRM_BORN, Side::Erp);
    fields.extend(pointing_at(Side::Erp, &play.id(CRM_BORN, Side::Crm)));
    play.call(Method::POST, Side::Erp, None, fields).await;
    let resurrected = |told: bool, lived_ms: i64| {
        let mut evidence = play.evidence();
        let record = evidence.erp.get_mut(&first).unwrap();
        let Writer::Caller { visit, .. } = &mut record.history[0].writer else { panic!("the sync made it") };
        visit.answered = told;
        let deletion = play.cast.ledger().0.last().unwrap();
        record.view.created_at_ms = deletion.at_ms - lived_ms;
        let audit = Audit::of(play.cast.ledger(), &evidence, play.cast.ownership(), Tolerance::STORMY);
        audit.count(Category::Resurrected)
    };

    assert_eq!(resurrected(false, 3_900), 0);
    assert_eq!(resurrected(false, 4_100), 1);
    assert_eq!(resurrected(true, 10), 1);
    // A program that was killed right after it was told has forgotten it.
    let killed_after = |after_ms: i64| {
        let mut evidence = play.evidence();
        let record = evidence.erp.get_mut(&first).unwrap();
        record.view.created_at_ms = play.cast.ledger().0.last().unwrap().at_ms - 10;
        let made_ms = record.history[0].at_ms;
        let evidence = evidence.killed(vec![made_ms + after_ms]);
        Audit::of(play.cast.ledger(), &evidence, play.cast.ownership(), Tolerance::STORMY).count(Category::Resurrected)
    };
    assert_eq!([-1, 0, 1_000, 1_001].map(killed_after), [1, 0, 0, 1]);
}

#[tokio::test]
async fn a_pair_that_does_not_point_at_itself_on_both_sides_is_found() {
    let play = Play::well_begun().await;

    play.sync_writes(CRM_BORN, Side::Crm, json!({ "erp_id": "" })).await;
    assert_eq!(play.audit().count(Category::WrongInverse), 1);
    play.sync_writes(ERP_BORN, Side::Erp, json!({ "custom_fields": { "crm_id": "999" } })).await;

    assert_eq!(play.audit().count(Category::WrongInverse), 2);
}

#[tokio::test]
async fn a_record_the_sync_deleted_and_a_record_of_nobody_are_found() {
    let play = Play::well_begun().await;

    play.call(Method::DELETE, Side::Crm, Some(&play.id(CRM_BORN, Side::Crm)), Map::new()).await;
    play.call(Method::POST, Side::Erp, None, Map::new()).await;

    play.assert_found(&[Category::Missing, Category::Deleted, Category::Stray]);
}

#[tokio::test]
async fn the_last_edit_of_a_shared_field_wins_unless_both_were_made_at_once() {
    let mut play = Play::well_begun().await;

    play.cast.edit(CRM_BORN, Side::Erp, &[Meaning::Phone], Actor::Person).unwrap();
    play.cast.edit(CRM_BORN, Side::Crm, &[Meaning::Phone], Actor::Person).unwrap();
    let in_erp = play.cast.erp().snapshot()[0].fields["phone"].clone();
    play.sync_writes(CRM_BORN, Side::Crm, json!({ "phone": in_erp })).await;

    play.assert_found(&[]);
    let mut one_after_the_other = play.cast.ledger().clone();
    one_after_the_other.0.last_mut().unwrap().at_ms += 1_600;
    assert_eq!(play.audit_of(&one_after_the_other).count(Category::LostEdit), 2);
}

#[tokio::test]
async fn an_edit_may_lose_to_a_write_that_was_on_its_way_before_it() {
    let mut play = Play::well_begun().await;
    play.cast.edit(CRM_BORN, Side::Erp, &[Meaning::Phone], Actor::Person).unwrap();
    play.cast.edit(CRM_BORN, Side::Crm, &[Meaning::Phone], Actor::Person).unwrap();
    let in_erp = play.cast.erp().snapshot()[0].fields["phone"].clone();
    play.sync_writes(CRM_BORN, Side::Crm, json!({ "phone": in_erp })).await;
    let mut ledger = play.cast.ledger().clone();
    let edited_ms = ledger.0.last().unwrap().at_ms + 60_000;
    ledger.0.last_mut().unwrap().at_ms = edited_ms;
    let lost = |came_ms: i64, applied_ms: i64, tolerance: Tolerance| {
        let mut evidence = play.evidence();
        let record = evidence.crm.get_mut(&play.id(CRM_BORN, Side::Crm)).unwrap();
        let write = record.history.last_mut().unwrap();
        let Writer::Caller { visit, .. } = &mut write.writer else { panic!("the sync wrote last") };
        (visit.came_ms, write.at_ms) = (came_ms, applied_ms);
        Audit::of(&ledger, &evidence, play.cast.ownership(), tolerance).count(Category::LostEdit)
    };

    assert_eq!(lost(edited_ms - 10, edited_ms + 4_000, Tolerance::CALM), 0);
    assert_eq!(lost(edited_ms + 10, edited_ms + 4_000, Tolerance::CALM), 2);
    let went_by_what_was_read_before = Tolerance { unread_ms: 1_000, ..Tolerance::CALM };
    assert_eq!(lost(edited_ms + 1_000, edited_ms + 4_000, went_by_what_was_read_before), 0);
    assert_eq!(lost(edited_ms + 1_001, edited_ms + 4_000, went_by_what_was_read_before), 2);
}

#[tokio::test]
async fn to_type_what_stood_there_already_is_no_edit() {
    let mut play = Play::well_begun().await;
    play.cast.edit(CRM_BORN, Side::Crm, &[Meaning::Phone], Actor::Person).unwrap();
    let (contact, customer) = (play.id(CRM_BORN, Side::Crm), play.id(CRM_BORN, Side::Erp));
    let phone = play.evidence().crm[&contact].view.fields["phone"].clone();
    play.cast.erp().person_edits(&customer, json!({ "phone": "" })).unwrap();
    play.sync_writes(CRM_BORN, Side::Erp, json!({ "phone": phone })).await;
    let mut ledger = play.cast.ledger().clone();
    ledger.0.iter_mut().for_each(|entry| entry.at_ms -= 60_000);
    let mut idle = ledger.0.last().unwrap().clone();
    idle.at_ms = play.evidence().erp[&customer].history[1].at_ms - 1_000;
    (idle.side, idle.record, idle.values) = (Side::Erp, customer.clone(), [(Meaning::Phone, Some("1".into()))].into());
    let idle_ms = idle.at_ms;
    ledger.0.push(idle);
    let lost = |changed: &[&str]| {
        let mut evidence = play.evidence();
        let typed = &mut evidence.erp.get_mut(&customer).unwrap().history[1];
        (typed.at_ms, typed.changed) = (idle_ms, changed.iter().map(ToString::to_string).collect());
        Audit::of(&ledger, &evidence, play.cast.ownership(), Tolerance::CALM).count(Category::LostEdit)
    };

    assert_eq!(lost(&[]), 0);
    assert_eq!(lost(&["phone"]), 2);
}

#[tokio::test]
async fn an_edit_that_was_taken_back_may_lose_to_one_that_was_not() {
    let mut play = Play::well_begun().await;
    play.cast.edit(CRM_BORN, Side::Crm, &[Meaning::Phone], Actor::Person).unwrap();
    let (contact, customer) = (play.id(CRM_BORN, Side::Crm), play.id(CRM_BORN, Side::Erp));
    let phone = play.evidence().crm[&contact].view.fields["phone"].clone();
    let born_with = Meaning::Phone.read(Side::Erp, &play.evidence().erp[&customer].view.fields);
    play.sync_writes(CRM_BORN, Side::Erp, json!({ "phone": phone })).await;
    let edited_ms = play.cast.ledger().0.last().unwrap().at_ms;
    let lost = |typed: Option<&str>, synced_ms: i64| {
        let mut ledger = play.cast.ledger().clone();
        let mut back = ledger.0.last().unwrap().clone();
        (back.side, back.record, back.at_ms) = (Side::Erp, customer.clone(), edited_ms + 60_000);
        back.values = [(Meaning::Phone, typed.map(str::to_owned))].into();
        ledger.0.push(back);
        let mut evidence = play.evidence();
        let history = &mut evidence.erp.get_mut(&customer).unwrap().history;
        history[0].at_ms = edited_ms - 1;
        let synced = &mut history[1];
        let Writer::Caller { visit, .. } = &mut synced.writer else { panic!("the sync wrote last") };
        (visit.came_ms, synced.at_ms) = (synced_ms, synced_ms);
        Audit::of(&ledger, &evidence, play.cast.ownership(), Tolerance::CALM).count(Category::LostEdit)
    };

    assert_eq!(lost(born_with.as_deref(), edited_ms + 70_000), 0, "it stood there when the two last agreed");
    assert_eq!(lost(Some("1"), edited_ms + 70_000), 2, "that is another one");
    assert_eq!(lost(born_with.as_deref(), edited_ms + 30_000), 2, "the two had agreed on another meanwhile");
}

#[tokio::test]
async fn a_finding_tells_the_story_of_both_records() {
    let mut play = Play::well_begun().await;

    play.cast.edit(ERP_BORN, Side::Erp, &[Meaning::VatId], Actor::Person).unwrap();

    let audit = play.audit();
    let story = audit.findings[0].story.join("\n");
    for part in ["person Created", "SYNC (4242) Created", "person Updated", "now  crm", "now  erp"] {
        assert!(story.contains(part), "{story}");
    }
}
