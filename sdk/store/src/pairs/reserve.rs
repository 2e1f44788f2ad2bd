//! A create is reserved and its intent committed together, before anything leaves the machine.

use std::sync::Arc;

use pairline_sdk::{Create, Creates, Intent, Look, Reserve};

use crate::failure::Failure;
use crate::reads::CREATES;
use crate::work::Work;
use crate::writer::Command;
use crate::{row, sql};

pub(super) struct ReserveCreate(pub(super) Create);

impl Command for ReserveCreate {
    type Answer = Reserve;

    fn run(&self, work: &mut Work<'_>) -> Result<Reserve, Failure> {
        let Self(create) = self;
        let standing = work.standing(&create.source, &create.target)?;
        // What is left there by a refused create; only its number matters.
        let before = standing.reservation.as_ref().map_or(0, |reservation| reservation.incarnation);
        match standing.look() {
            Look::Missing => {}
            taken => return Ok(Reserve::Taken(taken)),
        }
        let creates: Option<String> = sql::one(work.connection(), CREATES, [], |row| row.get())?;
        match creates_of(creates.as_deref())? {
            Creates::Allowed => {}
            Creates::Undecided => return Ok(Reserve::Held("the first start has not looked at both sides yet".into())),
            Creates::Held(reason) => return Ok(Reserve::Held(reason)),
        }
        let incarnation = before + 1;
        let operation = Arc::new(create.operation(work.next_operation(), incarnation, work.now, work.start));
        work.insert_operation(&operation)?;
        work.reserve(&operation, incarnation)?;
        Ok(Reserve::Won(Intent::recorded(operation)))
    }
}

/// What `meta` says about creates; nothing stands there before the first start has decided.
pub(super) fn creates_of(value: Option<&str>) -> Result<Creates, Failure> {
    Ok(value.map(serde_json::from_str).transpose()?.unwrap_or(Creates::Undecided))
}

pub(super) struct SetCreates(pub(super) Creates);

impl Command for SetCreates {
    type Answer = ();

    fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        let statement = "INSERT INTO meta VALUES ('creates', ?1) ON CONFLICT DO UPDATE SET value = excluded.value";
        work.run(statement, [row::json(&self.0)?])?;
        Ok(())
    }
}
