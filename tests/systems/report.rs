//! What the runs of real systems have come to: a row for each scene, counted from what both systems hold, printed, and kept
//! below the target folder, where `tests/systems/run` makes one table of all of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bad_input::stage::{Stage, there};
use crate::bad_input::wait::{SOON, within};

/// A record as an auditor sees it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The ids of the other system that it carries.
    pub(crate) carries: Vec<String>,
}

/// All that either system holds.
pub(crate) type Both = [Vec<Held>; 2];

/// What the CRM holds.
pub(crate) fn contacts(stage: &Stage) -> Vec<Held> {
    let held = |(id, contact): (String, Value)| {
        let text = |field: &str| contact[field].as_str().unwrap_or_default().to_owned();
        let name = format!("{} {}", text("firstname"), text("lastname")).trim().to_owned();
        let carries = Some(text("erp_id")).filter(|id| !id.is_empty()).into_iter().collect();
        Held { id, name, carries }
    };
    there(stage.crm.snapshot()).into_iter().map(held).collect()
}

/// What two systems have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    here: usize,
    there: usize,
    /// Pairs of records that carry each other's id and no other.
    linked: usize,
    /// Records beside the first of each person, on either side; whoever is nobody's is one, too.
    pub(crate) doubled: usize,
    /// People that a side holds no record of.
    lost: usize,
}

impl Counted {
    fn of(people: &BTreeSet<String>, both: &Both) -> Self {
        let known = |side: &[Held]| {
            let names: BTreeSet<&String> = side.iter().map(|held| &held.name).collect();
            names.into_iter().filter(|name| people.contains(*name)).count()
        };
        let [here, there] = both;
        Self {
            here: here.len(),
            there: there.len(),
            linked: links(both).len(),
            doubled: both.iter().map(|side| side.len() - known(side)).sum(),
            lost: both.iter().map(|side| people.len() - known(side)).sum(),
        }
    }

    fn is_in_step(&self, people: usize) -> bool {
        *self == Self { here: people, there: people, linked: people, doubled: 0, lost: 0 }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { here, there, linked, doubled, lost } = self;
        write!(f, "{here:>4} | {there:>5} | {linked:>16} | {doubled:>7} | {lost:>4}")
    }
}

/// The records that carry each other's id and no other, with the same name.
fn links([here, there]: &Both) -> BTreeMap<String, String> {
    let is_link = |one: &&Held, other: &&Held| {
        one.carries == [other.id.clone()] && other.carries == [one.id.clone()] && one.name == other.name
    };
    let of =
        |one: &Held| there.iter().find(|other| is_link(&one, other)).map(|other| (one.id.clone(), other.id.clone()));
    here.iter().filter_map(of).collect()
}

/// What one test notes of two systems.
pub(crate) struct Report {
    systems: &'static str,
    file: PathBuf,
    /// Who was entered, by the name that everybody should know them by.
    people: RefCell<BTreeSet<String>>,
}

impl Report {
    /// A report on two systems, with nothing in it.
    pub(crate) fn of(test: &str, systems: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("systems");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{test}.rows"));
        fs::write(&file, "").unwrap();
        Self { systems, file, people: RefCell::default() }
    }

    /// Somebody was entered, on whichever side.
    pub(crate) fn enters(&self, name: &str) {
        assert!(self.people.borrow_mut().insert(name.to_owned()), "{name} was entered before");
    }

    /// Somebody has another name now.
    pub(crate) fn renames(&self, name: &str, to: &str) {
        assert!(self.people.borrow_mut().remove(name), "{name} was never entered");
        self.enters(to);
    }

    /// Waits until each side holds everybody once, with the other's id; notes what it has come to, and answers the pairs of
    /// ids.
    pub(crate) fn in_step(&self, scene: &str, look: impl Fn() -> Both) -> BTreeMap<String, String> {
        let people = self.people.borrow().len();
        let looked = within(SOON, || {
            let both = look();
            let is_in_step = Counted::of(&self.people.borrow(), &both).is_in_step(people);
            if is_in_step { Ok(both) } else { Err(both) }
        });
        let both = looked.as_ref().unwrap_or_else(|both| both);
        let counted = self.notes(scene, both);
        assert!(looked.is_ok(), "{scene}: {people} people, and within {SOON:?} no more than {counted:?}: {both:?}");
        links(both)
    }

    /// Notes what both systems have come to.
    pub(crate) fn notes(&self, scene: &str, both: &Both) -> Counted {
        let counted = Counted::of(&self.people.borrow(), both);
        let row = format!("| {:<20} | {scene:<50} | {counted} |", self.systems);
        println!("{row}");
        let mut file = OpenOptions::new().append(true).open(&self.file).unwrap();
        writeln!(file, "{row}").unwrap();
        counted
    }
}

fn held(id: &str, name: &str, carries: &[&str]) -> Held {
    let carries = carries.iter().map(|id| (*id).to_owned()).collect();
    Held { id: id.to_owned(), name: name.to_owned(), carries }
}

fn counted(people: &[&str], both: &Both) -> [usize; 5] {
    let people = people.iter().map(|name| (*name).to_owned()).collect();
    let Counted { here, there, linked, doubled, lost } = Counted::of(&people, both);
    [here, there, linked, doubled, lost]
}

#[test]
fn whoever_is_there_twice_or_not_at_all_is_counted() {
    let ada = || held("1", "Ada", &["a"]);
    let of_ada = || held("a", "Ada", &["1"]);

    assert_eq!(counted(&["Ada"], &[vec![ada()], vec![of_ada()]]), [1, 1, 1, 0, 0]);
    assert_eq!(counted(&["Ada"], &[vec![ada()], vec![of_ada(), held("b", "Ada", &["1"])]]), [1, 2, 1, 1, 0]);
    assert_eq!(counted(&["Ada"], &[vec![ada()], vec![of_ada(), held("b", "Nobody", &[])]]), [1, 2, 1, 1, 0]);
    assert_eq!(counted(&["Ada", "Grace"], &[vec![ada()], vec![of_ada()]]), [1, 1, 1, 0, 2]);
    assert_eq!(counted(&["Ada"], &[vec![], vec![of_ada()]]), [0, 1, 0, 0, 1]);
}

#[test]
fn ids_on_one_side_alone_and_those_of_strangers_are_no_link() {
    let there = || vec![held("a", "Ada", &["1"])];
    for here in [held("1", "Ada", &[]), held("1", "Ada", &["b"]), held("1", "Ada", &["a", "b"]), held("1", "X", &["a"])]
    {
        assert_eq!(links(&[vec![here.clone()], there()]), BTreeMap::new(), "{here:?}");
    }
    assert_eq!(links(&[vec![held("1", "Ada", &["a"])], there()]).len(), 1);
}
