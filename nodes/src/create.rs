//! Create: make a record's counterpart, once, whatever happens on the way.
//!
//! The reservation and the intent are committed before anything leaves the machine. What nobody can know is recovered
//! by what the target system can promise, and never by trying again in hope.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::message::{HINT, HintPart, OPERATION, RECORD};
use pairline_sdk::{
    Adopted, Adoption, Application, CapabilityClass, Case, CaseId, CaseKind, Create, Effect, FieldWrite, Fields,
    Intent, InverseWrite, Look, NodeDescription, NodeError, Operation, OperationState, Outcome, PlatformKind, Ports,
    ProcessAction, ProcessDto, ReadError, Record, RecordId, Registry, Resend, Reserve, RouteDefault, SendAgain,
    SettingKind, System, Timestamp, Write, WriteReason, settings,
};
use serde::Deserialize;

use crate::converge::explicit;
use crate::write::{BUSY_WAIT, NOT_SENT_WAIT};

/// How soon after an answer was lost its record is looked for the first time.
const EARLY_LOOK: Duration = Duration::from_millis(500);

/// The `with:` block of a `create` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    application: System,
}

struct CreateNode {
    description: NodeDescription,
    settings: Settings,
    ports: Ports,
    application: Arc<dyn Application>,
}

fn describe() -> NodeDescription {
    NodeDescription::new("create", "Makes a record's counterpart, once.", PlatformKind::Connector)
        .effect(Effect::Creates)
        .route("created", "The counterpart is made, and its id is in the ledger.")
        .route_or("mapped", "Somebody was faster; the record is looked at again.", RouteDefault::Repeat)
        .setting("application", "Where the counterpart is made.", SettingKind::Target)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        let application = ports.application(settings.application.as_str())?;
        Ok(Arc::new(CreateNode { description: describe(), settings, ports: ports.clone(), application }))
    });
}

#[async_trait]
impl ProcessAction for CreateNode {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        let record = dto.need::<Record>(RECORD)?;
        // The life of the request is counted from the intent, so the wait for a limit comes before it.
        self.application.admit_create(&hint.record).await?;
        let create = self.plan(&hint.record, &record, &dto)?;
        match self.ports.store.reserve(&create).await? {
            Reserve::Won(intent) => self.send(dto, &hint.record, intent).await,
            Reserve::Held(reason) => Ok(dto.stop(&format!("creates are held back: {reason}"))),
            Reserve::Taken(Look::Found(_)) => Ok(dto.follow("mapped")),
            Reserve::Taken(Look::Inactive(_)) => Ok(dto.stop("one of the two records is gone")),
            Reserve::Taken(Look::Missing) => Err(NodeError::wait("the reservation has just been freed", BUSY_WAIT)),
            Reserve::Taken(Look::Pending(reservation)) => self.recover(dto, &hint.record, reservation.operation).await,
        }
    }
}

impl CreateNode {
    /// The counterpart is born with every value the record has, owned or not, and with the record's id.
    fn plan(&self, source: &RecordId, record: &Record, dto: &ProcessDto) -> Result<Create, NodeError> {
        let (contract, target) = (&self.ports.contract, &self.settings.application);
        let writes: Vec<FieldWrite> = contract
            .fields()
            .iter()
            .filter_map(|field| {
                let value = field.canonical(contract, &source.system, &record.fields);
                (!value.is_empty()).then(|| FieldWrite {
                    field: field.name().to_owned(),
                    seen_source: explicit(field, contract, &source.system, &record.fields),
                    seen_target: None,
                    value: field.render(contract, target, &value),
                    reason: WriteReason::Birth,
                })
            })
            .collect();
        let inverse =
            contract.inverse_field(target).map(|field| InverseWrite { field: field.to_owned(), id: source.id.clone() });
        let mut fields: Fields = writes.iter().flat_map(|write| write.value.clone()).collect();
        if let Some(inverse) = &inverse {
            fields.insert(inverse.field.clone(), inverse.id.clone().into());
        }
        Ok(Create {
            source: source.clone(),
            target: target.clone(),
            contract: contract.name().to_owned(),
            request: self.application.render(&Write::Create { fields }).map_err(NodeError::stop)?.into(),
            writes: writes.into(),
            inverse,
            deadline: self.application.profile().deadline,
            request_life: self.application.profile().request_life,
            provenance: dto.provenance(),
        })
    }

