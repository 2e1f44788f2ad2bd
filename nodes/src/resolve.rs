//! Resolve: trade a record's own id for its pair.
//!
//! A pair that was looked up before the record was read is taken as it is. On a miss the record's own inverse id is read
//! first: it may be the record we are creating at this very moment.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{HINT, HintPart, PAIR, RECORD, UNPAIRED};
use pairline_sdk::{
    Adopted, Adoption, Case, CaseId, CaseKind, Effect, Look, NodeDescription, NodeError, Pair, PairState, PlatformKind,
    Ports, ProcessAction, ProcessDto, Record, RecordId, Registry, Revision, RouteDefault, SettingKind, System, headers,
    settings,
};
use serde::Deserialize;

use crate::write::BUSY_WAIT;

/// The `with:` block of a `resolve` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    source: System,
    target: System,
}

struct Resolve {
    description: NodeDescription,
    settings: Settings,
    ports: Ports,
}

fn describe() -> NodeDescription {
    NodeDescription::new("resolve", "Trades a record's own id for its pair.", PlatformKind::Custom)
        .effect(Effect::Reads)
        .effect(Effect::Persists)
        .route("found", "The record has a counterpart.")
        .route("missing", "It has none, and one is to be created, or its creation taken up again.")
        .route_or("inactive", "One of the two is gone; nothing is created again.", RouteDefault::End)
        .route_or("pending", "Its counterpart is being created at this moment.", RouteDefault::Repeat)
        .route_or("conflict", "It claims a counterpart that is not its own; a case is open.", RouteDefault::End)
        .setting("source", "Where the record lives.", SettingKind::Source)
        .setting("target", "Where its counterpart lives.", SettingKind::Target)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        ports.application(settings.source.as_str())?;
        ports.application(settings.target.as_str())?;
        Ok(Arc::new(Resolve { description: describe(), settings, ports: ports.clone() }))
    });
}

#[async_trait]
impl ProcessAction for Resolve {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        if dto.get::<Pair>(PAIR)?.is_some() {
            return Ok(dto.follow("found"));
        }
        let mut look = self.ports.store.look(&hint.record, &self.settings.target).await?;
        if look == Look::Inactive(None) {
            // It went before its counterpart was made, and has just been read: it is back.
            self.ports.store.reactivate(&hint.record).await?;
            look = self.ports.store.look(&hint.record, &self.settings.target).await?;
        }
        match look {
            Look::Found(_) if dto.get::<bool>(UNPAIRED)?.is_some_and(|unpaired| *unpaired) => {
                Err(younger_than_read(&hint.record))
            }
            Look::Found(pair) => Ok(dto.share(PAIR, pair).follow("found")),
            Look::Inactive(Some(pair)) => self.back_again(dto, &hint.record, &pair).await,
            Look::Inactive(None) => Ok(dto.follow("inactive")),
            Look::Pending(reservation) if reservation.operation.is_under_way(self.ports.clock.now()) => {
                Ok(dto.follow("pending"))
            }
            // Nobody is at work on it: `create` takes it up where it was left.
            Look::Pending(_) => Ok(dto.follow("missing")),
            Look::Missing => self.missing(dto, &hint.record).await,
        }
    }
}

/// The pair may have been updated since the record was read, and what was read would look like an edit made after that.
fn younger_than_read(record: &RecordId) -> NodeError {
    NodeError::wait(format!("the pair of {record} is younger than what was read"), BUSY_WAIT)
}

impl Resolve {
    /// The record has just been read. If it was the one that was gone, it is back.
    async fn back_again(&self, dto: ProcessDto, record: &RecordId, pair: &Pair) -> Result<ProcessDto, NodeError> {
        let came_back = matches!(&pair.state, PairState::Inactive { gone, .. } if *gone == record.system);
        if !came_back {
            return Ok(dto.follow("inactive"));
        }
        match self.ports.store.reactivate(record).await? {
            Some(pair) if pair.is_active() => Ok(dto.with(PAIR, pair).follow("found")),
            _ => Ok(dto.follow("inactive")),
        }
    }

