//! Rows and what they stand for. The order of the columns below is the order they are read in.

use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{
    Agreement, Case, CaseId, CaseKind, FieldWrite, InverseWrite, NoteKind, Operation, OperationId, OperationKind,
    OperationState, Pair, PairId, PairSide, PairState, Provenance, RecordId, Request, Reservation, Revision, System,
    Timestamp, TrashState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::columns::{Column, Columns};
use crate::failure::Failure;

/// The columns of an operation `o`.
macro_rules! operation_columns {
    () => {
        "o.id, o.kind, o.state, o.pair, o.contract, o.source_system, o.source_id, o.target_system, o.target_id, \
         o.method, o.path, o.body, o.precondition, o.idempotency_key, o.writes, o.inverse_field, o.inverse_id, o.answered, \
         o.first_sent_at, o.sent_at, o.ended_at, o.deadline_ms, o.request_life_ms, o.attempts, o.in_doubt, o.start, o.reason, \
         o.correlation_id, o.topology, o.node"
    };
}

pub(crate) const OPERATION_COLUMNS: usize = 30;

/// The columns of a pair `p`.
macro_rules! pair_columns {
    () => {
        "p.id, p.contract, p.first_system, p.first_id, p.first_base, p.first_inverse_written, p.first_newest, \
         p.first_created_by_us, p.second_system, p.second_id, p.second_base, p.second_inverse_written, \
         p.second_newest, p.second_created_by_us, p.gone, p.gone_since, p.revision, p.agreement, p.created_at, \
         p.created_by, p.last_seen_at"
    };
}
pub(crate) const PAIR_COLUMNS: usize = 21;

/// Pairs with their open operations, from here on by what the rest of the statement says of `p`.
macro_rules! pairs_with_open {
    ($from:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            pair_columns!(),
            ", ",
            operation_columns!(),
            $from,
            " LEFT JOIN operation o ON o.pair = p.id AND o.state IN ('pending', 'unknown')",
            $rest
        )
    };
}

/// The columns of a reservation `r`.
macro_rules! reservation_columns {
    () => {
        "r.source_system, r.source_id, r.target_system, r.incarnation, r.closed"
    };
}
pub(crate) const RESERVATION_COLUMNS: usize = 5;

pub(crate) use {operation_columns, pair_columns, pairs_with_open, reservation_columns};

/// Reads columns one after the other.
pub(crate) struct Reader<'r, R> {
    row: &'r R,
    next: usize,
}

impl<'r, R: Columns> Reader<'r, R> {
    pub(crate) fn at(row: &'r R, next: usize) -> Self {
        Self { row, next }
    }

    pub(crate) fn get<T: Column<'r>>(&mut self) -> Result<T, Failure> {
        self.next += 1;
        T::read(self.row, self.next - 1)
    }

    /// Whether the next column is null: an outer join found nothing.
    pub(crate) fn is_absent(&self) -> Result<bool, Failure> {
        self.row.is_null(self.next)
    }

    pub(crate) fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        Ok(serde_json::from_str(self.get::<&str>()?)?)
    }

    pub(crate) fn json_if_any<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        Ok(self.get::<Option<&str>>()?.map(serde_json::from_str).transpose()?)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Failure> {
        Ok(Timestamp::from_millis(self.get()?))
    }

    pub(crate) fn time_if_any(&mut self) -> Result<Option<Timestamp>, Failure> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    pub(crate) fn system(&mut self) -> Result<System, Failure> {
        Ok(System::new(self.get()?))
    }

    pub(crate) fn record(&mut self) -> Result<RecordId, Failure> {
        Ok(RecordId { system: self.system()?, id: self.get()? })
    }

    /// Counts are never negative, and durations neither.
    pub(crate) fn count<T: TryFrom<i64>>(&mut self) -> Result<T, Failure> {
        let number: i64 = self.get()?;
        T::try_from(number).map_err(|_| Failure(format!("expected a count, found {number}")))
    }

    fn millis(&mut self) -> Result<Duration, Failure> {
        Ok(Duration::from_millis(self.count()?))
    }

    pub(crate) fn operation(&mut self) -> Result<Operation, Failure> {
        let id = OperationId(self.get()?);
        let kind = operation_kind(self.get()?)?;
        let state = operation_state(self.get()?)?;
        let pair = self.get::<Option<i64>>()?.map(PairId);
        let contract = self.get()?;
        let source = self.record()?;
        let target = self.system()?;
        let target_id = self.get()?;
        let request = Request { method: self.get()?, path: self.get()?, body: self.get()?, precondition: self.get()? };
        let key = self.get()?;
        let writes: Arc<[FieldWrite]> = self.json()?;
        let (field, inverse): (Option<String>, Option<String>) = (self.get()?, self.get()?);
        Ok(Operation {
            id,
            kind,
            state,
            pair,
            contract,
            source,
            target,
            target_id,
            request: request.into(),
            key,
            writes,
            inverse: field.zip(inverse).map(|(field, id)| InverseWrite { field, id }),
            answered: self.json_if_any()?,
            first_sent_at: self.time()?,
            sent_at: self.time()?,
            ended_at: self.time_if_any()?,
            deadline: self.millis()?,
            request_life: self.millis()?,
            attempts: self.count()?,
            in_doubt: self.get()?,
            start: self.get()?,
            reason: self.get()?,
            provenance: Provenance { correlation_id: self.get()?, topology: self.get()?, node: self.get()? },
        })
    }

    fn side(&mut self) -> Result<PairSide, Failure> {
        Ok(PairSide {
            record: self.record()?,
            base: Arc::new(self.json()?),
            inverse_written: self.get()?,
            newest: self.get::<Option<String>>()?.map(OperationId),
            created_by_us: self.get()?,
        })
    }

    /// A pair and, in the columns that follow, its open operation.
    pub(crate) fn pair_with_open(&mut self) -> Result<Pair, Failure> {
        let mut pair = self.pair()?;
        if self.is_absent()? {
            self.skip(OPERATION_COLUMNS);
        } else {
            pair.opened(Arc::new(self.operation()?));
        }
        Ok(pair)
    }

    /// A pair, without its open operation.
    pub(crate) fn pair(&mut self) -> Result<Pair, Failure> {
        let id = PairId(self.get()?);
        let contract = self.get()?;
        let sides = [self.side()?, self.side()?];
        let gone: Option<&str> = self.get()?;
        let since = self.time_if_any()?;
        let state = match (gone, since) {
            (Some(gone), Some(since)) => PairState::Inactive { gone: System::new(gone), since },
            _ => PairState::Active,
        };
        Ok(Pair {
            id,
            contract,
            sides,
            state,
            revision: Revision(self.get()?),
            agreement: agreement(self.get()?)?,
            open: None,
            created_at: self.time()?,
            created_by: self.get()?,
            last_seen_at: self.time()?,
        })
    }

    /// A reservation and the operation that follows it in the row.
    pub(crate) fn reservation(&mut self) -> Result<Reservation, Failure> {
        Ok(Reservation {
            source: self.record()?,
            target: self.system()?,
            incarnation: self.count()?,
            closed: self.get()?,
            operation: self.operation()?,
        })
    }

    /// A case, from `id, kind, records, detail, opened_at`.
    pub(crate) fn case(&mut self) -> Result<Case, Failure> {
        let id = CaseId(self.get()?);
        let kind = case_kind(self.get()?)?;
        let texts: Vec<String> = self.json()?;
        let records: Option<Vec<RecordId>> = texts.iter().map(|text| RecordId::parse(text)).collect();
        let records = records.ok_or_else(|| Failure(format!("case {} names records that cannot be read", id.0)))?;
        Ok(Case { id, kind, records, detail: self.get()?, opened_at: self.time()? })
    }
}

