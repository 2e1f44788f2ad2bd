//! A deed: one thing that somebody does, complete in itself, so that any other can be left out.

use std::collections::BTreeMap;
use std::fmt;

use pairline_fakes::Refused;
use pairline_fakes::judge::{Actor, Cast, Meaning, Side};
use serde_json::Value;

use super::bystander::{Bystander, inverse};

/// One thing that somebody does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deed {
    /// When, from the beginning of the run.
    pub(super) at_ms: u64,
    /// To whose record.
    pub(super) person: u32,
    pub(super) what: What,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Somebody new is entered, announced by so many events at the same moment.
    Enter { side: Side, known: Vec<Meaning>, times: u32 },
    /// Fields are saved.
    Edit { side: Side, actor: Actor, typed: Vec<Typed> },
    /// Fields are saved on the side that does not own them; only once both sides have the record, because before there
    /// is no other side whose field it could be.
    Trespass { side: Side, typed: Vec<Typed> },
    /// One field is saved on both sides at the same moment, on this one first.
    Collide { first: Side, typed: [Typed; 2] },
    /// The record is deleted on one side.
    Delete { side: Side },
    /// Two people's records on one side are taken for one: this person's goes and the other's stays. For the sync it is
    /// a deletion; the counterpart of the one that went stays as it is.
    Merge { side: Side, into: u32 },
    /// The record is copied on one side with all it holds, the other side's id too. Only once both sides name each other:
    /// before that nobody could say which of the two is the copy. It is a bystander.
    Clone { side: Side },
    /// Somebody new is entered in the CRM, and at the same moment another tool puts the same e-mail into the ERP. The CRM
    /// does not take an e-mail twice, so what the tool has made is a bystander.
    Twin { known: Vec<Meaning> },
}

/// What is typed into a field: that person's value of this number, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) meaning: Meaning,
    pub(super) serial: Option<u32>,
}

impl Deed {
    /// Does it, if it can be done: whoever has no record there yet, or none any more, is let be.
    pub(super) fn perform(&self, cast: &mut Cast, bystanders: &mut Vec<Bystander>) -> Result<(), Refused> {
        let person = self.person;
        let values = |typed: &[Typed]| -> BTreeMap<Meaning, Option<String>> {
            typed
                .iter()
                .map(|typed| (typed.meaning, typed.serial.map(|nth| typed.meaning.value(person, nth))))
                .collect()
        };
        let at_first = |known: &[Meaning]| known.iter().map(|known| (*known, Some(known.value(person, 0)))).collect();
        if !matches!(self.what, What::Enter { .. } | What::Twin { .. }) {
            cast.look_around();
        }
        match &self.what {
            What::Enter { side, known, times } => cast.enter(person, *side, at_first(known), *times),
            What::Edit { side, actor, typed } => cast.type_in(person, *side, values(typed), *actor),
            What::Trespass { side, typed } if cast.is_paired(person) => {
                cast.type_in(person, *side, values(typed), Actor::Person)
            }
            What::Trespass { .. } => Err(not_there()),
            What::Collide { first, typed: [one, other] } => {
                cast.type_in(person, *first, values(&[*one]), Actor::Person)?;
                cast.type_in(person, first.other(), values(&[*other]), Actor::Person)
            }
            What::Delete { side } => cast.delete(person, *side),
            What::Merge { side, into } => cast.merge(person, *into, *side),
            What::Clone { side } => {
                let pair = named_by_each_other(cast, person).ok_or_else(not_there)?;
                let id = match side {
                    Side::Crm => cast.crm().clone_contact(&pair[0].1)?,
                    Side::Erp => cast.erp().clone_customer(&pair[1].1)?,
                };
                bystanders.push(Bystander { side: *side, id, beside: pair.into() });
                Ok(())
            }
            What::Twin { known } => {
                cast.enter(person, Side::Crm, at_first(known), 1)?;
                let email = Meaning::Email.typed(Side::Erp, &Meaning::Email.value(person, 0));
                let id = cast.erp().other_tool_creates(Value::Object(email), "warehouse")?;
                bystanders.push(Bystander { side: Side::Erp, id, beside: vec![] });
                Ok(())
            }
        }
    }

