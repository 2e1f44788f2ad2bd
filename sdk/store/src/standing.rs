//! What stands in the mapping for a record, read in one row.

use std::sync::Arc;

use pairline_sdk::{Look, OperationState, Pair, Reservation};

use crate::columns::Columns;
use crate::failure::Failure;
use crate::row::{PAIR_COLUMNS, RESERVATION_COLUMNS, Reader};

/// What stands in the mapping for a record and a target system: its pair with the open operation, else its
/// reservation.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) pair: Option<Arc<Pair>>,
    pub(crate) reservation: Option<Reservation>,
}

impl Standing {
    /// Of a record that has a pair.
    pub(crate) fn of(pair: Arc<Pair>) -> Self {
        Self { pair: Some(pair), reservation: None }
    }

    /// What that means to whoever asks.
    pub(crate) fn look(self) -> Look {
        match (self.pair, self.reservation) {
            (Some(pair), _) if pair.is_active() => Look::Found(pair),
            (Some(pair), _) => Look::Inactive(Some(pair)),
            (None, Some(reservation)) if reservation.closed => Look::Inactive(None),
            (None, Some(reservation)) if reservation.operation.state != OperationState::Failed => {
                Look::Pending(Box::new(reservation))
            }
            _ => Look::Missing,
        }
    }

    /// Reads what [`standing_columns`] selects, from column `first`.
    pub(crate) fn read(row: &impl Columns, first: usize) -> Result<Self, Failure> {
        let mut operation = Reader::at(row, first + PAIR_COLUMNS + RESERVATION_COLUMNS);
        let mut pair = Reader::at(row, first);
        if !pair.is_absent()? {
            let mut pair = pair.pair()?;
            if !operation.is_absent()? {
                pair.opened(Arc::new(operation.operation()?));
            }
            return Ok(Self::of(Arc::new(pair)));
        }
        let mut reservation = Reader::at(row, first + PAIR_COLUMNS);
        Ok(Self {
            pair: None,
            reservation: if reservation.is_absent()? { None } else { Some(reservation.reservation()?) },
        })
    }
}

/// The columns of a [`Standing`]: of the pair, the reservation, and the operation of the one or the other.
macro_rules! standing_columns {
    () => {
        concat!(pair_columns!(), ", ", reservation_columns!(), ", ", operation_columns!())
    };
}

/// Where they come from, for a record and a target system given as SQL. A pair's open operation comes from the partial
/// index that allows only one.
macro_rules! standing_joins {
    ($system:literal, $id:literal, $target:literal) => {
        concat!(
            " LEFT JOIN mapping m ON m.source_system = ",
            $system,
            " AND m.source_id = ",
            $id,
            " AND m.target_system = ",
            $target,
            " LEFT JOIN pair p ON p.id = m.pair",
            " LEFT JOIN reservation r ON p.id IS NULL AND r.source_system = ",
            $system,
            " AND r.source_id = ",
            $id,
            " AND r.target_system = ",
            $target,
            " LEFT JOIN operation o ON o.id = coalesce(r.operation,",
            " (SELECT id FROM operation WHERE pair = p.id AND state IN ('pending', 'unknown')))"
        )
    };
}

pub(crate) use {standing_columns, standing_joins};
