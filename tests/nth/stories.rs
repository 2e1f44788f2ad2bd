//! What happens in the life of two systems: between them, the stories pass every route of both flows.

use pairline_fakes::{Crm, Erp, Faults, RecordView};
use pairline_sdk::{Control, System};
use serde_json::json;

use super::network::Fate;
use super::trouble::Failure;

/// The two systems and the people in front of them.
#[derive(Clone)]
pub(super) struct Systems {
    pub(super) crm: Crm,
    pub(super) erp: Erp,
}

impl Systems {
    /// The id of a contact, in the order they were made, those that are gone included.
    fn contact(&self, number: usize) -> String {
        id_of(self.crm.snapshot(), number)
    }

    /// The same of a customer.
    fn customer(&self, number: usize) -> String {
        id_of(self.erp.snapshot(), number)
    }

    fn webhooks_get_lost(&self, lost: bool) {
        let faults = Faults { delivery_dropped_rate: f64::from(u8::from(lost)), ..Faults::default() };
        self.crm.set_faults(faults.clone()).unwrap();
        self.erp.set_faults(faults).unwrap();
    }
}

fn id_of(mut records: Vec<RecordView>, number: usize) -> String {
    records.sort_by_key(|record| record.created_at_ms);
    records[number].id.clone()
}

/// What an operator does.
#[derive(Clone, Debug)]
pub(super) enum Order {
    Control(Control),
    AllowCreates,
    /// Asks whether it is ready, and for its metrics.
    Probe,
}

/// A part of a story.
pub(super) enum Act {
    /// People do something.
    Do(fn(&Systems)),
    /// People do something at the moment of the next such call, which goes on as it says.
    Meanwhile(&'static str, Fate, fn(&Systems)),
    /// Everything comes to rest.
    Rest,
    /// Seconds pass.
    Wait(u64),
    Operate(fn() -> Order),
    /// Somebody approves what is in the trash, as soon as there is something.
    ApproveAll,
    /// The program is stopped and started.
    Restart,
}

/// How a story must end, whatever has gone wrong.
pub(super) struct Then {
    /// That are still there.
    pub(super) contacts: usize,
    pub(super) customers: usize,
    /// Pairs of which both are still there.
    pub(super) pairs: usize,
    pub(super) cases: u64,
    /// Fields of the contract, and a value of which each of them must have one, on both sides; as text.
    pub(super) values: &'static [(&'static str, &'static [&'static str])],
}