    async fn send(&self, dto: ProcessDto, source: &RecordId, intent: Intent) -> Result<ProcessDto, NodeError> {
        let outcome = self.application.send(&intent).await;
        let settled = self.ports.store.settle(&intent, &outcome).await?;
        let target = &self.settings.application;
        if settled.operation.state == OperationState::Committed {
            return Ok(dto.with(OPERATION, settled.operation.id.clone()).follow("created"));
        }
        let unknown = settled.operation.state == OperationState::Unknown;
        match outcome {
            Outcome::Committed { .. } => Err(NodeError::wait("the create was settled otherwise", BUSY_WAIT)),
            Outcome::Duplicate { id } => self.duplicate(dto, source, id).await,
            Outcome::Gone | Outcome::Failed { .. } if unknown => {
                let reason = settled.operation.reason.clone().unwrap_or_default();
                Err(self.unknown(&settled.operation, &reason))
            }
            Outcome::Gone => Err(NodeError::stop(format!("{target} does not know the place to create {source} in"))),
            Outcome::Failed { reason } | Outcome::Outdated { reason } => Err(NodeError::stop(reason)),
            Outcome::NotSent { reason, after } => Err(NodeError::wait(reason, after.unwrap_or(NOT_SENT_WAIT))),
            Outcome::Unknown { reason } => Err(self.unknown(&settled.operation, &reason)),
        }
    }

    fn unknown(&self, open: &Operation, reason: &str) -> NodeError {
        let after = match self.recovery(open) {
            Recovery::SendAgain(_) => None,
            Recovery::LookUp(wait) => Some(wait.min(EARLY_LOOK)),
            Recovery::Ask => Some(Duration::ZERO),
        };
        let reason = format!("{reason}; nobody knows whether the record was made");
        NodeError::Repeat { reason, after, counted: true }
    }

    /// What an open create needs, by what is known of it and what the target can promise.
    async fn recover(&self, dto: ProcessDto, source: &RecordId, open: Operation) -> Result<ProcessDto, NodeError> {
        match open.state {
            OperationState::Committed => return Ok(dto.with(OPERATION, open.id.clone()).follow("created")),
            OperationState::NotSent => return self.send_again(dto, source, &open, Fence::NothingWasMade).await,
            OperationState::Pending if self.ports.clock.now() < open.answer_due() => {
                return Err(NodeError::wait(format!("{} is under way", open.id), BUSY_WAIT));
            }
            _ => {}
        }
        match self.recovery(&open) {
            Recovery::SendAgain(fence) => match self.glance(source, &open).await {
                Seen::Nothing => self.send_again(dto, source, &open, fence).await,
                Seen::One(record) => self.adopt(dto, source, record, false).await,
                Seen::Several(records) => self.ambiguous(dto, source, records).await,
            },
            Recovery::LookUp(wait) if wait > Duration::ZERO => self.look_early(dto, source, &open, wait).await,
            Recovery::LookUp(_) => self.look_up(dto, source, &open).await,
            Recovery::Ask => self.ask(dto, source, &open).await,
        }
    }

    fn recovery(&self, open: &Operation) -> Recovery {
        let (profile, now) = (self.application.profile(), self.ports.clock.now());
        match profile.class {
            CapabilityClass::A => return Recovery::SendAgain(Fence::TheTarget { until: None }),
            // A repeat that told nothing is not made again: the key has no more to say, and a look has.
            CapabilityClass::B { ttl, margin } if !open.in_doubt || open.inverse.is_none() => {
                let until = open.first_sent_at.plus(ttl.saturating_sub(margin));
                if now < until {
                    return Recovery::SendAgain(Fence::TheTarget { until: Some(until) });
                }
            }
            CapabilityClass::B { .. } | CapabilityClass::C => {}
            CapabilityClass::D => return Recovery::Ask,
        }
        if open.inverse.is_none() {
            return Recovery::Ask;
        }
        Recovery::LookUp(open.quiet_at().plus(profile.index_lag).since(now))
    }

