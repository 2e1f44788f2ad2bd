//! Scratch records: what is in them, and how they are written.
//!
//! Nothing is written without an intent in a ledger, and the doctor is no exception: an intent is the proof that a kill from
//! there on leaves a trace of what may have been made. The ledger is a real database, in a folder of its own. The sync's own
//! would take a scratch record for somebody's: its recovery would take the create up again and its topologies would make a
//! counterpart. One in memory would forget, when the doctor is killed, what a person has to delete.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pairline_sdk::{
    Application, Begin, Clock, Create, Field, FieldKind, FieldWrite, Fields, Intent, InverseWrite, Look, Operation,
    Outcome, PairStore, Persisted, Provenance, ReadError, RecordId, Resend, Reserve, SendAgain, SyncContract, System,
    Write, WriteReason,
};
use serde_json::Value;

use super::nowhere;
use crate::application::HttpApplication;

/// A limit that lasts longer than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The contents of one scratch record: for every field of a contract a value that no other has.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// Its number among those of this probe.
    number: usize,
    /// What is written, in the system's own names.
    pub(super) fields: Fields,
    writes: Vec<FieldWrite>,
    inverse: Option<InverseWrite>,
}

impl Contents {
    /// The contents of the record with this number. What `same` names is as in another.
    pub(super) fn new(
        contract: &SyncContract,
        system: &System,
        marker: &str,
        number: usize,
        same: Option<(&Self, &[String])>,
    ) -> Self {
        let is_same = |name: &str| same.is_some_and(|(_, names)| names.iter().any(|known| known == name));
        let mut writes = Vec::new();
        for (index, field) in contract.fields().iter().enumerate() {
            let mut value = value(field, contract, system, marker, number * 100 + index);
            for (name, value) in &mut value {
                if let Some(other) = same.filter(|_| is_same(name)).and_then(|(other, _)| other.fields.get(name)) {
                    *value = other.clone();
                }
            }
            if !value.is_empty() {
                let (field, reason) = (field.name().to_owned(), WriteReason::Birth);
                writes.push(FieldWrite { field, seen_source: Fields::new(), seen_target: None, value, reason });
            }
        }
        let inverse = contract.inverse_field(system).map(|field| {
            let other = same.filter(|_| is_same(field)).and_then(|(other, _)| other.inverse.clone());
            other.unwrap_or_else(|| InverseWrite { field: field.to_owned(), id: format!("{marker}-{number}") })
        });
        let mut fields: Fields = writes.iter().flat_map(|write| write.value.clone()).collect();
        fields.extend(inverse.iter().map(|inverse| (inverse.field.clone(), inverse.id.clone().into())));
        Self { number, fields, writes, inverse }
    }

    /// The names of its fields; the one for the other system's id is the last.
    pub(super) fn names(&self) -> Vec<String> {
        self.fields.keys().cloned().collect()
    }

    /// The field for the other system's id, and the id that is in it.
    pub(super) fn inverse(&self) -> Option<(&str, &str)> {
        self.inverse.as_ref().map(|inverse| (inverse.field.as_str(), inverse.id.as_str()))
    }
}

/// A value of a field's kind, in the names and the spelling of a system. The number makes it another one.
fn value(field: &Field, contract: &SyncContract, system: &System, marker: &str, number: usize) -> Fields {
    let names = field.names(contract, system);
    let digits = marker.bytes().fold(0_usize, |sum, byte| (sum * 31 + usize::from(byte)) % 10_000);
    let text = |index: usize| match field.kind() {
        FieldKind::Text if names.len() > 1 => format!("{marker}-{number}-{index}"),
        FieldKind::Text => format!("{marker}-{number} {}", field.name().replace('_', " ")),
        // Capitals and spaces show whether a system tidies what it is given.
        FieldKind::Email => format!("{}-{number}@example.org", marker.replace("pairline", "Pairline")),
        FieldKind::Phone => format!("+420 777 {digits:04} {number:02}"),
        FieldKind::Decimal => format!("{digits}{number:02}.5"),
        FieldKind::Boolean => "true".to_owned(),
        FieldKind::Set => format!("{marker};{number}"),
    };
    let raw = names.iter().enumerate().map(|(index, name)| (name.clone(), Value::String(text(index)))).collect();
    let value = field.canonical(contract, system, &raw);
    let written = field.render(contract, system, &value);
    match field.kind() {
        // What the contract forgives is not in a canonical value, and is what is to be seen here.
        FieldKind::Phone if names.len() == 1 => raw,
        _ => written,
    }
}

