//! A system unlike all that are shipped, connected with the files of the guide and nothing else.

use std::fs;

use pairline_fakes::RecordView;
use serde_json::{Value, json};

use super::books::{Books, KEY};
use super::project::{self, files_of_the_guide};
use crate::bad_input::runner::Runner;
use crate::bad_input::stage::Stage;
use crate::bad_input::wait::until;
use crate::tidy::read;

/// A CRM as it is shipped, the bookkeeping, and what the guide says to write.
pub(super) struct Connected {
    pub(super) stage: Stage,
    pub(super) books: Books,
}

impl Connected {
    pub(super) fn new() -> Self {
        let stage = Stage::new();
        let books = Books::start();
        stage.set("BOOKS_BASE_URL", books.base_url());
        stage.set("BOOKS_KEY", KEY);
        let files = files_of_the_guide();
        assert_eq!(files.len(), 4, "{files:?}");
        project::write(&stage, files.into_iter().chain([project::crm()]));
        Self { stage, books }
    }

    pub(super) fn run(&self) -> Runner {
        self.stage.run(&["--config", "project", "--poll-ms", "200"])
    }

    fn contacts(&self) -> Vec<RecordView> {
        self.stage.crm.snapshot()
    }

    /// Waits until each side holds as many as it should, each with the other's id, and answers the pairs of ids.
    pub(super) fn linked(&self, many: usize) -> Vec<(String, String)> {
        until(&format!("{many} pairs with ids on both sides"), || {
            let debtors = self.books.debtors();
            let contacts = self.contacts();
            let pair = |contact: &RecordView| {
                let no = contact.fields.get("erp_id")?.as_str()?.to_owned();
                let is_its = debtors.get(&no)?.get("ext_ref")? == &json!(contact.id);
                is_its.then(|| (contact.id.clone(), no))
            };
            let pairs: Option<Vec<_>> = contacts.iter().map(pair).collect();
            pairs.filter(|pairs| pairs.len() == many && debtors.len() == many)
        })
    }

    pub(super) fn comes(&self, no: &str, field: &str, value: &Value) {
        until(&format!("{no} has {field} {value}"), || {
            (self.books.debtors()[no].get(field) == Some(value)).then_some(())
        });
    }

    fn comes_to_contact(&self, id: &str, field: &str, value: &str) {
        until(&format!("{id} has {field} {value}"), || {
            let contacts = self.contacts();
            let contact = contacts.iter().find(|contact| contact.id == id)?;
            (contact.fields.get(field)?.as_str()? == value).then_some(())
        });
    }
}

#[test]
fn a_system_like_none_is_kept_in_step_by_what_the_guide_says() {
    let connected = Connected::new();
    let runner = connected.run();

    // From either side, each with the values that it had.
    let ada = connected.stage.crm.person_creates(json!({
        "email": "ada@example.test", "firstname": "Ada", "lastname": "Lovelace", "phone": "+44 1",
    }));
    let ada = ada.unwrap();
    let grace =
        connected.books.enters(json!({ "title": "Grace Hopper", "mail": "g@example.test", "limit": "1.234,50" }));
    connected.books.enters(json!({ "title": "Edsger Dijkstra" }));
    let pairs = connected.linked(3);
    let no = pairs.iter().find(|(id, _)| *id == ada).unwrap().1.clone();
    let contact = pairs.iter().find(|(_, no)| *no == grace).unwrap().0.clone();
    connected.comes(&no, "title", &json!("Ada Lovelace"));
    connected.comes(&no, "tel", &json!("+44 1"));
    connected.comes_to_contact(&contact, "credit_limit", "1234.5");

    // Edits both ways.
    connected.books.corrects(&no, json!({ "limit": "99,90", "tel": "+44 2" }));
    connected.comes_to_contact(&ada, "credit_limit", "99.9");
    connected.comes_to_contact(&ada, "phone", "+44 2");
    connected.stage.crm.person_edits(&contact, json!({ "email": "grace@example.test", "phone": "+1 3" })).unwrap();
    connected.comes(&grace, "mail", &json!("grace@example.test"));
    connected.comes(&grace, "tel", &json!("+1 3"));

    // What the bookkeeping does not own is put back.
    connected.books.corrects(&no, json!({ "title": "Somebody Else" }));
    connected.comes(&no, "title", &json!("Ada Lovelace"));

    // It is busy for a while.
    connected.books.be_busy(3);
    connected.stage.crm.person_edits(&ada, json!({ "lastname": "King" })).unwrap();
    connected.comes(&no, "title", &json!("Ada King"));
    assert!(!connected.books.is_busy());

    assert_eq!(connected.linked(3), pairs);
    assert_eq!(connected.stage.asked(&["--config", "project", "trash", "list"])["trash"], json!([]));
    runner.stop();
}

#[test]
fn an_answer_that_never_comes_makes_no_second_debtor() {
    let connected = Connected::new();
    let runner = connected.run();
    connected.books.hang(1);

    let id = connected.stage.crm.person_creates(json!({ "email": "ada@example.test", "firstname": "Ada" })).unwrap();

    let pairs = connected.linked(1);
    assert_eq!(pairs[0].0, id);
    // The same with an update, and with somebody who takes it back before anybody knows that it was done.
    connected.books.hang(1);
    connected.stage.crm.person_edits(&id, json!({ "phone": "+1" })).unwrap();
    connected.comes(&pairs[0].1, "tel", &json!("+1"));
    connected.stage.crm.person_edits(&id, json!({ "phone": "+2" })).unwrap();
    connected.comes(&pairs[0].1, "tel", &json!("+2"));
    assert_eq!(connected.linked(1), pairs);
    runner.stop();
}

#[test]
fn the_doctor_agrees_with_the_guide_and_says_what_is_missing_as_the_guide_shows() {
    let connected = Connected::new();
    let asked = || connected.stage.cli(&["--config", "project", "doctor", "books", "--probe"]);

    let right = asked();
    let file = connected.stage.path("project/applications/books.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("  renamed: { ref: ext_ref }\n", "", 1)).unwrap();
    let wrong = asked();

    assert_eq!(right.code, 0, "{right:?}");
    assert!(right.stdout.contains("measured class  C, as promised"), "{right:?}");
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let finding = wrong.stdout.split("\n\n").find(|part| part.starts_with("error[PL0709]")).unwrap();
    assert!(read("sdk/docs/connecting-a-system.md").contains(finding), "the guide does not show:\n{finding}");
}