    async fn missing(&self, dto: ProcessDto, id: &RecordId) -> Result<ProcessDto, NodeError> {
        let record = dto.need::<Record>(RECORD)?;
        let Some(named) = self.ports.contract.inverse_of(&id.system, &record) else {
            // Our create bodies carry an inverse id, so a record without one is nobody's outcome: it is new.
            return Ok(dto.follow("missing"));
        };
        let names = RecordId::new(&self.settings.target, named);
        let mut adoption = Adoption {
            record: Arc::unwrap_or_clone(record),
            system: id.system.clone(),
            names,
            contract: self.ports.contract.name().to_owned(),
            verified: false,
            topology: dto.header(headers::TOPOLOGY_NAME).unwrap_or_default().to_owned(),
        };
        let mut adopted = self.ports.store.adopt(&adoption).await?;
        if adopted == Adopted::Unverified {
            if let Some(route) = self.verify(id, &adoption.names).await? {
                return Ok(dto.follow(route));
            }
            adoption.verified = true;
            adopted = self.ports.store.adopt(&adoption).await?;
        }
        Ok(match adopted {
            // One that others have made meanwhile may have been updated since the record was read.
            Adopted::Paired(pair) if pair.revision == Revision::FIRST => dto.share(PAIR, pair).follow("found"),
            Adopted::Paired(_) => return Err(younger_than_read(id)),
            Adopted::Copy(_) => dto.follow("conflict"),
            Adopted::Inactive => dto.follow("inactive"),
            Adopted::Unverified => dto.follow("pending"),
        })
    }

