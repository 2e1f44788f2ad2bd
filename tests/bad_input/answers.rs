//! Systems that answer nonsense with a straight face, for a while. No record is made twice, and all is well afterwards.

use pairline_fakes::{Crm, Erp, Faults, Server};
use serde_json::json;

use super::http::Lie;
use super::runner::Runner;
use super::stage::Stage;
use super::wait::until;

/// People on either side, one of them known to both; then a while in which more happens, and everything is answered so.
fn a_while_of(faults: &Faults, happened: &str) {
    let stage = Stage::new();
    let runner = stage.run(&["--poll-ms", "500"]);
    let known = stage.crm.person_creates(json!({ "email": "known@example.org", "firstname": "Known" })).unwrap();
    stage.agrees_on(1);

    stage.crm.set_faults(faults.clone()).unwrap();
    stage.erp.set_faults(faults.clone()).unwrap();
    busy(&stage, &known);
    let times = |server: &Server| server.faults_happened().get(happened).copied().unwrap_or_default();
    until("both sides have answered nonsense", || (times(&stage.crm) > 0 && times(&stage.erp) > 0).then_some(()));

    heal(&stage.crm, &stage.erp);
    well_again(&stage, runner);
}

/// A new person on either side, and edits on both sides of one that is known.
fn busy(stage: &Stage, known: &str) {
    stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada", "phone": "1" })).unwrap();
    stage.erp.person_creates(json!({ "email": "grace@example.org", "name": "Grace", "vat_id": "CZ1" })).unwrap();
    stage.crm.person_edits(known, json!({ "email": "renamed@example.org" })).unwrap();
    let customer = stage.erp.snapshot()[0].id.clone();
    stage.erp.person_edits(&customer, json!({ "billing_email": "bills@example.org" })).unwrap();
}

fn heal(crm: &Crm, erp: &Erp) {
    crm.set_faults(Faults::default()).unwrap();
    erp.set_faults(Faults::default()).unwrap();
}

/// Three people, each once; nothing in the trash, nothing that waits for a person.
fn well_again(stage: &Stage, runner: Runner) {
    stage.agrees_on(3);
    let (contacts, customers) = (stage.crm.snapshot(), stage.erp.snapshot());
    assert_eq!((contacts.len(), customers.len()), (3, 3), "a duplicate was made, and removed again");
    assert!(customers.iter().any(|customer| customer.fields["email"] == "renamed@example.org"), "{customers:?}");
    assert!(contacts.iter().any(|contact| contact.fields.get("billing_email").is_some()), "{contacts:?}");
    let status = until("nothing is left to be done", || {
        let status = stage.asked(&["status"]);
        (status["waiting"] == 0 && status["operations_unknown"] == 0 && status["reservations_open"] == 0)
            .then_some(status)
    });
    assert_eq!(status["trash"], 0, "{:#}", stage.asked(&["trash", "list"]));
    assert_eq!(status["cases"], json!([]), "{status:#}");
    runner.stop();
}

#[test]
fn a_page_of_html_with_status_200_is_no_answer() {
    a_while_of(&Faults { html_200_rate: 1.0, ..Faults::default() }, "html_200");
}

#[test]
fn half_of_an_answer_is_no_answer() {
    a_while_of(&Faults { truncated_json_rate: 1.0, ..Faults::default() }, "truncated_json");
}

#[test]
fn fm_027_a_create_that_is_answered_without_an_id_is_found_and_not_made_again() {
    a_while_of(&Faults { created_without_id_rate: 1.0, ..Faults::default() }, "created_without_id");
}

/// The same with what the fakes do not do: a go-between on both sides tells this lie.
fn a_while_of_lies(lie: Lie) {
    let stage = Stage::new();
    let (crm, erp) = (stage.between("crm"), stage.between("erp"));
    let runner = stage.run(&["--poll-ms", "500"]);
    let known = stage.crm.person_creates(json!({ "email": "known@example.org", "firstname": "Known" })).unwrap();
    stage.agrees_on(1);

    crm.tells(lie);
    erp.tells(lie);
    busy(&stage, &known);
    until("both systems have lied", || (crm.told() >= 2 && erp.told() >= 2).then_some(()));

    crm.tells(Lie::Truth);
    erp.tells(Lie::Truth);
    well_again(&stage, runner);
}

#[test]
fn an_empty_body_with_a_good_status_is_no_answer() {
    a_while_of_lies(Lie::Empty);
}

#[test]
fn an_error_object_with_status_200_is_no_answer_also_when_the_write_was_done() {
    a_while_of_lies(Lie::ErrorObject);
}

#[test]
fn an_error_object_with_status_200_is_no_answer_also_when_nothing_was_done() {
    a_while_of_lies(Lie::ErrorObjectUnsent);
}

/// Creates and updates are written through, and their answers are empty; reads tell the truth.
#[test]
fn writes_that_are_answered_with_nothing_are_looked_up() {
    a_while_of_lies(Lie::EmptyWrites);
}

#[test]
fn a_write_that_is_answered_with_an_error_object_was_perhaps_done() {
    a_while_of_lies(Lie::ErrorObjectForWrites);
}
