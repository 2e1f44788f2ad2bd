//! Update: read, compare, and write the owner's value where the two sides differ. Skip what is unchanged.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{GONE, HINT, HintPart, PAIR, RECORD};
use pairline_sdk::{
    Agreement, Case, CaseId, CaseKind, Effect, InverseWrite, Look, NodeDescription, NodeError, Operation, Pair,
    PairSide, PlatformKind, Ports, ProcessAction, ProcessDto, Rebase, Record, RecordId, Registry, RouteDefault,
    SettingKind, System, settings,
};
use serde::Deserialize;

use crate::converge::{Need, Plan, Receipts, Sight, decide, stand_ins};
use crate::write::{BUSY_WAIT, PairWrite, Written, write};

/// So many operations of either direction are remembered when two edits are weighed: those since the older edit was
/// announced matter, and few can be made in that time.
const REMEMBERED: usize = 32;

/// The `with:` block of an `update` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    application: System,
}

struct UpdateNode {
    description: NodeDescription,
    settings: Settings,
    ports: Ports,
}

fn describe() -> NodeDescription {
    let about = "Compares two records of a pair and writes the owner's value where they differ.";
    NodeDescription::new("update", about, PlatformKind::Connector)
        .effect(Effect::Reads)
        .effect(Effect::Writes)
        .route_or("done", "Both sides hold what they should.", RouteDefault::End)
        .route("gone", "The other record is not there any more.")
        .setting("application", "Where the other record lives.", SettingKind::Target)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        ports.application(settings.application.as_str())?;
        Ok(Arc::new(UpdateNode { description: describe(), settings, ports: ports.clone() }))
    });
}

#[async_trait]
impl ProcessAction for UpdateNode {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        let pair = dto.need::<Pair>(PAIR)?;
        let record = dto.need::<Record>(RECORD)?;
        let far = &pair.other(&hint.record.system).record;
        if far.system != self.settings.application {
            let (expected, found) = (&self.settings.application, &far.system);
            return Err(NodeError::stop(format!("expected a pair with `{expected}`, found one with `{found}`")));
        }
        if let Some(open) = &pair.open {
            self.wait_for(open)?;
        }
        let near_received = hint.received.clone();
        let far_received = hint.others.iter().find(|other| other.record == *far).map(|other| other.received.clone());
        let mut view = View {
            pair: &pair,
            near: &hint.record,
            record: &record,
            near_received,
            far_received,
            far: None,
            operations: None,
        };
        let Some(plan) = self.plan(&mut view, far).await? else {
            return Ok(dto.with(GONE, far.clone()).follow("gone"));
        };
        self.ask(&pair, &plan).await?;
        match self.carry_out(&view, plan, &dto).await? {
            Written::Done => Ok(dto.follow("done")),
            Written::Gone(record) => Ok(dto.with(GONE, record).follow("gone")),
        }
    }
}

/// Whether a record was seen to carry the inverse id for the first time.
fn is_news_of_inverse(side: &PairSide, due: Option<&InverseWrite>, record: Option<&Record>) -> bool {
    !side.inverse_written && record.is_some() && due.is_none()
}

/// What is known of both sides.
struct View<'a> {
    pair: &'a Arc<Pair>,
    near: &'a RecordId,
    record: &'a Record,
    near_received: Receipts,
    far_received: Option<Receipts>,
    far: Option<Record>,
    operations: Option<Vec<Operation>>,
}

impl UpdateNode {
    /// An operation under way, or whose request may still be applied, holds its pair.
    fn wait_for(&self, open: &Operation) -> Result<(), NodeError> {
        let now = self.ports.clock.now();
        if now < open.quiet_at() {
            let reason = format!("{} of the same pair is {}", open.id, open.state.name());
            let live = open.state == pairline_sdk::OperationState::Pending;
            return Err(NodeError::wait(reason, if live { BUSY_WAIT } else { open.quiet_at().since(now) }));
        }
        Ok(())
    }