/// The writes of one probe.
pub(super) struct Scratch<'a> {
    pub(super) application: &'a HttpApplication,
    pub(super) contract: &'a SyncContract,
    pub(super) store: &'a dyn PairStore,
    pub(super) clock: &'a dyn Clock,
    pub(super) marker: &'a str,
}

/// A create that was sent.
pub(super) struct Sent {
    /// Its row in the ledger.
    pub(super) operation: Operation,
    /// What the system answered.
    pub(super) outcome: Outcome,
    /// When its last request was sent.
    pub(super) at: Instant,
    intent: Intent,
}

/// An update that was sent.
pub(super) struct Update {
    /// When.
    pub(super) at: Instant,
    /// How long its answer took, or how long it was waited for.
    pub(super) took: Duration,
    /// What became of it.
    pub(super) outcome: Outcome,
}

impl Scratch<'_> {
    fn system(&self) -> &System {
        &self.application.profile().system
    }

    fn provenance(&self) -> Provenance {
        Provenance { correlation_id: self.marker.to_owned(), topology: "doctor".to_owned(), node: "probe".to_owned() }
    }

    /// Waits until the application takes another call, so long as that is bearable.
    async fn admitted(&self) -> Result<(), String> {
        self.patiently(|| self.application.admit()).await.map_err(|error| error.to_string())
    }

    /// Makes a call that is told to wait once more, so long as that is bearable.
    pub(super) async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, ReadError>>,
    {
        let began = Instant::now();
        loop {
            match call().await {
                Err(ReadError::Wait { after, .. }) if began.elapsed() + after <= PATIENCE => self.sleep(after).await,
                other => return other,
            }
        }
    }

    pub(super) async fn sleep(&self, a_while: Duration) {
        self.clock.sleep_until(self.clock.now().plus(a_while)).await;
    }

    /// Makes a record of these contents, once; answers without an outcome in the ledger.
    ///
    /// # Errors
    ///
    /// One line when nothing was sent.
    pub(super) async fn create(&self, contents: &Contents) -> Result<Sent, String> {
        let write = Write::Create { fields: contents.fields.clone() };
        let create = Create {
            source: RecordId::new(&nowhere(), format!("{}-{}", self.marker, contents.number)),
            target: self.system().clone(),
            contract: self.contract.name().to_owned(),
            request: self.application.render(&write)?.into(),
            writes: contents.writes.clone().into(),
            inverse: contents.inverse.clone(),
            deadline: self.application.profile().deadline,
            request_life: self.application.profile().request_life,
            provenance: self.provenance(),
        };
        self.admitted().await?;
        match self.store.reserve(&create).await.map_err(|error| error.to_string())? {
            Reserve::Won(intent) => self.send(intent).await,
            Reserve::Taken(_) | Reserve::Held(_) => Err("the ledger of the probe does not take the create".to_owned()),
        }
    }

    /// Sends the same bytes with the same key once more, as a create is that nobody knows the outcome of.
    ///
    /// # Errors
    ///
    /// One line when nothing was sent.
    pub(super) async fn repeat(&self, sent: &Sent) -> Result<Sent, String> {
        let unknown = Outcome::Unknown { reason: "the doctor sends it once more".to_owned() };
        self.store.settle(&sent.intent, &unknown).await.map_err(|error| error.to_string())?;
        self.again(&sent.operation).await
    }

    async fn again(&self, operation: &Operation) -> Result<Sent, String> {
        self.admitted().await?;
        let again = SendAgain { attempts: operation.attempts, nothing_was_made: false, before: None };
        match self.store.resend(&operation.id, again).await.map_err(|error| error.to_string())? {
            Resend::Won(intent) => self.send(intent).await,
            Resend::Moved => Err("the ledger of the probe does not take the repeated create".to_owned()),
        }
    }

    async fn send(&self, intent: Intent) -> Result<Sent, String> {
        let at = Instant::now();
        let outcome = self.application.send(&intent).await;
        let operation = intent.operation().clone();
        let Outcome::NotSent { reason, .. } = &outcome else { return Ok(Sent { operation, outcome, at, intent }) };
        let reason = reason.clone();
        self.store.settle(&intent, &outcome).await.map_err(|error| error.to_string())?;
        // A refusal for the moment is made up for once; whatever refuses twice is told.
        if operation.attempts > 1 {
            return Err(reason);
        }
        Box::pin(self.again(&operation)).await
    }

    /// Commits what became of a create.
    pub(super) async fn settle(&self, sent: &Sent, outcome: &Outcome) {
        // The answer is known here; a ledger that is thrown away need not have it.
        self.store.settle(&sent.intent, outcome).await.ok();
    }

    /// Writes another id into the field for the other system's id. Answers when it was sent.
    ///
    /// # Errors
    ///
    /// One line when it was not written, or nobody knows.
    pub(super) async fn rename(&self, sent: &Sent, field: &str, id: &str) -> Result<Instant, String> {
        let set = self.set(sent, field, id, None).await?;
        match set.outcome {
            Outcome::Committed { .. } => Ok(set.at),
            other => Err(not_made(&other)),
        }
    }

    /// The same by the version of the record, if there is one.
    ///
    /// # Errors
    ///
    /// One line when there was nothing to send.
    pub(super) async fn set(
        &self,
        sent: &Sent,
        field: &str,
        id: &str,
        version: Option<&str>,
    ) -> Result<Update, String> {
        self.update(sent, field, id, version, self.application.profile().deadline).await
    }

    /// The same, given up after a while.
    ///
    /// # Errors
    ///
    /// One line when there was nothing to send.
    pub(super) async fn give_up(
        &self,
        sent: &Sent,
        field: &str,
        id: &str,
        patience: Duration,
    ) -> Result<Update, String> {
        self.update(sent, field, id, None, patience).await
    }

    async fn update(
        &self,
        sent: &Sent,
        field: &str,
        id: &str,
        version: Option<&str>,
        deadline: Duration,
    ) -> Result<Update, String> {
        let said = |error: pairline_sdk::StoreError| error.to_string();
        let source = &sent.operation.source;
        let pair = match self.store.persist(&sent.operation.id).await.map_err(said)? {
            Persisted::Recorded(pair) => pair,
            _ => match self.store.look(source, self.system()).await.map_err(said)? {
                Look::Found(pair) => pair,
                _ => return Err("the ledger of the probe does not know its record".to_owned()),
            },
        };
        let fields: Fields = [(field.to_owned(), Value::String(id.to_owned()))].into_iter().collect();
        let record = pair.side(self.system()).record.id.clone();
        let write = Write::Update { id: record, fields, version: version.map(str::to_owned) };
        self.admitted().await?;
        let update = pairline_sdk::Update {
            pair: pair.id,
            target: self.system().clone(),
            request: self.application.render(&write)?.into(),
            writes: Arc::default(),
            inverse: Some(InverseWrite { field: field.to_owned(), id: id.to_owned() }),
            rebase: Vec::new(),
            supersedes: None,
            notes: Vec::new(),
            deadline,
            request_life: self.application.profile().request_life,
            provenance: self.provenance(),
        };
        let intent = match self.store.begin(&update, pair.revision).await.map_err(said)? {
            Begin::Won(intent) => intent,
            _ => return Err("the ledger of the probe does not take the update".to_owned()),
        };
        let at = Instant::now();
        let outcome = self.application.send(&intent).await;
        let took = at.elapsed();
        self.store.settle(&intent, &outcome).await.map_err(said)?;
        Ok(Update { at, took, outcome })
    }
}