    async fn send_again(
        &self,
        dto: ProcessDto,
        source: &RecordId,
        open: &Operation,
        fence: Fence,
    ) -> Result<ProcessDto, NodeError> {
        let (nothing_was_made, before) = match fence {
            Fence::NothingWasMade => (true, None),
            Fence::TheTarget { until } => (false, until),
        };
        let again = SendAgain { attempts: open.attempts, nothing_was_made, before };
        match self.ports.store.resend(&open.id, again).await? {
            Resend::Won(intent) => self.send(dto, source, intent).await,
            Resend::Moved => Err(NodeError::wait(format!("{} is in other hands", open.id), BUSY_WAIT)),
        }
    }

    /// A request of ours may still land, so not to find a record says nothing; to find one does, and the sooner it is
    /// paired the less can happen to it meanwhile. A record that a person deletes before anybody has seen it cannot be
    /// told from one that was never made.
    async fn look_early(
        &self,
        dto: ProcessDto,
        source: &RecordId,
        open: &Operation,
        wait: Duration,
    ) -> Result<ProcessDto, NodeError> {
        if let Seen::One(record) = self.glance(source, open).await {
            return self.adopt(dto, source, record, false).await;
        }
        // Looks become rarer as the answer becomes less likely.
        let next = self.ports.clock.now().since(open.sent_at).max(EARLY_LOOK).min(wait);
        Err(NodeError::wait(format!("{} may still be applied, or not be found yet", open.id), next))
    }

    /// What was made, as far as it can be seen at a glance. A promise that keeps a second one away is believed only when
    /// nothing is seen: not every system keeps what it promises.
    async fn glance(&self, source: &RecordId, open: &Operation) -> Seen {
        let Some(inverse) = &open.inverse else { return Seen::Nothing };
        match self.application.glance(&inverse.field, &source.id, open.first_sent_at).await {
            Ok(hits) => Seen::of(hits),
            Err(_) => Seen::Nothing,
        }
    }

    /// No request of ours can land any more, and the index shows every one that did.
    async fn look_up(&self, dto: ProcessDto, source: &RecordId, open: &Operation) -> Result<ProcessDto, NodeError> {
        let Some(inverse) = &open.inverse else { return self.ask(dto, source, open).await };
        match Seen::of(self.application.find(&inverse.field, &source.id).await?) {
            Seen::Nothing => self.send_again(dto, source, open, Fence::NothingWasMade).await,
            Seen::One(record) => self.adopt(dto, source, record, false).await,
            Seen::Several(records) => self.ambiguous(dto, source, records).await,
        }
    }

    async fn ambiguous(&self, dto: ProcessDto, source: &RecordId, hits: Vec<Record>) -> Result<ProcessDto, NodeError> {
        let hits = hits.into_iter().map(|hit| RecordId::new(&self.settings.application, hit.id));
        let records = hits.chain([source.clone()]).collect();
        self.case(CaseKind::Ambiguous, records, "several records carry the same inverse id").await?;
        Ok(dto.stop("several records carry this record's id; a case is open"))
    }

    async fn adopt(
        &self,
        dto: ProcessDto,
        source: &RecordId,
        record: Record,
        verified: bool,
    ) -> Result<ProcessDto, NodeError> {
        let adoption = Adoption {
            record,
            system: self.settings.application.clone(),
            names: source.clone(),
            contract: self.ports.contract.name().to_owned(),
            verified,
            topology: dto.provenance().topology,
        };
        match self.ports.store.adopt(&adoption).await? {
            Adopted::Paired(_) => Ok(dto.follow("mapped")),
            Adopted::Copy(_) => Ok(dto.stop("the record found is paired otherwise; a case is open")),
            Adopted::Inactive => Ok(dto.stop("one of the two records is gone")),
            Adopted::Unverified => Err(NodeError::wait("the create was settled otherwise", BUSY_WAIT)),
        }
    }

    /// The system says that it has this record already. Whose it is, the record itself tells.
    async fn duplicate(&self, dto: ProcessDto, source: &RecordId, id: Option<String>) -> Result<ProcessDto, NodeError> {
        let system = &self.settings.application;
        let existing = match &id {
            Some(id) => self.application.read(id).await?,
            None => self.carrying(source).await?,
        };
        if let Some(record) = existing
            && self.ports.contract.inverse_of(system, &record).as_ref() == Some(&source.id)
        {
            return self.adopt(dto, source, record, true).await;
        }
        let records = id.map(|id| RecordId::new(system, id)).into_iter().chain([source.clone()]).collect();
        self.case(CaseKind::Duplicate, records, "the first record is in the way of a counterpart for the last").await?;
        Ok(dto.stop("a record that is not ours is in the way; a case is open"))
    }