/// A value as the text of a JSON column.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(value)?)
}

/// A duration as whole milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A limit as SQLite counts.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The records of a case as they are kept.
pub(crate) fn record_list(records: &[RecordId]) -> Result<String, Failure> {
    json(&records.iter().map(RecordId::to_string).collect::<Vec<_>>())
}

pub(crate) fn kind_name(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "create",
        OperationKind::Update => "update",
    }
}

fn operation_kind(name: &str) -> Result<OperationKind, Failure> {
    match name {
        "create" => Ok(OperationKind::Create),
        "update" => Ok(OperationKind::Update),
        other => Err(unknown("kind of operation", other)),
    }
}

fn operation_state(name: &str) -> Result<OperationState, Failure> {
    use OperationState::{Committed, Failed, NotSent, Pending, Superseded, Unknown};
    let states = [Pending, Committed, Failed, Unknown, NotSent, Superseded];
    states.into_iter().find(|state| state.name() == name).ok_or_else(|| unknown("state of an operation", name))
}

fn case_kind(name: &str) -> Result<CaseKind, Failure> {
    use CaseKind::{Ambiguous, Copy, Duplicate, Field, UnknownCreate};
    let kinds = [Copy, Ambiguous, UnknownCreate, Field, Duplicate];
    kinds.into_iter().find(|kind| kind.name() == name).ok_or_else(|| unknown("kind of case", name))
}

pub(crate) fn trash_state(name: &str) -> Result<TrashState, Failure> {
    use TrashState::{Approved, Open, Rejected};
    let states = [Open, Approved, Rejected];
    states.into_iter().find(|state| state.name() == name).ok_or_else(|| unknown("state of the trash", name))
}

pub(crate) fn agreement_code(agreement: Agreement) -> i64 {
    match agreement {
        Agreement::Known => 0,
        Agreement::Unknown => 1,
        Agreement::Interrupted => 2,
    }
}

fn agreement(code: i64) -> Result<Agreement, Failure> {
    match code {
        0 => Ok(Agreement::Known),
        1 => Ok(Agreement::Unknown),
        2 => Ok(Agreement::Interrupted),
        other => Err(unknown("state of an agreement", &other.to_string())),
    }
}

pub(crate) fn note_name(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Violation => "violation",
        NoteKind::Conflict => "conflict",
    }
}

pub(crate) fn note_kind(name: &str) -> Result<NoteKind, Failure> {
    match name {
        "violation" => Ok(NoteKind::Violation),
        "conflict" => Ok(NoteKind::Conflict),
        other => Err(unknown("kind of note", other)),
    }
}

fn unknown(what: &str, found: &str) -> Failure {
    Failure(format!("expected a {what}, found \"{found}\""))
}
