//! A deed: one thing that somebody does, complete in itself, so that any other can be left out.

use std::collections::BTreeMap;
use std::fmt;

use pairline_fakes::Refused;
use pairline_fakes::judge::{Actor, Cast, Meaning, Side};

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
}

/// What is typed into a field: that person's value of this number, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) meaning: Meaning,
    pub(super) serial: Option<u32>,
}

impl Deed {
    /// Does it, if it can be done: whoever has no record there yet, or none any more, is let be.
    pub(super) fn perform(&self, cast: &mut Cast) -> Result<(), Refused> {
        let person = self.person;
        let values = |typed: &[Typed]| -> BTreeMap<Meaning, Option<String>> {
            typed
                .iter()
                .map(|typed| (typed.meaning, typed.serial.map(|nth| typed.meaning.value(person, nth))))
                .collect()
        };
        match &self.what {
            What::Enter { side, known, times } => {
                let known = known.iter().map(|meaning| (*meaning, Some(meaning.value(person, 0)))).collect();
                return cast.enter(person, *side, known, *times);
            }
            _ => cast.look_around(),
        };
        match &self.what {
            What::Enter { .. } => Ok(()),
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
        }
    }
}

fn shown(typed: &[Typed]) -> String {
    let one = |typed: &Typed| match typed.serial {
        Some(serial) => format!("{:?} number {serial}", typed.meaning),
        None => format!("{:?} emptied", typed.meaning),
    };
    typed.iter().map(one).collect::<Vec<_>>().join(", ")
}
