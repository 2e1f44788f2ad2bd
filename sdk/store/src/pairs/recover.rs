//! After a start: what an earlier one left open.

use std::sync::Arc;

use pairline_sdk::RecordId;

use crate::failure::Failure;
use crate::row::operation_columns;
use crate::sql;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Recover;

const ORPHANS: &str = concat!(
    "SELECT ",
    operation_columns!(),
    " FROM operation o WHERE o.state IN ('pending', 'unknown') AND o.state = 'pending' AND o.start <> ?1"
);

/// The source of each create that has no pair yet and was not refused, and of each open operation of a pair.
const TO_LOOK_AT: &str = "\
    SELECT r.source_system, r.source_id FROM reservation r JOIN operation o ON o.id = r.operation \
    WHERE r.closed = 0 AND o.state <> 'failed' \
    UNION SELECT source_system, source_id FROM operation WHERE state IN ('pending', 'unknown') AND pair IS NOT NULL";

impl Command for Recover {
    type Answer = Vec<RecordId>;

    fn run(&self, work: &mut Work<'_>) -> Result<Vec<RecordId>, Failure> {
        for mut operation in sql::all(work.connection(), ORPHANS, [work.start], |row| row.operation())? {
            operation.orphan();
            work.save_operation(&Arc::new(operation))?;
        }
        sql::all(work.connection(), TO_LOOK_AT, [], |row| row.record())
    }
}