/// Why nobody can say that an update was made.
pub(super) fn not_made(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { reason }
        | Outcome::Unknown { reason }
        | Outcome::Outdated { reason }
        | Outcome::NotSent { reason, .. } => reason.clone(),
        _ => "the scratch record cannot be updated".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pairline_sdk::testing::contact_contract;
    use serde_json::json;

    use super::*;

    const MARKER: &str = "pairline-doctor-7k2f";

    #[test]
    fn every_value_of_a_scratch_record_is_another_one_in_the_spelling_of_its_system() {
        let contract = contact_contract();
        for system in ["crm", "erp"].map(System::new) {
            let one = Contents::new(&contract, &system, MARKER, 1, None);
            let two = Contents::new(&contract, &system, MARKER, 2, None);

            let all: Vec<String> = one.fields.values().chain(two.fields.values()).map(ToString::to_string).collect();
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
            assert_eq!(one.names().last().map(String::as_str), contract.inverse_field(&system));
            assert!(one.fields["credit_limit"].is_number() == (system.as_str() == "erp"), "{:?}", one.fields);
        }
    }

    #[test]
    fn what_is_to_be_the_same_is_and_nothing_else() {
        let (contract, crm) = (contact_contract(), System::new("crm"));
        let one = Contents::new(&contract, &crm, MARKER, 1, None);

        let same = ["email".to_owned(), "erp_id".to_owned()];
        let two = Contents::new(&contract, &crm, MARKER, 2, Some((&one, &same)));

        let agree: Vec<&str> = one
            .fields
            .iter()
            .filter(|(name, value)| two.fields.get(*name) == Some(value))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(agree, ["email", "erp_id"]);
        assert_eq!(json!(two.inverse()), json!(["erp_id", "pairline-doctor-7k2f-1"]));
    }
}