    /// Whether a record may be taken for the counterpart of the one it names: nobody else names that one, and that
    /// one names it or nobody. Answers the route to take when it may not.
    async fn verify(&self, record: &RecordId, names: &RecordId) -> Result<Option<&'static str>, NodeError> {
        let source = self.ports.application(record.system.as_str()).map_err(NodeError::stop)?;
        let target = self.ports.application(names.system.as_str()).map_err(NodeError::stop)?;
        target.admit().await?;
        let Some(named) = target.read(&names.id).await? else { return Ok(Some("inactive")) };
        if let Some(back) = self.ports.contract.inverse_of(&names.system, &named)
            && back != record.id
        {
            let other = RecordId::new(&record.system, back);
            return self.case(CaseKind::Copy, vec![record.clone(), names.clone(), other]).await.map(Some);
        }
        let Some(field) = self.ports.contract.inverse_field(&record.system) else { return Ok(None) };
        source.admit().await?;
        let hits = source.find(field, &names.id).await?;
        if hits.iter().all(|hit| hit.id != record.id) {
            // The index does not show this record yet, so it may hide others too.
            let wait = source.profile().index_lag;
            return Err(NodeError::wait(format!("the search of {} does not show {record} yet", record.system), wait));
        }
        if hits.len() > 1 {
            let records = hits.into_iter().map(|hit| RecordId::new(&record.system, hit.id)).collect();
            return self.case(CaseKind::Ambiguous, records).await.map(Some);
        }
        Ok(None)
    }

    async fn case(&self, kind: CaseKind, records: Vec<RecordId>) -> Result<&'static str, NodeError> {
        let detail = match kind {
            CaseKind::Ambiguous => "several records carry the same inverse id",
            _ => "the first record names the second, which names the third",
        };
        let opened_at = self.ports.clock.now();
        let case = Case { id: CaseId(0), kind, records, detail: detail.to_owned(), opened_at };
        self.ports.store.open_case(&case).await?;
        Ok("conflict")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use pairline_sdk::ledger::SEND_WITHIN;
    use pairline_sdk::testing::{Fate, NodeTester, Step, run_now};
    use pairline_sdk::{Application, CaseKind, NodeError, Pair, PairStore, ProcessDto, RecordId, System};
    use serde_json::{Value, json};

    fn try_to_resolve(tester: &NodeTester, id: &str, fields: Value) -> Result<ProcessDto, NodeError> {
        let dto =
            tester.hint("crm", id, json!({ "kind": "updated" })).with("record", json!({ "id": id, "fields": fields }));
        tester.run("resolve", json!({ "source": "crm", "target": "erp" }), dto)
    }

    fn resolve(tester: &NodeTester, id: &str, fields: Value) -> ProcessDto {
        try_to_resolve(tester, id, fields).unwrap()
    }

    fn contact() -> RecordId {
        RecordId::new(&System::new("crm"), "crm-1")
    }

    fn customer() -> RecordId {
        RecordId::new(&System::new("erp"), "erp-1")
    }

    fn create(tester: &NodeTester, id: &str) -> Result<ProcessDto, NodeError> {
        tester.run("create", json!({ "application": "erp" }), tester.seen("crm", id))
    }

    #[test]
    fn a_contact_nobody_has_seen_takes_the_missing_route() {
        let tester = NodeTester::new(crate::register);

        assert_eq!(resolve(&tester, "crm-1", json!({})).route(), Some("missing"));
    }

    #[test]
    fn a_pair_younger_than_what_was_read_is_never_compared_with_it() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({}), json!({}));
        let dto = tester.hint("crm", "crm-1", json!({ "kind": "updated" }));
        let dto = dto.with("record", json!({ "id": "crm-1", "fields": {} })).with("unpaired", true);

        let ended = tester.run("resolve", json!({ "source": "crm", "target": "erp" }), dto);

        assert!(matches!(ended, Err(NodeError::Repeat { counted: false, .. })), "{ended:?}");
    }

    #[test]
    fn a_record_that_names_one_paired_with_another_is_a_copy_and_opens_a_case() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({}), json!({}));

        let ended = resolve(&tester, "crm-2", json!({ "erp_id": "erp-1" }));

        assert_eq!(ended.route(), Some("conflict"));
        assert_eq!(tester.open_cases(), 1);
        resolve(&tester, "crm-2", json!({ "erp_id": "erp-1" }));
        assert_eq!(tester.open_cases(), 1, "the second run changes nothing");
    }

    #[test]
    fn two_records_that_point_at_each_other_become_a_pair_again_when_the_mapping_is_lost() {
        let tester = NodeTester::new(crate::register);
        let customer = tester.erp.person_creates(&json!({ "custom_fields.crm_id": "crm-1" }));
        let contact = tester.crm.person_creates(&json!({ "erp_id": customer.id }));

        let ended = resolve(&tester, &contact.id, json!({ "erp_id": customer.id }));

        assert_eq!(ended.route(), Some("found"));
    }

    #[test]
    fn a_record_that_went_before_its_create_was_finished_and_came_back_is_taken_up_again() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "email": "ada@example.org" }));
        tester.created(&contact.id, json!({ "email": "ada@example.org" }));
        let gone = tester.hint("crm", &contact.id, json!({ "kind": "deleted" }));
        let gone = gone.with("gone", json!({ "system": "crm", "id": contact.id }));
        tester.run("deactivate", json!({ "source": "crm", "target": "erp" }), gone).unwrap();

        let ended = resolve(&tester, &contact.id, json!({ "email": "ada@example.org" }));

        assert_eq!(ended.route(), Some("missing"), "`create` goes on where it was left");
    }

    #[test]
    fn a_record_whose_named_counterpart_is_gone_stays_alone() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "erp_id": "erp-7" }));

        let ended = resolve(&tester, &contact.id, json!({ "erp_id": "erp-7" }));

        assert_eq!(ended.route(), Some("inactive"));
    }

    #[test]
    fn two_records_with_one_inverse_id_are_a_case_and_never_a_guess() {
        let tester = NodeTester::new(crate::register);
        let customer = tester.erp.person_creates(&json!({ "name": "Ada" }));
        let first = tester.crm.person_creates(&json!({ "erp_id": customer.id }));
        let second = tester.crm.person_creates(&json!({ "erp_id": customer.id }));

        let ended = resolve(&tester, &first.id, json!({ "erp_id": customer.id }));

        assert_eq!(ended.route(), Some("conflict"));
        let case = run_now(tester.store.cases(10)).unwrap().remove(0);
        assert_eq!(case.kind, CaseKind::Ambiguous);
        assert_eq!(case.records, [first, second]);
        assert!(case.detail.contains("carry the same inverse id"), "{}", case.detail);
    }

    #[test]
    fn a_pair_that_nobody_has_looked_up_before_is_found() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({}), json!({}));

        let ended = resolve(&tester, "crm-1", json!({}));

        assert_eq!(ended.route(), Some("found"));
        assert_eq!(ended.data()["pair"]["id"], 1);
    }

    #[test]
    fn a_record_whose_counterpart_is_being_created_waits_for_it() {
        let tester = Arc::new(NodeTester::new(crate::register));
        let contact = tester.crm.person_creates(&json!({ "email": "ada@example.org" }));
        let (another, id, (tell, told)) = (Arc::clone(&tester), contact.id.clone(), mpsc::channel());
        tester.meanwhile(Step::Send(System::new("erp")), move || {
            tell.send(resolve(&another, &id, json!({}))).unwrap();
        });

        create(&tester, &contact.id).unwrap();

        assert_eq!(told.try_recv().unwrap().route(), Some("pending"));
    }

    #[test]
    fn a_create_whose_worker_has_vanished_is_taken_up_when_it_cannot_be_at_work_any_more() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "email": "ada@example.org" }));
        tester.fate(Step::Send(System::new("erp")), Fate::LostThere);
        create(&tester, &contact.id).unwrap_err();
        tester.worker_vanishes();
        let last_moment = Duration::from_millis(1);

        tester.pass(tester.erp.profile().deadline + SEND_WITHIN - last_moment);
        let early = resolve(&tester, &contact.id, json!({}));
        tester.pass(last_moment);
        let late = resolve(&tester, &contact.id, json!({}));

        assert_eq!(early.route(), Some("pending"));
        assert_eq!(late.route(), Some("missing"), "`create` takes it up");
    }

    #[test]
    fn a_create_that_is_known_to_be_in_doubt_is_taken_up_at_once() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "email": "ada@example.org" }));
        tester.fate(Step::Send(System::new("erp")), Fate::LostThere);
        create(&tester, &contact.id).unwrap_err();

        assert_eq!(resolve(&tester, &contact.id, json!({})).route(), Some("missing"));
    }

    #[test]
    fn a_record_that_was_gone_and_is_read_again_has_its_counterpart_back() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({}), json!({}));
        run_now(tester.store.deactivate(&contact())).unwrap();

        let back = resolve(&tester, "crm-1", json!({}));
        let later = resolve(&tester, "crm-1", json!({}));

        assert_eq!((back.route(), later.route()), (Some("found"), Some("found")));
        assert!(back.need::<Pair>("pair").unwrap().is_active());
    }

    #[test]
    fn a_record_whose_counterpart_is_gone_stays_alone() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({}), json!({}));
        run_now(tester.store.deactivate(&customer())).unwrap();

        let ended = resolve(&tester, "crm-1", json!({}));

        assert_eq!(ended.route(), Some("inactive"));
    }

    #[test]
    fn a_record_that_is_back_stays_alone_if_its_counterpart_has_gone_meanwhile() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({}), json!({}));
        run_now(tester.store.deactivate(&contact())).unwrap();
        let store = Arc::clone(&tester.store);
        tester.meanwhile(Step::Store("reactivate"), move || {
            run_now(store.reactivate(&contact())).unwrap();
            run_now(store.deactivate(&customer())).unwrap();
        });

        let ended = resolve(&tester, "crm-1", json!({}));

        assert_eq!(ended.route(), Some("inactive"));
    }

    #[test]
    fn a_pair_that_others_have_found_and_updated_meanwhile_is_never_compared_with_what_was_read_before() {
        let tester = Arc::new(NodeTester::new(crate::register));
        let customer = tester.erp.person_creates(&json!({ "custom_fields.crm_id": "crm-1", "phone": "1" }));
        let held = json!({ "erp_id": customer.id });
        tester.crm.person_creates(&held);
        let (another, read) = (Arc::clone(&tester), held.clone());
        tester.meanwhile(Step::Store("adopt"), move || {
            let found = resolve(&another, "crm-1", read);
            another.run("update", json!({ "application": "erp" }), found).unwrap();
        });

        let ended = try_to_resolve(&tester, "crm-1", held);

        assert!(matches!(ended, Err(NodeError::Repeat { counted: false, .. })), "{ended:?}");
    }
}