    /// The one record that carries the source's id, where the system can be asked for it.
    async fn carrying(&self, source: &RecordId) -> Result<Option<Record>, ReadError> {
        let Some(field) = self.ports.contract.inverse_field(&self.settings.application) else { return Ok(None) };
        match self.application.find(field, &source.id).await {
            Ok(mut hits) if hits.len() == 1 => Ok(hits.pop()),
            Ok(_) | Err(ReadError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, dto: ProcessDto, source: &RecordId, open: &Operation) -> Result<ProcessDto, NodeError> {
        let search = match &open.inverse {
            Some(inverse) => format!("a record with `{}` = {}", inverse.field, source.id),
            None => format!("a record made from {source} at {} ms", open.first_sent_at.as_millis()),
        };
        let detail =
            format!("{} may have made a record and cannot be asked: look in {} for {search}", open.id, open.target);
        self.case(CaseKind::UnknownCreate, vec![source.clone()], &detail).await?;
        Ok(dto.stop("nobody knows whether the record was made; a case is open"))
    }

    async fn case(&self, kind: CaseKind, records: Vec<RecordId>, detail: &str) -> Result<(), NodeError> {
        let opened_at = self.ports.clock.now();
        let case = Case { id: CaseId(0), kind, records, detail: detail.to_owned(), opened_at };
        self.ports.store.open_case(&case).await?;
        Ok(())
    }
}

/// What carries a record's id.
enum Seen {
    Nothing,
    One(Record),
    Several(Vec<Record>),
}

impl Seen {
    fn of(mut hits: Vec<Record>) -> Self {
        match (hits.pop(), hits.is_empty()) {
            (None, _) => Self::Nothing,
            (Some(record), true) => Self::One(record),
            (Some(record), false) => {
                hits.push(record);
                Self::Several(hits)
            }
        }
    }
}

/// What keeps a create that is sent again from making a second record.
enum Fence {
    /// Nothing that was sent before has made one.
    NothingWasMade,
    /// The target does.
    TheTarget {
        /// For so long.
        until: Option<Timestamp>,
    },
}

/// How a create of unknown outcome is taken up again.
enum Recovery {
    /// Something keeps a second one away.
    SendAgain(Fence),
    /// After this long a lookup tells.
    LookUp(Duration),
    /// Only a person can tell.
    Ask,
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use pairline_sdk::testing::{Fate, NodeTester, Step, run_now};
    use pairline_sdk::{
        Application, CapabilityClass, Case, CaseKind, NodeError, PairStore, ProcessDto, RecordId, System,
    };
    use serde_json::json;

    fn create(tester: &NodeTester, from: &str, id: &str) -> Result<ProcessDto, NodeError> {
        let to = if from == "crm" { "erp" } else { "crm" };
        tester.run("create", json!({ "application": to }), tester.seen(from, id))
    }

    fn contact(tester: &NodeTester) -> String {
        tester.crm.person_creates(&json!({ "email": "ada@example.org", "vat_id": "V1" })).id
    }

    /// The record that the lost answer was about cannot be seen yet.
    fn unseen(tester: &NodeTester) {
        tester.fate(Step::Read(System::new("erp")), Fate::LostThere);
    }

    fn cases(tester: &NodeTester) -> Vec<Case> {
        run_now(tester.store.cases(10)).unwrap()
    }

    #[test]
    fn a_record_is_born_with_every_value_and_the_inverse_id() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);

        let ended = create(&tester, "crm", &id).unwrap();

        assert_eq!(ended.route(), Some("created"));
        let born = json!({ "email": "ada@example.org", "vat_id": "V1", "custom_fields.crm_id": id });
        assert_eq!(tester.last_body("erp"), born);
    }