    /// The name it is counted by.
    pub(super) fn name(&self) -> &'static str {
        match &self.what {
            What::Enter { side: Side::Crm, .. } => "enter in the crm",
            What::Enter { side: Side::Erp, .. } => "enter in the erp",
            What::Edit { actor: Actor::Person, .. } => "edit",
            What::Edit { actor: Actor::Tool, .. } => "edit by a tool",
            What::Trespass { .. } => "edit of the other's field",
            What::Collide { .. } => "edit on both sides at once",
            What::Delete { .. } => "delete",
            What::Merge { .. } => "merge",
            What::Clone { .. } => "clone",
            What::Twin { .. } => "twin",
        }
    }

    /// The same with less in it, if there is anything to spare.
    pub(super) fn plainer(&self) -> Option<Self> {
        let mut plainer = self.clone();
        match &mut plainer.what {
            What::Enter { times, .. } if *times > 1 => *times = 1,
            What::Enter { known, .. } if known.len() > 2 => drop(known.pop()),
            What::Edit { typed, .. } | What::Trespass { typed, .. } if typed.len() > 1 => drop(typed.pop()),
            What::Edit { actor: actor @ Actor::Tool, .. } => *actor = Actor::Person,
            _ => return None,
        }
        Some(plainer)
    }
}

fn not_there() -> Refused {
    Refused { status: 404, message: "nobody has a record there".to_owned() }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let person = self.person;
        match &self.what {
            What::Enter { side, known, times } => {
                write!(f, "person {person} is entered in the {} with {known:?}", side.name())?;
                if *times > 1 { write!(f, ", announced by {times} events") } else { Ok(()) }
            }
            What::Edit { side, actor: Actor::Person, typed } => {
                write!(f, "person {person} is edited in the {}: {}", side.name(), shown(typed))
            }
            What::Edit { side, actor: Actor::Tool, typed } => {
                write!(f, "person {person} is edited by another tool in the {}: {}", side.name(), shown(typed))
            }
            What::Trespass { side, typed } => {
                write!(f, "person {person} is edited in the {}, which does not own it: {}", side.name(), shown(typed))
            }
            What::Collide { first, typed: [one, other] } => {
                let (one, other) = (shown(&[*one]), shown(&[*other]));
                let (first, then) = (first.name(), first.other().name());
                write!(f, "person {person} is edited in the {first}: {one}, and in the {then}: {other}")
            }
            What::Delete { side } => write!(f, "person {person} is deleted in the {}", side.name()),
            What::Merge { side, into } => write!(f, "person {person} is merged into {into} in the {}", side.name()),
            What::Clone { side } => write!(f, "person {person} is cloned in the {}", side.name()),
            What::Twin { known } => {
                write!(f, "person {person} is entered in the crm with {known:?}, and the e-mail in the erp by a tool")
            }
        }
    }
}

/// Somebody's records, if each carries the other's id.
fn named_by_each_other(cast: &Cast, person: u32) -> Option<[(Side, String); 2]> {
    let (crm_id, erp_id) = (cast.id(person, Side::Crm)?, cast.id(person, Side::Erp)?);
    let contact = cast.crm().snapshot().into_iter().find(|view| view.id == crm_id && !view.gone)?;
    let customer = cast.erp().snapshot().into_iter().find(|view| view.id == erp_id && !view.gone)?;
    let named = inverse(Side::Crm, &contact.fields) == Some(erp_id);
    let named_back = inverse(Side::Erp, &customer.fields) == Some(crm_id);
    (named && named_back).then_some([(Side::Crm, contact.id), (Side::Erp, customer.id)])
}

fn shown(typed: &[Typed]) -> String {
    let one = |typed: &Typed| match typed.serial {
        Some(serial) => format!("{:?} number {serial}", typed.meaning),
        None => format!("{:?} emptied", typed.meaning),
    };
    typed.iter().map(one).collect::<Vec<_>>().join(", ")
}
