//! Cast: the people and other tools in front of both systems, and the ledger of what they did.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::crm::Crm;
use crate::dice::happens;
use crate::erp::Erp;
use crate::history::{Deed, RecordView};
use crate::judge::ledger::{Actor, Entry, Ledger};
use crate::judge::meaning::{Meaning, Side};
use crate::judge::ownership::Ownership;
use crate::judge::progress::Progress;
use crate::refused::Refused;

/// Other tools. One is named so that a careless comparison takes it for the sync itself.
const CRM_TOOLS: [&str; 2] = ["9001", "424"];
const ERP_TOOLS: [&str; 2] = ["warehouse", "pairline-import"];

/// Fields a person sometimes empties.
const CLEARED: [Meaning; 4] = [Meaning::Phone, Meaning::BillingEmail, Meaning::VatId, Meaning::CreditLimit];
const CLEARED_RATE: f64 = 0.04;

/// The people of a run.
pub struct Cast {
    crm: Crm,
    erp: Erp,
    ledger: Ledger,
    people: BTreeMap<Number, Someone>,
    ownership: Ownership,
    progress: Progress,
    in_a_hurry: bool,
    /// How often one field was edited on both sides at once.
    pub(crate) conflicts: usize,
    pub(crate) rng: Rng,
}

struct Someone {
    home: Side,
    /// By side; the far one is found by the token, once the sync has made it.
    ids: [Option<String>; 2],
    serial: u32,
    values: BTreeMap<Meaning, Option<String>>,
}

/// Someone in the cast; people are numbered from 1.
pub(crate) type Number = u32;

impl Cast {
    /// Nobody yet.
    pub fn new(crm: Crm, erp: Erp, seed: u64) -> Self {
        Self {
            crm,
            erp,
            ledger: Ledger::default(),
            people: BTreeMap::new(),
            ownership: Ownership::default(),
            progress: Progress::default(),
            in_a_hurry: false,
            conflicts: 0,
            rng: Rng::with_seed(seed ^ 0x006a_7564_6765),
        }
    }

    /// People who go by another sync contract.
    #[must_use]
    pub fn with_ownership(mut self, ownership: Ownership) -> Self {
        self.ownership = ownership;
        self
    }

    /// People who do not care for capital letters and spaces; their evidence has to be [tidied](super::Evidence::tidied).
    #[must_use]
    pub fn in_a_hurry(mut self, in_a_hurry: bool) -> Self {
        self.in_a_hurry = in_a_hurry;
        self
    }