    #[test]
    fn an_event_announced_twice_creates_one_customer() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);

        create(&tester, "crm", &id).unwrap();
        create(&tester, "crm", &id).unwrap();

        assert_eq!(tester.erp.saved().records.len(), 1);
    }

    #[test]
    fn with_an_idempotency_key_a_lost_answer_is_asked_for_again_with_the_same_bytes() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        assert!(matches!(create(&tester, "crm", &id), Err(NodeError::Repeat { .. })));

        tester.crm.person_edits(&id, &json!({ "email": "new@example.org" }));
        unseen(&tester);
        let ended = create(&tester, "crm", &id).unwrap();

        assert_eq!(ended.route(), Some("created"));
        assert_eq!(tester.erp.saved().records.len(), 1);
        assert_eq!(tester.last_body("erp")["email"], "ada@example.org");
    }

    #[test]
    fn a_record_that_is_seen_is_not_asked_for_again_whatever_is_promised() {
        for class in [CapabilityClass::A, CapabilityClass::B { ttl: Duration::from_secs(9), margin: Duration::ZERO }] {
            let tester = NodeTester::with_erp_class(crate::register, class);
            let id = contact(&tester);
            tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
            create(&tester, "crm", &id).unwrap_err();
            // The promise is broken.
            tester.erp.forget_keys();

            let ended = create(&tester, "crm", &id).unwrap();

            assert_eq!(ended.route(), Some("mapped"), "{class:?}");
            assert_eq!(tester.erp.saved().records.len(), 1, "{class:?}");
        }
    }

    #[test]
    fn where_two_are_seen_no_third_is_made() {
        for class in [CapabilityClass::A, CapabilityClass::B { ttl: Duration::from_secs(9), margin: Duration::ZERO }] {
            let tester = NodeTester::with_erp_class(crate::register, class);
            let id = contact(&tester);
            tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
            create(&tester, "crm", &id).unwrap_err();
            tester.erp.person_creates(&json!({ "custom_fields.crm_id": id }));

            let ended = create(&tester, "crm", &id).unwrap();

            assert_eq!(ended.route(), None, "{class:?}");
            assert_eq!(cases(&tester)[0].kind, CaseKind::Ambiguous, "{class:?}");
            assert_eq!(tester.erp.saved().records.len(), 2, "{class:?}");
        }
    }

    /// Goes on until the create is mapped, past everything it waits for.
    fn until_mapped(tester: &NodeTester, id: &str) {
        for _ in 0..8 {
            if create(tester, "crm", id).is_ok_and(|ended| matches!(ended.route(), Some("mapped" | "created"))) {
                return;
            }
            tester.pass_seconds(14);
        }
        panic!("the create is never mapped");
    }

    #[test]
    fn a_repeat_that_is_refused_does_not_hide_the_record_that_the_first_has_made() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        assert!(create(&tester, "crm", &id).is_err());
        unseen(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::Refused);
        assert!(matches!(create(&tester, "crm", &id), Err(NodeError::Repeat { .. })), "it is not known to have failed");

        until_mapped(&tester, &id);

        assert_eq!(tester.erp.saved().records.len(), 1);
    }

    #[test]
    fn a_repeat_that_was_not_sent_is_not_sent_on_once_the_key_is_forgotten() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        assert!(create(&tester, "crm", &id).is_err());
        unseen(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::NotSent);
        assert!(create(&tester, "crm", &id).is_err());
        tester.pass_seconds(25 * 3600);
        tester.erp.forget_keys();

        until_mapped(&tester, &id);

        assert_eq!(tester.erp.saved().records.len(), 1);
    }

    #[test]
    fn within_the_margin_before_it_expires_a_key_is_not_used_any_more() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        assert!(create(&tester, "crm", &id).is_err());
        tester.pass_seconds(23 * 3600);
        // A request on its way may arrive when the key is forgotten.
        tester.erp.forget_keys();

        let ended = create(&tester, "crm", &id).unwrap();

        assert_eq!(ended.route(), Some("mapped"));
        assert_eq!(tester.erp.saved().records.len(), 1);
    }

    #[test]
    fn without_a_key_nothing_is_sent_again_until_the_first_request_can_no_longer_land() {
        let tester = NodeTester::new(crate::register);
        let id = tester.erp.person_creates(&json!({ "name": "Ada King" })).id;
        tester.fate(Step::Send(System::new("crm")), Fate::Late);
        assert!(matches!(create(&tester, "erp", &id), Err(NodeError::Repeat { .. })));

        assert!(matches!(create(&tester, "erp", &id), Err(NodeError::Repeat { counted: false, .. })));
        tester.crm.land();
        tester.pass_seconds(14);
        let ended = create(&tester, "erp", &id).unwrap();

        assert_eq!(ended.route(), Some("mapped"));
        assert_eq!(tester.crm.saved().records.len(), 1);
    }

    #[test]
    fn without_a_key_a_record_that_was_made_is_paired_as_soon_as_it_is_found() {
        let tester = NodeTester::new(crate::register);
        let id = tester.erp.person_creates(&json!({ "name": "Ada King" })).id;
        tester.fate(Step::Send(System::new("crm")), Fate::LostBack);
        let Err(NodeError::Repeat { after: Some(wait), .. }) = create(&tester, "erp", &id) else {
            panic!("expected to be looked at again")
        };

        tester.pass_seconds(1);
        let ended = create(&tester, "erp", &id).unwrap();

        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(ended.route(), Some("mapped"));
        assert_eq!(tester.crm.saved().writes, 1);
    }

    #[test]
    fn looks_for_a_record_that_may_never_come_become_rarer() {
        let tester = NodeTester::new(crate::register);
        let id = tester.erp.person_creates(&json!({ "name": "Ada King" })).id;
        tester.fate(Step::Send(System::new("crm")), Fate::LostThere);
        create(&tester, "erp", &id).unwrap_err();

        let mut looks = 0;
        while let Err(NodeError::Repeat { after: Some(wait), counted: false, .. }) = create(&tester, "erp", &id) {
            looks += 1;
            assert!(looks < 10, "expected few looks");
            tester.pass(wait);
        }

        assert_eq!(tester.crm.saved().records.len(), 1);
    }

    #[test]
    fn without_a_key_a_request_that_died_is_sent_again_after_the_wait() {
        let tester = NodeTester::new(crate::register);
        let id = tester.erp.person_creates(&json!({ "name": "Ada King" })).id;
        tester.fate(Step::Send(System::new("crm")), Fate::LostThere);
        create(&tester, "erp", &id).unwrap_err();

        tester.pass_seconds(14);
        let ended = create(&tester, "erp", &id).unwrap();

        assert_eq!(ended.route(), Some("created"));
        assert_eq!(tester.crm.saved().records.len(), 1);
    }

    #[test]
    fn without_a_key_a_request_that_died_is_not_sent_again_before_the_search_would_show_it() {
        let tester = NodeTester::new(crate::register);
        let id = tester.erp.person_creates(&json!({ "name": "Ada King" })).id;
        tester.fate(Step::Send(System::new("crm")), Fate::LostThere);
        create(&tester, "erp", &id).unwrap_err();

        // It can no longer land, and the search is still behind.
        tester.pass_seconds(6);
        let early = create(&tester, "erp", &id).unwrap_err();

        assert!(matches!(early, NodeError::Repeat { counted: false, .. }));
        assert_eq!(tester.crm.saved().writes, 0);
    }

    #[test]
    fn a_system_that_can_promise_nothing_is_left_to_a_person() {
        let tester = NodeTester::with_erp_class(crate::register, pairline_sdk::CapabilityClass::D);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        create(&tester, "crm", &id).unwrap_err();

        let ended = create(&tester, "crm", &id).unwrap();

        assert_eq!(ended.route(), None);
        assert_eq!(tester.open_cases(), 1);
        assert_eq!(tester.erp.saved().writes, 1);
    }

    #[test]
    fn a_create_that_was_not_sent_keeps_its_reservation_and_consumes_no_hop() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::NotSent);

        let first = create(&tester, "crm", &id).unwrap_err();
        let second = create(&tester, "crm", &id).unwrap();

        assert!(matches!(first, NodeError::Repeat { counted: false, .. }));
        assert_eq!(second.route(), Some("created"));
    }

    #[test]
    fn creates_that_are_held_back_leave_no_trace() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.hold_creates();

        let ended = create(&tester, "crm", &id).unwrap();

        assert!(ended.message().unwrap().contains("held back"));
        assert_eq!(tester.erp.saved().records.len(), 0);
    }

    #[test]
    fn a_create_that_was_refused_fails_and_is_free_to_be_tried_anew() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::Refused);

        let refused = create(&tester, "crm", &id).unwrap_err();
        let again = create(&tester, "crm", &id).unwrap();

        assert_eq!(refused, NodeError::stop("erp refuses it"));
        assert_eq!(again.route(), Some("created"));
    }

    #[test]
    fn what_was_not_sent_is_sent_at_the_next_try_whatever_the_system_promises() {
        for class in [CapabilityClass::A, CapabilityClass::C, CapabilityClass::D] {
            let tester = NodeTester::with_erp_class(crate::register, class);
            let id = contact(&tester);
            tester.fate(Step::Send(System::new("erp")), Fate::NotSent);
            create(&tester, "crm", &id).unwrap_err();

            let ended = create(&tester, "crm", &id).unwrap();

            assert_eq!(ended.route(), Some("created"), "{class:?}");
            assert_eq!(tester.open_cases(), 0, "{class:?}");
        }
    }

    #[test]
    fn a_person_is_not_asked_about_a_create_that_another_worker_is_sending() {
        let tester = Arc::new(NodeTester::with_erp_class(crate::register, CapabilityClass::D));
        let id = contact(&tester);
        let (another, of, (tell, told)) = (Arc::clone(&tester), id.clone(), mpsc::channel());
        tester.meanwhile(Step::Send(System::new("erp")), move || {
            tell.send(create(&another, "crm", &of)).unwrap();
        });

        let first = create(&tester, "crm", &id).unwrap();

        let second = told.try_recv().unwrap();
        assert!(matches!(second, Err(NodeError::Repeat { counted: false, .. })), "{second:?}");
        assert_eq!(first.route(), Some("created"));
        assert_eq!(tester.open_cases(), 0);
    }

    #[test]
    fn a_create_whose_worker_has_vanished_is_taken_up_when_its_deadline_has_passed() {
        let tester = NodeTester::with_erp_class(crate::register, CapabilityClass::D);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::LostThere);
        create(&tester, "crm", &id).unwrap_err();
        tester.worker_vanishes();
        let last_moment = Duration::from_millis(1);

        tester.pass(tester.erp.profile().deadline - last_moment);
        let early = create(&tester, "crm", &id);
        tester.pass(last_moment);
        create(&tester, "crm", &id).unwrap();

        assert!(matches!(early, Err(NodeError::Repeat { counted: false, .. })), "{early:?}");
        assert_eq!(cases(&tester)[0].kind, CaseKind::UnknownCreate);
    }

    #[test]
    fn a_key_whose_second_answer_is_lost_too_has_no_more_to_say_and_the_record_is_looked_for() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        unseen(&tester);
        for _ in 0..2 {
            tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
            create(&tester, "crm", &id).unwrap_err();
        }
        let writes = tester.erp.saved().writes;

        let ended = create(&tester, "crm", &id).unwrap();

        assert_eq!(ended.route(), Some("mapped"));
        assert_eq!(tester.erp.saved().writes, writes);
    }

    #[test]
    fn a_record_that_is_in_the_way_and_carries_our_id_is_the_one_we_have_made() {
        let tester = NodeTester::with_erp_class(crate::register, CapabilityClass::A);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        create(&tester, "crm", &id).unwrap_err();
        unseen(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::Duplicate);

        let ended = create(&tester, "crm", &id).unwrap();

        assert_eq!(ended.route(), Some("mapped"));
        assert_eq!(tester.open_cases(), 0);
    }

    #[test]
    fn a_record_that_is_in_the_way_and_is_not_ours_is_left_to_a_person() {
        for carried in [json!({}), json!({ "custom_fields.crm_id": "somebody-else" })] {
            let tester = NodeTester::new(crate::register);
            let id = contact(&tester);
            let in_the_way = tester.erp.person_creates(&carried);
            tester.fate(Step::Send(System::new("erp")), Fate::Duplicate);

            let ended = create(&tester, "crm", &id).unwrap();

            assert_eq!(ended.route(), None);
            let case = cases(&tester).remove(0);
            assert_eq!(case.kind, CaseKind::Duplicate);
            assert_eq!(case.records, [in_the_way, RecordId::new(&System::new("crm"), id)]);
        }
    }

    #[test]
    fn a_record_that_is_in_the_way_and_is_not_named_is_left_to_a_person_too() {
        let tester = NodeTester::new(crate::register);
        let id = contact(&tester);
        tester.fate(Step::Send(System::new("erp")), Fate::Duplicate);

        create(&tester, "crm", &id).unwrap();

        let case = cases(&tester).remove(0);
        assert_eq!(case.kind, CaseKind::Duplicate);
        assert_eq!(case.records, [RecordId::new(&System::new("crm"), id)]);
    }
}