pub(super) struct Story {
    pub(super) name: &'static str,
    /// What was there before the first start.
    pub(super) before: fn(&Systems),
    pub(super) acts: &'static [Act],
    pub(super) then: Then,
    /// A failure that nothing is built against yet, and the harm it may do at worst.
    pub(super) at_worst: Option<(Failure, &'static str, Then)>,
}

const ONE_PAIR: Then = Then { contacts: 1, customers: 1, pairs: 1, cases: 0, values: &[] };

fn nothing(_: &Systems) {}

/// A contact with a value in most fields.
fn ada(systems: &Systems) {
    let fields = json!({ "firstname": "Ada", "lastname": "King", "email": "a@example.org", "phone": "1" });
    systems.crm.person_creates(fields).unwrap();
}

fn pause(paused: bool) -> Order {
    let systems = vec![System::new("crm"), System::new("erp")];
    Order::Control(if paused {
        Control::Pause { systems, reason: "the operator wants it".to_owned() }
    } else {
        Control::Resume { systems }
    })
}

pub(super) const STORIES: [Story; 22] = [
    Story {
        name: "a contact reaches the ERP and is edited meanwhile",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Meanwhile("erp create", Fate::Well, |systems| {
                systems.crm.person_edits(&systems.contact(0), json!({ "email": "b@example.org" })).unwrap();
            }),
            Act::Rest,
            Act::Operate(|| Order::Probe),
        ],
        then: Then { values: &[("email", &["b@example.org"]), ("phone", &["1"]), ("name", &["Ada King"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "a customer that is announced three times reaches the CRM",
        before: nothing,
        acts: &[
            Act::Do(|systems| {
                let fields = json!({ "name": "Ada King", "vat_id": "V", "credit_limit": 10, "phone": "1" });
                systems.erp.person_creates_announced(fields, 3).unwrap();
            }),
            Act::Rest,
        ],
        then: Then { values: &[("vat_id", &["V"]), ("credit_limit", &["10"]), ("phone", &["1"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "edits by the owners and on the wrong side",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Do(|systems| {
                let (contact, customer) = (systems.contact(0), systems.customer(0));
                systems.crm.person_edits(&contact, json!({ "email": "b@example.org", "vat_id": "wrong" })).unwrap();
                systems
                    .erp
                    .person_edits(&customer, json!({ "billing_email": "c@example.org", "name": "wrong" }))
                    .unwrap();
            }),
            Act::Rest,
        ],
        then: Then {
            values: &[
                ("email", &["b@example.org"]),
                ("billing_email", &["c@example.org"]),
                ("name", &["Ada King"]),
                ("vat_id", &[""]),
            ],
            ..ONE_PAIR
        },
        at_worst: None,
    },
    Story {
        name: "both sides correct the phone number at once",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Do(|systems| {
                systems.crm.person_edits(&systems.contact(0), json!({ "phone": "2" })).unwrap();
                systems.erp.person_edits(&systems.customer(0), json!({ "phone": "3" })).unwrap();
            }),
            Act::Rest,
        ],
        then: Then { values: &[("phone", &["2", "3"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "two that were linked before are adopted",
        before: |systems| {
            ada(systems);
            let customer = json!({ "email": "old", "vat_id": "V", "custom_fields": { "crm_id": systems.contact(0) } });
            systems.erp.person_creates(customer).unwrap();
            systems.crm.person_edits(&systems.contact(0), json!({ "erp_id": systems.customer(0) })).unwrap();
        },
        acts: &[
            Act::Rest,
            Act::Do(|systems| {
                systems.crm.person_edits(&systems.contact(0), json!({ "email": "b@example.org" })).unwrap();
            }),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["b@example.org"]), ("vat_id", &["V"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "nobody knows whether the ERP has made a customer",
        before: nothing,
        acts: &[
            Act::Meanwhile("erp create", Fate::Unanswered, |systems| systems.webhooks_get_lost(true)),
            Act::Do(ada),
            Act::Wait(2),
            Act::Do(|systems| systems.webhooks_get_lost(false)),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["a@example.org"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "a contact is edited while nobody knows whether its customer was made",
        before: nothing,
        acts: &[
            Act::Meanwhile("erp create", Fate::Unanswered, |systems| {
                systems.webhooks_get_lost(true);
                systems.crm.person_edits(&systems.contact(0), json!({ "email": "b@example.org" })).unwrap();
            }),
            Act::Do(ada),
            Act::Wait(2),
            Act::Do(|systems| systems.webhooks_get_lost(false)),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["b@example.org"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "nobody knows whether the CRM has made a contact",
        before: nothing,
        acts: &[
            Act::Meanwhile("crm create", Fate::Unanswered, |systems| systems.webhooks_get_lost(true)),
            Act::Do(|systems| drop(systems.erp.person_creates(json!({ "name": "Ada King", "vat_id": "V" })).unwrap())),
            Act::Wait(2),
            Act::Do(|systems| systems.webhooks_get_lost(false)),
            Act::Rest,
        ],
        then: Then { values: &[("vat_id", &["V"])], ..ONE_PAIR },
        at_worst: Some((
            Failure::ClockAhead,
            "the wait for a request that may still land is over too soon: one contact too many, and a case that says so",
            Then { contacts: 2, customers: 1, pairs: 1, cases: 1, values: &[] },
        )),
    },
    Story {
        name: "a person takes back an edit whose answer was lost",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Meanwhile("erp update", Fate::Unanswered, |_| ()),
            Act::Do(|systems| systems.crm.person_edits(&systems.contact(0), json!({ "phone": "2" })).unwrap()),
            Act::Wait(4),
            Act::Do(|systems| systems.erp.person_edits(&systems.customer(0), json!({ "phone": "1" })).unwrap()),
            Act::Rest,
        ],
        // Without the event of the write both look alike: it is sent again then.
        then: Then { values: &[("phone", &["1", "2"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "nobody knows whether an edit was written",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Meanwhile("erp update", Fate::Unanswered, |systems| {
                systems.erp.person_edits(&systems.customer(0), json!({ "vat_id": "V" })).unwrap();
            }),
            Act::Do(|systems| {
                systems.crm.person_edits(&systems.contact(0), json!({ "email": "b@example.org" })).unwrap();
            }),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["b@example.org"]), ("vat_id", &["V"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "a contact is deleted, its customer edited, and the contact restored",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Do(|systems| systems.crm.person_deletes(&systems.contact(0)).unwrap()),
            Act::Rest,
            Act::Do(|systems| systems.erp.person_edits(&systems.customer(0), json!({ "vat_id": "V" })).unwrap()),
            Act::Rest,
            Act::Do(|systems| systems.crm.person_restores(&systems.contact(0)).unwrap()),
            Act::Wait(25),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["a@example.org"]), ("vat_id", &["V"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "a customer is deleted while its contact is edited",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Meanwhile("erp read", Fate::Well, |systems| {
                systems.erp.person_deletes(&systems.customer(0)).unwrap();
            }),
            Act::Do(|systems| {
                systems.crm.person_edits(&systems.contact(0), json!({ "vat_id": "wrong" })).unwrap();
            }),
            Act::Rest,
        ],
        then: Then { contacts: 1, customers: 0, pairs: 0, cases: 0, values: &[] },
        at_worst: None,
    },
    Story {
        name: "a contact is deleted while its customer is made",
        before: nothing,
        acts: &[
            Act::Meanwhile("erp create", Fate::Well, |systems| {
                systems.crm.person_deletes(&systems.contact(0)).unwrap();
            }),
            Act::Do(ada),
            Act::Rest,
        ],
        then: Then { contacts: 0, customers: 1, pairs: 0, cases: 0, values: &[] },
        at_worst: None,
    },
    Story {
        name: "both inverse ids are wiped",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Do(|systems| {
                systems.crm.person_edits(&systems.contact(0), json!({ "erp_id": null })).unwrap();
                let none = json!({ "custom_fields": { "crm_id": null } });
                systems.erp.person_edits(&systems.customer(0), none).unwrap();
            }),
            Act::Rest,
        ],
        then: ONE_PAIR,
        at_worst: None,
    },
    Story {
        name: "what no webhook has told is found by the poll",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Do(|systems| {
                systems.webhooks_get_lost(true);
                systems.crm.person_edits(&systems.contact(0), json!({ "email": "b@example.org" })).unwrap();
                systems.erp.person_edits(&systems.customer(0), json!({ "vat_id": "V" })).unwrap();
            }),
            Act::Wait(30),
            Act::Do(|systems| systems.webhooks_get_lost(false)),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["b@example.org"]), ("vat_id", &["V"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "a create is refused and waits in the trash until it is approved",
        before: nothing,
        acts: &[Act::Meanwhile("erp create", Fate::Refused, nothing), Act::Do(ada), Act::ApproveAll],
        then: Then { values: &[("email", &["a@example.org"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "the program is paused, restarted and resumed amid edits, and cleans up",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Operate(|| pause(true)),
            Act::Do(|systems| {
                systems.crm.person_edits(&systems.contact(0), json!({ "email": "b@example.org" })).unwrap();
                systems.erp.person_edits(&systems.customer(0), json!({ "vat_id": "V" })).unwrap();
            }),
            Act::Wait(1),
            Act::Restart,
            Act::Operate(|| pause(false)),
            Act::Wait(61),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["b@example.org"]), ("vat_id", &["V"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "a cloned contact is a case",
        before: nothing,
        acts: &[
            Act::Do(ada),
            Act::Rest,
            Act::Do(|systems| drop(systems.crm.clone_contact(&systems.contact(0)).unwrap())),
            Act::Rest,
        ],
        then: Then { contacts: 2, customers: 1, pairs: 1, cases: 1, values: &[] },
        at_worst: None,
    },
    Story {
        name: "a contact names a customer that names another one",
        before: |systems| {
            systems.erp.person_creates(json!({ "name": "Ada King", "custom_fields": { "crm_id": "999" } })).unwrap();
            let contact = json!({ "email": "a@example.org", "erp_id": systems.customer(0) });
            systems.crm.person_creates(contact).unwrap();
        },
        acts: &[Act::Rest],
        then: Then { contacts: 1, customers: 1, pairs: 0, cases: 1, values: &[] },
        at_worst: None,
    },
    Story {
        name: "the database was lost before a contact was told of its customer",
        before: |systems| {
            systems.crm.person_creates(json!({ "email": "a@example.org", "firstname": "Ada" })).unwrap();
            let contact = systems.contact(0);
            systems.erp.person_creates(json!({ "name": "Ada", "custom_fields": { "crm_id": contact } })).unwrap();
        },
        acts: &[Act::Rest],
        then: Then { values: &[("email", &["a@example.org"])], ..ONE_PAIR },
        at_worst: None,
    },
    Story {
        name: "creates are held back until the operator allows them",
        before: |systems| {
            systems.crm.person_creates(json!({ "email": "a@example.org" })).unwrap();
            systems.erp.person_creates(json!({ "name": "Grace Hopper" })).unwrap();
        },
        acts: &[Act::Rest, Act::Operate(|| Order::AllowCreates), Act::Wait(25), Act::Rest],
        then: Then { contacts: 2, customers: 2, pairs: 2, cases: 0, values: &[] },
        at_worst: None,
    },
    Story {
        name: "a contact is deleted before its customer is made, and restored",
        before: nothing,
        acts: &[
            Act::Operate(|| pause(true)),
            Act::Do(ada),
            Act::Do(|systems| systems.crm.person_deletes(&systems.contact(0)).unwrap()),
            Act::Operate(|| pause(false)),
            Act::Rest,
            Act::Do(|systems| systems.crm.person_restores(&systems.contact(0)).unwrap()),
            Act::Wait(25),
            Act::Rest,
        ],
        then: Then { values: &[("email", &["a@example.org"])], ..ONE_PAIR },
        at_worst: None,
    },
];