    /// Whoever waits is told what they do.
    #[must_use]
    pub fn watched_by(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Who may edit what.
    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// What they did.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Where somebody was created.
    pub(crate) fn home(&self, number: Number) -> Side {
        self.person(number).home
    }

    /// Somebody's record on one side, as far as known.
    pub fn id(&self, number: u32, side: Side) -> Option<&str> {
        self.people.get(&number)?.ids[side as usize].as_deref()
    }

    pub(crate) fn numbers(&self) -> std::ops::RangeInclusive<Number> {
        1..=Number::try_from(self.people.len()).unwrap_or(Number::MAX)
    }

    /// One of those who are there, by chance.
    pub(crate) fn anybody(&mut self) -> Number {
        let everybody = self.numbers();
        self.rng.u32(everybody)
    }

    pub(crate) fn either_side(&mut self) -> Side {
        if self.rng.bool() { Side::Crm } else { Side::Erp }
    }

    /// Whether somebody is known to have a record on both sides.
    pub fn is_paired(&self, number: u32) -> bool {
        Side::BOTH.into_iter().all(|side| self.id(number, side).is_some())
    }

    /// Somebody new, announced by `times` events at the same moment.
    pub fn create(&mut self, home: Side, times: u32) -> Result<u32, Refused> {
        let number = Number::try_from(self.people.len() + 1).unwrap_or(Number::MAX);
        let mut values = BTreeMap::new();
        for meaning in self.ownership.judged() {
            // Nobody is without a name or an e-mail; the rest is sometimes filled in later.
            let known = matches!(meaning, Meaning::Email | Meaning::Name) || happens(&mut self.rng, 0.6);
            if known {
                values.insert(meaning, Some(meaning.value(number, 0)));
            }
        }
        self.enter(number, home, values, times)?;
        Ok(number)
    }

    /// Somebody new of this number is entered with exactly these values, announced by `times` events at the same moment.
    pub fn enter(
        &mut self,
        number: u32,
        home: Side,
        values: BTreeMap<Meaning, Option<String>>,
        times: u32,
    ) -> Result<(), Refused> {
        let typed = self.typed(home, &values);
        let at_ms = self.crm.wall().now_ms();
        let id = match home {
            Side::Crm => self.crm.person_creates_announced(typed, times)?,
            Side::Erp => self.erp.person_creates_announced(typed, times)?,
        };
        let mut ids = [None, None];
        ids[home as usize] = Some(id.clone());
        self.people.insert(number, Someone { home, ids, serial: 0, values: values.clone() });
        self.note(at_ms, home, id, number, Actor::Person, Deed::Created, values);
        Ok(())
    }

    /// Somebody's fields get new values (or, seldom, none) on one side.
    pub fn edit(&mut self, number: u32, side: Side, meanings: &[Meaning], actor: Actor) -> Result<(), Refused> {
        let serial = {
            let person = self.person_mut(number);
            person.serial += 1;
            person.serial
        };
        let mut values = BTreeMap::new();
        for meaning in meanings {
            let cleared = CLEARED.contains(meaning) && happens(&mut self.rng, CLEARED_RATE);
            values.insert(*meaning, (!cleared).then(|| meaning.value(number, serial)));
        }
        self.type_in(number, side, values, actor)
    }

    /// Somebody's fields are saved with exactly these values on one side.
    pub fn type_in(
        &mut self,
        number: u32,
        side: Side,
        values: BTreeMap<Meaning, Option<String>>,
        actor: Actor,
    ) -> Result<(), Refused> {
        let Some(id) = self.id(number, side).map(str::to_owned) else {
            return Err(Refused::bad(format!("person {number} has no known record in the {}", side.name())));
        };
        let typed = self.typed(side, &values);
        let at_ms = self.crm.wall().now_ms();
        match (side, actor) {
            (Side::Crm, Actor::Person) => self.crm.person_edits(&id, typed)?,
            (Side::Erp, Actor::Person) => self.erp.person_edits(&id, typed)?,
            (Side::Crm, Actor::Tool) => self.crm.other_tool_edits(&id, typed, CRM_TOOLS[number as usize % 2])?,
            (Side::Erp, Actor::Tool) => self.erp.other_tool_edits(&id, typed, ERP_TOOLS[number as usize % 2])?,
        }
        self.person_mut(number).values.extend(values.clone());
        self.note(at_ms, side, id, number, actor, Deed::Updated, values);
        Ok(())
    }

    fn typed(&self, side: Side, values: &BTreeMap<Meaning, Option<String>>) -> Value {
        let mut fields = Map::new();
        for (meaning, value) in values {
            let value =
                value.as_deref().map(|value| if self.in_a_hurry { meaning.untidy(value) } else { value.to_owned() });
            meaning.type_into(side, value.as_deref(), &mut fields);
        }
        Value::Object(fields)
    }

    /// What somebody last typed into a field.
    pub(crate) fn value(&self, number: Number, meaning: Meaning) -> Option<String> {
        self.person(number).values.get(&meaning).cloned().flatten()
    }

    /// Somebody's record is deleted on one side.
    pub fn delete(&mut self, number: u32, side: Side) -> Result<(), Refused> {
        let Some(id) = self.id(number, side).map(str::to_owned) else {
            return Err(Refused::bad(format!("person {number} has no known record in the {}", side.name())));
        };
        let at_ms = self.crm.wall().now_ms();
        match side {
            Side::Crm => self.crm.person_deletes(&id)?,
            Side::Erp => self.erp.person_deletes(&id)?,
        }
        self.note(at_ms, side, id, number, Actor::Person, Deed::Deleted, BTreeMap::new());
        Ok(())
    }

    /// Somebody's record is taken for another's on one side: it goes, as if it were deleted, and the other one stays.
    pub fn merge(&mut self, number: u32, into: u32, side: Side) -> Result<(), Refused> {
        let known = |number| self.id(number, side).map(str::to_owned);
        let (Some(id), Some(into)) = (known(number), known(into)) else {
            return Err(Refused::bad(format!("expected two people with a record in the {}", side.name())));
        };
        let at_ms = self.crm.wall().now_ms();
        match side {
            Side::Crm => self.crm.merge(&id, &into)?,
            Side::Erp => self.erp.merge(&id, &into)?,
        }
        self.note(at_ms, side, id, number, Actor::Person, Deed::Deleted, BTreeMap::new());
        Ok(())
    }

    /// Finds the records the sync has made, by their tokens. Answers how many people have none yet.
    pub fn look_around(&mut self) -> usize {
        let searched = Side::BOTH.map(|side| self.people.values().any(|person| person.ids[side as usize].is_none()));
        for side in Side::BOTH {
            if !searched[side as usize] {
                continue;
            }
            let views: Vec<RecordView> = match side {
                Side::Crm => self.crm.snapshot(),
                Side::Erp => self.erp.snapshot(),
            };
            for view in views {
                let email = Meaning::Email.read(side, &view.fields).map(|email| Meaning::Email.tidied(&email));
                let owner = email.and_then(|email| Meaning::Email.person_of(&email));
                if let Some(person) = owner.and_then(|owner| self.people.get_mut(&owner)) {
                    person.ids[side as usize].get_or_insert(view.id);
                }
            }
        }
        self.people.values().filter(|person| person.ids.iter().any(Option::is_none)).count()
    }

    /// Looks around until everybody has a record on both sides, for as long as that may take.
    pub(crate) async fn everybody_paired(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        while self.look_around() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The CRM they work in.
    pub fn crm(&self) -> &Crm {
        &self.crm
    }

    /// The ERP they work in.
    pub fn erp(&self) -> &Erp {
        &self.erp
    }

    fn person(&self, number: Number) -> &Someone {
        &self.people[&number]
    }

    fn person_mut(&mut self, number: Number) -> &mut Someone {
        self.people.get_mut(&number).expect("nobody edits a person who is not there")
    }

    #[expect(clippy::too_many_arguments, reason = "these are the columns of a ledger")]
    fn note(
        &mut self,
        at_ms: i64,
        side: Side,
        record: String,
        person: Number,
        actor: Actor,
        deed: Deed,
        values: BTreeMap<Meaning, Option<String>>,
    ) {
        self.progress.edited();
        self.ledger.0.push(Entry { at_ms, side, record, person, actor, deed, values });
    }
}