    /// What is to be done; nothing when the other record is not there any more.
    async fn plan(&self, view: &mut View<'_>, far: &RecordId) -> Result<Option<Plan>, NodeError> {
        // The far side and the operations are asked for once each.
        for _ in 0..=2 {
            match decide(&self.sight(view)) {
                Ok(plan) => return Ok(Some(plan)),
                Err(Need::FarRecord) => {
                    let application = self.ports.application(far.system.as_str()).map_err(NodeError::stop)?;
                    application.admit().await?;
                    let Some(far_record) = application.read(&far.id).await? else { return Ok(None) };
                    view.far = Some(far_record);
                }
                Err(Need::Operations) => {
                    view.operations = Some(self.ports.store.recent(view.pair, REMEMBERED).await?);
                }
                Err(Need::News(until)) => {
                    let reason = "a change was seen that nobody has told of yet".to_owned();
                    return Err(NodeError::wait(reason, until.since(self.ports.clock.now())));
                }
            }
        }
        Err(NodeError::stop("both sides were read and did not suffice"))
    }

    fn sight<'a>(&'a self, view: &'a View<'_>) -> Sight<'a> {
        Sight {
            contract: &self.ports.contract,
            pair: view.pair,
            near: &view.near.system,
            near_record: view.record,
            near_received: &view.near_received,
            far_record: view.far.as_ref(),
            far_received: view.far_received.as_ref(),
            operations: view.operations.as_deref(),
            now: self.ports.clock.now(),
        }
    }

    async fn ask(&self, pair: &Pair, plan: &Plan) -> Result<(), NodeError> {
        for field in &plan.asks {
            let case = Case {
                id: CaseId(0),
                kind: CaseKind::Field,
                records: pair.sides.iter().map(|side| side.record.clone()).collect(),
                detail: format!("the two sides differ on `{field}`, and its policy is to ask"),
                opened_at: self.ports.clock.now(),
            };
            self.ports.store.open_case(&case).await?;
        }
        Ok(())
    }

    /// The inverse id a record must carry, if it is known to carry another or none.
    fn inverse_due(&self, pair: &Pair, system: &System, record: Option<&Record>) -> Option<InverseWrite> {
        let field = self.ports.contract.inverse_field(system)?;
        let id = &pair.other(system).record.id;
        let carried = self.ports.contract.inverse_of(system, record?);
        (carried.as_ref() != Some(id)).then(|| InverseWrite { field: field.to_owned(), id: id.clone() })
    }

    async fn carry_out(&self, view: &View<'_>, plan: Plan, dto: &ProcessDto) -> Result<Written, NodeError> {
        let (near, far) = (&view.near.system, self.ports.contract.other(&view.near.system));
        let near_inverse = self.inverse_due(view.pair, near, Some(view.record));
        let far_inverse = self.inverse_due(view.pair, far, view.far.as_ref());
        let inverse_seen: Vec<System> =
            [(near, &near_inverse, Some(view.record)), (far, &far_inverse, view.far.as_ref())]
                .into_iter()
                .filter(|(system, due, record)| is_news_of_inverse(view.pair.side(system), due.as_ref(), *record))
                .map(|(system, ..)| system.clone())
                .collect();
        let far_version = view.far.as_ref().and_then(|far| far.version.clone());
        let near_version = view.record.version.clone();
        let mut sides =
            vec![(far, plan.to_far, far_inverse, far_version), (near, plan.to_near, near_inverse, near_version)];
        sides.retain(|(_, writes, inverse, _)| !writes.is_empty() || inverse.is_some());
        let mut rebase = plan.rebase;
        rebase.extend(stand_ins(&self.sight(view), &rebase));
        let mut supersedes = view.pair.open.as_ref().map(|open| open.id.clone());
        let mut notes = plan.notes;
        if sides.is_empty() {
            let (id, revision) = (view.pair.id, view.pair.revision);
            let rebase = Rebase { pair: id, revision, changes: rebase, inverse_seen, supersedes, notes };
            return self.take_as_agreed(view, rebase).await;
        }
        let more_was_seen = view.pair.agreement != Agreement::Known || !inverse_seen.is_empty();
        let mut pair = Arc::clone(view.pair);
        let mut sides = sides.into_iter().peekable();
        while let Some((target, writes, inverse, version)) = sides.next() {
            // Taking something as agreed is one change of the pair, the outcome another.
            let changes = 1 + i64::from(!rebase.is_empty());
            let part = PairWrite {
                pair: &pair,
                target,
                writes,
                inverse,
                version,
                rebase: std::mem::take(&mut rebase),
                supersedes: supersedes.take(),
                notes: std::mem::take(&mut notes),
                provenance: dto.provenance(),
            };
            if let Written::Gone(record) = write(&self.ports, part).await? {
                return Ok(Written::Gone(record));
            }
            if sides.peek().is_some() || more_was_seen {
                pair = self.own_progress(&pair, changes, view.near, far).await?;
            }
        }
        if !more_was_seen {
            return Ok(Written::Done);
        }
        // The two are alike now: from here on there is a base to compare with, and no id is waited for that was seen.
        let (id, revision) = (pair.id, pair.revision);
        let rebase = Rebase { pair: id, revision, changes: vec![], inverse_seen, supersedes: None, notes: vec![] };
        self.take_as_agreed(view, rebase).await
    }

    /// Nothing is to be written: what was seen is what the sides agree on.
    async fn take_as_agreed(&self, view: &View<'_>, rebase: Rebase) -> Result<Written, NodeError> {
        let says_nothing = rebase.changes.is_empty() && rebase.inverse_seen.is_empty() && rebase.supersedes.is_none();
        if (says_nothing && view.pair.agreement == Agreement::Known) || self.ports.store.rebase(&rebase).await? {
            return Ok(Written::Done);
        }
        Err(NodeError::wait(format!("the pair of {} has changed", view.near), BUSY_WAIT))
    }

    /// The pair after our own write, to begin the second one from; in other hands by now, it is looked at afresh.
    async fn own_progress(
        &self,
        before: &Pair,
        changes: i64,
        near: &RecordId,
        far: &System,
    ) -> Result<Arc<Pair>, NodeError> {
        match self.ports.store.look(near, far).await? {
            Look::Found(pair) if pair.revision.0 == before.revision.0 + changes && pair.open.is_none() => Ok(pair),
            _ => Err(NodeError::wait(format!("the pair of {near} has changed"), BUSY_WAIT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use pairline_sdk::testing::{Fate, NodeTester, Step, contact_document, run_now};
    use pairline_sdk::{
        Agreement, Application, CaseKind, FieldKind, Look, NodeError, PairStore, Policy, ProcessDto, RecordId,
        SyncContract, System,
    };
    use serde_json::{Value, json};

    fn tester(crm: Value, erp: Value) -> NodeTester {
        NodeTester::new(crate::register).with_pair("crm-1", "erp-1", crm, erp)
    }

    fn update(tester: &NodeTester) -> Result<ProcessDto, NodeError> {
        tester.run("update", json!({ "application": "erp" }), tester.seen("crm", "crm-1"))
    }

    fn update_from_erp(tester: &NodeTester) -> Result<ProcessDto, NodeError> {
        tester.run("update", json!({ "application": "crm" }), tester.seen("erp", "erp-1"))
    }

    /// The same when both phones were edited, and it was heard of these edits at these times.
    fn update_on_news(tester: &NodeTester, of_crm: u64, of_erp: u64) -> Result<ProcessDto, NodeError> {
        let hint = json!({
            "record": { "system": "crm", "id": "crm-1" },
            "received": { "phone": of_crm },
            "others": [{ "record": { "system": "erp", "id": "erp-1" }, "received": { "phone": of_erp } }],
        });
        tester.run("update", json!({ "application": "erp" }), tester.seen("crm", "crm-1").with("hint", hint))
    }

    fn send_to_erp() -> Step {
        Step::Send(System::new("erp"))
    }

    #[test]
    fn only_the_fields_that_differ_are_sent() {
        let tester = tester(json!({ "email": "a", "phone": "1" }), json!({ "email": "a", "phone": "1" }));
        tester.crm.person_edits("crm-1", &json!({ "email": "b" }));

        update(&tester).unwrap();

        assert_eq!(tester.last_body("erp"), json!({ "email": "b" }));
    }

    #[test]
    fn an_unchanged_record_costs_no_write() {
        let tester = tester(json!({ "email": "a" }), json!({ "email": "a" }));

        update(&tester).unwrap();

        assert_eq!(tester.erp.saved().writes + tester.crm.saved().writes, 0);
    }

    #[test]
    fn a_write_that_failed_does_not_make_what_an_earlier_one_brought_look_like_an_edit() {
        let tester = tester(json!({ "phone": "0" }), json!({ "phone": "0" }));
        tester.crm.person_edits("crm-1", &json!({ "phone": "1" }));
        tester.fate(send_to_erp(), Fate::LostBack);
        assert!(update(&tester).is_err());
        tester.crm.person_edits("crm-1", &json!({ "phone": "2" }));
        tester.pass_seconds(14);
        tester.fate(send_to_erp(), Fate::NotSent);
        assert!(update(&tester).is_err());

        update(&tester).unwrap();

        assert_eq!(tester.last_body("erp"), json!({ "phone": "2" }));
        let history = run_now(tester.store.history(&RecordId::new(&System::new("crm"), "crm-1"))).unwrap();
        assert_eq!(history.notes, vec![], "nobody's edit was decided against");
    }

    #[test]
    fn an_edit_that_goes_back_to_what_a_lost_write_found_is_brought_over() {
        let tester = tester(json!({ "phone": "0" }), json!({ "phone": "0" }));
        let send_to_crm = || Step::Send(System::new("crm"));
        tester.crm.person_edits("crm-1", &json!({ "phone": "1" }));
        tester.fate(send_to_erp(), Fate::LostThere);
        assert!(update(&tester).is_err());
        // Somebody edits it there, too; that is the newer edit, and it does not get back either.
        tester.erp.person_edits("erp-1", &json!({ "phone": "2" }));
        tester.pass_seconds(14);
        tester.fate(send_to_crm(), Fate::LostThere);
        assert!(update_from_erp(&tester).is_err());
        tester.erp.person_edits("erp-1", &json!({ "phone": "0" }));
        tester.pass_seconds(14);
        tester.fate(send_to_crm(), Fate::NotSent);
        assert!(update_from_erp(&tester).is_err());

        update_from_erp(&tester).unwrap();

        assert_eq!(tester.crm.saved().records["crm-1"]["phone"], "0");
    }

    #[test]
    fn running_twice_writes_once() {
        let tester = tester(json!({ "email": "a" }), json!({ "email": "a" }));
        tester.crm.person_edits("crm-1", &json!({ "email": "b" }));
        let message = tester.seen("crm", "crm-1");
        let with = json!({ "application": "erp" });

        tester.run("update", with.clone(), message).unwrap();
        tester.run("update", with, tester.seen("crm", "crm-1")).unwrap();

        assert_eq!(tester.erp.saved().writes, 1);
    }

    #[test]
    fn a_write_of_unknown_outcome_holds_its_pair_until_its_request_has_died() {
        let tester = tester(json!({ "email": "a" }), json!({ "email": "a" }));
        tester.crm.person_edits("crm-1", &json!({ "email": "b" }));
        tester.fate(send_to_erp(), Fate::Late);

        let first = update(&tester).unwrap_err();
        let second = update(&tester).unwrap_err();
        assert!(matches!(first, NodeError::Repeat { counted: true, after: Some(_), .. }));
        assert!(matches!(second, NodeError::Repeat { counted: false, after: Some(_), .. }));
        assert!(tester.erp.land());
        tester.pass_seconds(11);
        update(&tester).unwrap();

        assert_eq!(tester.erp.saved().records["erp-1"]["email"], "b");
        assert_eq!(tester.erp.saved().writes, 1, "what has landed is not sent again");
    }

    #[test]
    fn a_value_an_unknown_write_has_brought_over_is_nobodys_edit_when_the_write_back_comes_first() {
        let tester = tester(json!({ "phone": "0", "vat_id": "V" }), json!({ "phone": "0", "vat_id": "V" }));
        tester.crm.person_edits("crm-1", &json!({ "phone": "1" }));
        tester.fate(send_to_erp(), Fate::LostBack);
        update(&tester).unwrap_err();

        // The write has arrived, nobody knows. Then both sides change, and the first of the two writes is lost.
        tester.crm.person_edits("crm-1", &json!({ "phone": "2" }));
        tester.erp.person_edits("erp-1", &json!({ "vat_id": "W" }));
        tester.pass_seconds(11);
        tester.fate(Step::Send(System::new("crm")), Fate::LostThere);
        update_from_erp(&tester).unwrap_err();
        tester.pass_seconds(11);
        update_from_erp(&tester).unwrap();

        assert_eq!(tester.crm.saved().records["crm-1"]["phone"], "2");
        assert_eq!(tester.erp.saved().records["erp-1"]["phone"], "2");
        assert_eq!(tester.crm.saved().records["crm-1"]["vat_id"], "W");
        assert!(tester.store.saved().notes.is_empty(), "nobody has edited the phone on both sides");
    }

    #[test]
    fn a_pair_whose_other_record_is_gone_takes_the_gone_route() {
        let tester = tester(json!({ "email": "a" }), json!({ "email": "a" }));
        tester.erp.person_deletes("erp-1");
        tester.crm.person_edits("crm-1", &json!({ "email": "b" }));

        let ended = update(&tester).unwrap();

        assert_eq!(ended.route(), Some("gone"));
        assert_eq!(ended.data()["gone"], json!({ "system": "erp", "id": "erp-1" }));
    }

    #[test]
    fn once_the_two_sides_of_a_pair_that_came_back_are_alike_it_is_a_pair_like_any_other() {
        for edited in [json!({ "vat_id": "V" }), json!({})] {
            let tester = tester(json!({ "email": "a" }), json!({ "email": "a" }));
            let contact = RecordId::new(&System::new("crm"), "crm-1");
            run_now(tester.store.deactivate(&contact)).unwrap();
            tester.erp.person_edits("erp-1", &edited);
            run_now(tester.store.reactivate(&contact)).unwrap();

            update(&tester).unwrap();

            assert_eq!(tester.crm.saved().records["crm-1"].get("vat_id"), edited.get("vat_id"));
            let pair = run_now(tester.store.look(&contact, &System::new("erp"))).unwrap();
            assert!(matches!(pair, Look::Found(pair) if pair.agreement == Agreement::Known));
        }
    }

    #[test]
    fn an_inverse_id_that_was_wiped_is_written_again() {
        let tester = tester(json!({ "email": "a" }), json!({ "email": "a" }));
        tester.crm.person_edits("crm-1", &json!({ "erp_id": "" }));

        update(&tester).unwrap();

        assert_eq!(tester.last_body("crm"), json!({ "erp_id": "erp-1" }));
    }

    #[test]
    fn an_inverse_id_that_a_record_is_seen_to_carry_is_not_waited_for_any_more() {
        let tester = NodeTester::new(crate::register);
        let customer = tester.erp.person_creates(&json!({ "custom_fields.crm_id": "crm-1" }));
        let contact = tester.crm.person_creates(&json!({ "erp_id": customer.id }));
        let resolve = json!({ "source": "crm", "target": "erp" });
        let found = tester.run("resolve", resolve, tester.seen("crm", &contact.id)).unwrap();
        assert_eq!(run_now(tester.store.counts()).unwrap().inverse_pending, 1);

        tester.run("update", json!({ "application": "erp" }), found).unwrap();

        assert_eq!(run_now(tester.store.counts()).unwrap().inverse_pending, 0);
        assert_eq!(tester.erp.saved().writes + tester.crm.saved().writes, 0);
    }

    #[test]
    fn an_inverse_id_that_is_seen_beside_an_edit_is_not_waited_for_any_more_either() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "email": "a" }));
        tester.erp.person_creates(&json!({ "email": "a", "custom_fields.crm_id": contact.id }));
        let created = tester.created(&contact.id, json!({ "email": "a" }));
        tester.run("persist", json!({ "source": "crm", "target": "erp" }), created).unwrap();
        tester.crm.person_edits(&contact.id, &json!({ "erp_id": "erp-1", "email": "b" }));

        update(&tester).unwrap();

        assert_eq!(tester.last_body("erp"), json!({ "email": "b" }));
        assert_eq!(run_now(tester.store.counts()).unwrap().inverse_pending, 0);
    }

    #[test]
    fn a_pair_is_held_for_the_life_of_a_request_and_no_longer() {
        let tester = tester(json!({ "email": "a" }), json!({ "email": "a" }));
        tester.crm.person_edits("crm-1", &json!({ "email": "b" }));
        tester.fate(send_to_erp(), Fate::LostThere);
        update(&tester).unwrap_err();
        let last_moment = Duration::from_millis(1);

        tester.pass(tester.erp.profile().request_life - last_moment);
        let held = update(&tester).unwrap_err();
        tester.pass(last_moment);
        update(&tester).unwrap();

        assert!(matches!(held, NodeError::Repeat { after: Some(after), counted: false, .. } if after == last_moment));
        assert_eq!(tester.erp.saved().records["erp-1"]["email"], "b");
    }

    #[test]
    fn a_write_under_way_is_waited_for_as_long_as_an_answer_usually_takes_and_not_for_the_life_of_its_request() {
        let tester = Arc::new(tester(json!({ "email": "a" }), json!({ "email": "a" })));
        tester.crm.person_edits("crm-1", &json!({ "email": "b" }));
        let (another, (tell, told)) = (Arc::clone(&tester), mpsc::channel());
        tester.meanwhile(send_to_erp(), move || tell.send(update(&another)).unwrap());

        update(&tester).unwrap();

        let Err(NodeError::Repeat { after: Some(wait), counted: false, .. }) = told.try_recv().unwrap() else {
            panic!("expected to be looked at again")
        };
        assert!(wait < Duration::from_secs(1), "{wait:?}");
        assert_eq!(tester.erp.saved().writes, 1);
    }

    #[test]
    fn of_two_edits_the_news_of_the_two_records_decides_and_not_that_of_another_one_in_the_lane() {
        for (of_crm, of_erp, of_another, winner) in [(10, 20, 5, "erp"), (20, 10, 30, "crm")] {
            let tester = tester(json!({ "phone": "0" }), json!({ "phone": "0" }));
            tester.crm.person_edits("crm-1", &json!({ "phone": "crm" }));
            tester.erp.person_edits("erp-1", &json!({ "phone": "erp" }));
            let hint = json!({
                "record": { "system": "crm", "id": "crm-1" },
                "received": { "phone": of_crm },
                "others": [
                    { "record": { "system": "erp", "id": "erp-9" }, "received": { "phone": of_another } },
                    { "record": { "system": "erp", "id": "erp-1" }, "received": { "phone": of_erp } },
                ],
            });

            let message = tester.seen("crm", "crm-1").with("hint", hint);
            tester.run("update", json!({ "application": "erp" }), message).unwrap();

            assert_eq!(tester.crm.saved().records["crm-1"]["phone"], winner);
            assert_eq!(tester.erp.saved().records["erp-1"]["phone"], winner);
        }
    }

    #[test]
    fn a_decision_between_two_edits_is_kept_though_its_write_is_never_made() {
        let held = json!({ "email": "a", "phone": "0" });
        let tester = tester(held.clone(), held);
        tester.crm.person_edits("crm-1", &json!({ "email": "b", "phone": "older" }));
        tester.erp.person_edits("erp-1", &json!({ "phone": "newer" }));
        let news = |of_crm, of_erp| update_on_news(&tester, of_crm, of_erp);
        tester.fate(send_to_erp(), Fate::NotSent);
        news(10, 20).unwrap_err();

        tester.erp.person_edits("erp-1", &json!({ "phone": "newest" }));
        news(30, 20).unwrap();
        update_from_erp(&tester).unwrap();

        for (side, id) in [(&tester.crm, "crm-1"), (&tester.erp, "erp-1")] {
            assert_eq!(
                side.saved().records[id]["phone"],
                "newest",
                "what is heard late of the older one changes nothing"
            );
        }
        assert_eq!(tester.erp.saved().records["erp-1"]["email"], "b");
    }

    #[test]
    fn an_edit_between_the_look_and_the_write_is_weighed_where_the_system_knows_what_was_looked_at() {
        // Both have edited the phone. The other one edits it once more when the first edit has been read and not overwritten yet.
        for (knows, kept) in [(true, "newest"), (false, "newer")] {
            let held = json!({ "email": "a", "phone": "0" });
            let tester = if knows { NodeTester::with_versions } else { NodeTester::new }(crate::register);
            let tester = Arc::new(tester.with_pair("crm-1", "erp-1", held.clone(), held));
            tester.erp.person_edits("erp-1", &json!({ "phone": "older" }));
            tester.crm.person_edits("crm-1", &json!({ "phone": "newer" }));
            let news = |of_crm, of_erp| update_on_news(&tester, of_crm, of_erp);
            let person = Arc::clone(&tester);
            tester.meanwhile(send_to_erp(), move || {
                person.erp.person_edits("erp-1", &json!({ "phone": "newest" }));
            });

            let first = news(20, 10);
            let second = news(20, 30);

            assert_eq!(matches!(first, Err(NodeError::Repeat { counted: true, .. })), knows, "{first:?}");
            assert!(second.is_ok(), "{second:?}");
            assert_eq!(tester.erp.saved().records["erp-1"]["phone"], kept);
        }
    }

    #[test]
    fn a_write_back_is_bound_to_the_version_that_was_looked_at_too() {
        let held = json!({ "vat_id": "V1", "phone": "0" });
        let tester = NodeTester::with_versions(crate::register).with_pair("crm-1", "erp-1", held.clone(), held);
        let tester = Arc::new(tester);
        // The e-mail is the CRM's: whoever edits it in the ERP has it taken back there.
        tester.erp.person_edits("erp-1", &json!({ "email": "wrong" }));
        let person = Arc::clone(&tester);
        tester.meanwhile(send_to_erp(), move || person.erp.person_edits("erp-1", &json!({ "phone": "1" })));

        let first = update_from_erp(&tester);
        let second = update_from_erp(&tester);

        assert!(matches!(first, Err(NodeError::Repeat { counted: true, .. })), "{first:?}");
        assert!(second.is_ok(), "{second:?}");
        let record = tester.erp.saved().records["erp-1"].clone();
        assert_eq!((record.get("email"), &record["phone"]), (None, &json!("1")));
        assert_eq!(tester.crm.saved().records["crm-1"]["phone"], "1");
    }

    #[test]
    fn two_sets_are_united_on_both_sides_though_the_second_write_is_not_made_at_once() {
        let mut document = contact_document();
        let phone = document.fields.get_mut("phone").unwrap();
        (phone.kind, phone.policy) = (FieldKind::Set, Some(Policy::SetUnion));
        let tester = NodeTester::with_contract(crate::register, SyncContract::check(&document).unwrap());
        let held = json!({ "phone": ["0"] });
        let tester = tester.with_pair("crm-1", "erp-1", held.clone(), held);
        tester.crm.person_edits("crm-1", &json!({ "phone": ["0", "1"] }));
        tester.erp.person_edits("erp-1", &json!({ "phone": ["0", "2"] }));
        tester.fate(Step::Send(System::new("crm")), Fate::NotSent);
        update(&tester).unwrap_err();

        update(&tester).unwrap();

        assert_eq!(tester.crm.saved().records["crm-1"]["phone"], json!(["0", "1", "2"]));
        assert_eq!(tester.erp.saved().records["erp-1"]["phone"], json!(["0", "1", "2"]));
    }

    #[test]
    fn a_field_that_a_person_is_to_decide_on_opens_one_case_about_both_records() {
        let mut document = contact_document();
        document.fields.get_mut("phone").unwrap().policy = Some(Policy::Ask);
        let contract = SyncContract::check(&document).unwrap();
        let phone = json!({ "phone": "0" });
        let tester = NodeTester::with_contract(crate::register, contract);
        let tester = tester.with_pair("crm-1", "erp-1", phone.clone(), phone);
        tester.crm.person_edits("crm-1", &json!({ "phone": "1" }));
        tester.erp.person_edits("erp-1", &json!({ "phone": "2" }));

        update(&tester).unwrap();
        update(&tester).unwrap();

        let cases = run_now(tester.store.cases(10)).unwrap();
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].kind, CaseKind::Field);
        assert_eq!(cases[0].records.iter().map(ToString::to_string).collect::<Vec<_>>(), ["crm:crm-1", "erp:erp-1"]);
        assert!(cases[0].detail.contains("`phone`"), "{}", cases[0].detail);
        assert_eq!(tester.erp.saved().writes + tester.crm.saved().writes, 0);
    }

    #[test]
    fn what_goes_both_ways_and_what_agrees_already_is_settled_in_one_go() {
        let held = json!({ "email": "a", "phone": "0", "vat_id": "V" });
        let tester = tester(held.clone(), held);
        tester.crm.person_edits("crm-1", &json!({ "email": "b", "phone": "1" }));
        tester.erp.person_edits("erp-1", &json!({ "vat_id": "W", "phone": "1" }));

        let ended = update(&tester).unwrap();

        assert_eq!(ended.route(), Some("done"));
        assert_eq!(tester.last_body("erp"), json!({ "email": "b" }));
        assert_eq!(tester.last_body("crm"), json!({ "vat_id": "W" }));
    }

    #[test]
    fn of_two_writes_the_second_is_not_made_on_a_pair_that_others_have_changed_after_the_first() {
        let held = json!({ "email": "a", "phone": "0", "vat_id": "V" });
        let tester = Arc::new(tester(held.clone(), held));
        tester.crm.person_edits("crm-1", &json!({ "email": "b", "phone": "1" }));
        tester.erp.person_edits("erp-1", &json!({ "vat_id": "W" }));
        let message = tester.seen("crm", "crm-1");
        let another = Arc::clone(&tester);
        tester.meanwhile(Step::Store("look"), move || {
            another.erp.person_edits("erp-1", &json!({ "vat_id": "Z" }));
            update_from_erp(&another).unwrap();
        });

        let ended = tester.run("update", json!({ "application": "erp" }), message);

        assert!(matches!(ended, Err(NodeError::Repeat { counted: false, .. })), "{ended:?}");
        assert_eq!(tester.erp.saved().records["erp-1"]["email"], "b");
        assert_eq!(
            tester.crm.saved().records["crm-1"]["vat_id"],
            "Z",
            "the older value would have come over the newer"
        );
    }

    #[test]
    fn equal_edits_on_both_sides_are_what_the_next_edit_is_compared_with() {
        let tester = tester(json!({ "phone": "0" }), json!({ "phone": "0" }));
        tester.crm.person_edits("crm-1", &json!({ "phone": "1" }));
        tester.erp.person_edits("erp-1", &json!({ "phone": "1" }));
        update(&tester).unwrap();

        tester.erp.person_edits("erp-1", &json!({ "phone": "2" }));
        update_from_erp(&tester).unwrap();

        assert_eq!(tester.crm.saved().records["crm-1"]["phone"], "2");
        assert!(tester.store.saved().notes.is_empty(), "the contact was not edited again");
    }

    #[test]
    fn once_the_two_records_of_a_found_pair_have_been_made_alike_the_next_edit_is_one_like_any_other() {
        let tester = NodeTester::new(crate::register);
        let held = json!({ "custom_fields.crm_id": "crm-1", "email": "old", "phone": "0" });
        let customer = tester.erp.person_creates(&held);
        let contact = tester.crm.person_creates(&json!({ "erp_id": customer.id, "email": "new", "phone": "0" }));
        let resolve = json!({ "source": "crm", "target": "erp" });
        let found = tester.run("resolve", resolve, tester.seen("crm", &contact.id)).unwrap();
        tester.run("update", json!({ "application": "erp" }), found).unwrap();
        assert_eq!(tester.last_body("erp"), json!({ "email": "new" }));

        tester.crm.person_edits(&contact.id, &json!({ "phone": "1" }));
        let hint = json!({ "record": { "system": "crm", "id": contact.id }, "received": { "phone": 10 } });
        let edited = tester.seen("crm", &contact.id).with("hint", hint);
        tester.run("update", json!({ "application": "erp" }), edited).unwrap();

        assert_eq!(tester.crm.saved().records[&contact.id]["phone"], "1", "nobody has edited the customer");
        assert_eq!(tester.erp.saved().records[&customer.id]["phone"], "1");
        assert!(tester.store.saved().notes.is_empty(), "{:?}", tester.store.saved().notes);
    }
}
