//! The world around the workers: time, the network, people, kills. And what must never be.

use crate::checker::Model;
use crate::event::Event;
use crate::protocol::{Protocol, Turn};
use crate::scenario::{Class, Pause, Restore, Scenario};
use crate::state::{
    Answer, Budget, CRM, Doing, ERP, KEY_TTL, Packed, Packet, Record, SLOTS, STRANGER, Sin, Stand, State, Worker,
};
use crate::step::SafetyStep;

/// Two records were made for one.
pub const DUPLICATE: &str = "two records were made for one source record";
/// A record made for one that we had made ourselves.
pub const COPY_OF_A_COPY: &str = "a record was made for one that was made by us";
/// A record has two counterparts.
pub const MAPPED_TWICE: &str = "a record is mapped to two";
/// A pair was written of records that do not belong together.
pub const STRANGERS: &str = "a record is paired with one that points elsewhere";
/// Something was known and then not known any more.
pub const FORGOTTEN: &str = "an answer that had reached us was forgotten";
/// Something was made for a record that was known to be gone.
pub const MADE_FOR_GONE: &str = "a counterpart was put to use for a record that was known to be gone";

/// A protocol in a scenario: what is checked.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// What the workers do.
    pub protocol: &'a Protocol,
    /// What happens to them.
    pub scenario: &'a Scenario,
}

impl Model for World<'_> {
    type State = Packed;
    type Event = Event;

    fn start(&self) -> Packed {
        let scenario = self.scenario;
        let mut state = State {
            budget: Budget {
                kills: scenario.kills,
                losses: scenario.losses,
                unsent: scenario.unsent,
                refusals: scenario.refusals,
                pauses: u8::from(scenario.pause != Pause::Never),
                thefts: u8::from(scenario.theft && !self.protocol.has(SafetyStep::OwnerLock)),
                copies: u8::from(scenario.copy),
                deletions: u8::from(scenario.deletion),
                restores: u8::from(scenario.restore != Restore::Never),
            },
            ..State::default()
        };
        let born = Record { is: true, visible: true, ..Record::default() };
        *state.record_mut(CRM, 0) = born;
        if scenario.people_on_both {
            *state.record_mut(ERP, 0) = born;
        } else if scenario.stranger {
            *state.record_mut(ERP, 0) = Record { inverse: STRANGER, ..born };
        }
        state.pack()
    }

    fn next(&self, packed: &Packed, out: &mut Vec<(Event, Packed)>) {
        let state = State::unpack(packed);
        let mut found = Vec::with_capacity(16);
        self.workers(&state, &mut found);
        self.network(&state, &mut found);
        self.people(&state, &mut found);
        self.mishaps(&state, &mut found);
        if let Some(ticked) = self.tick(&state) {
            found.push((told("a while passes"), ticked));
        }
        out.extend(found.into_iter().map(|(event, state)| (event, state.sorted().pack())));
    }

    fn wrong(&self, packed: &Packed) -> Option<&'static str> {
        let state = State::unpack(packed);
        match state.sin {
            Sin::None => {}
            Sin::Forgotten => return Some(FORGOTTEN),
            Sin::MadeForGone => return Some(MADE_FOR_GONE),
        }
        made_twice(&state).or_else(|| mapped_wrongly(&state))
    }

    fn is_finished(&self, packed: &Packed) -> bool {
        self.is_done(&State::unpack(packed))
    }
}

impl World<'_> {
    fn workers(&self, state: &State, out: &mut Vec<(Event, State)>) {
        let mut turn = Turn { protocol: self.protocol, scenario: self.scenario, state, out };
        for index in 0..usize::from(self.scenario.workers) {
            if state.workers[index].doing != Doing::Nothing {
                turn.work(index);
                continue;
            }
            for (system, slot) in places() {
                if !self.is_in_order(state, system, slot) && !self.is_in_hand(state, system, slot) {
                    turn.start(index, system, slot);
                }
            }
        }
    }

    /// Whether another worker has the lane.
    fn is_in_hand(&self, state: &State, system: u8, slot: u8) -> bool {
        let has = |worker: &Worker| {
            worker.doing != Doing::Nothing && !worker.ousted && (worker.system, worker.slot) == (system, slot)
        };
        self.scenario.lanes && self.protocol.has(SafetyStep::Lane) && state.workers.iter().any(has)
    }

    fn network(&self, state: &State, out: &mut Vec<(Event, State)>) {
        let signed = self.protocol.has(SafetyStep::InverseIdInCreateBody);
        for (index, packet) in state.packets.iter().enumerate().filter(|(_, packet)| packet.is) {
            let mut landed = *state;
            landed.packets[index] = Packet::default();
            let (answer, other) = landed.land(self.scenario, packet, signed);
            if packet.owner != 0 {
                let owner = &mut landed.workers[usize::from(packet.owner) - 1];
                owner.answer = answer;
                owner.other = other + 1;
            }
            let text = match answer {
                Answer::Made => "the create of {R} lands, and {O} stands for it",
                _ => "the create of {R} lands, and {O} is in its way",
            };
            out.push((Event { worker: None, text, system: packet.system, slot: packet.slot, other }, landed));
            if packet.owner == 0 {
                let mut dropped = *state;
                dropped.packets[index] = Packet::default();
                let text = "the late create of {R} is dropped on its way";
                out.push((Event { worker: None, text, system: packet.system, slot: packet.slot, other: 0 }, dropped));
            }
        }
        for (system, slot) in places() {
            let record = state.record(system, slot);
            if record.lives() && !record.visible {
                let mut shown = *state;
                shown.record_mut(system, slot).visible = true;
                out.push((Event { worker: None, text: "the search shows {R}", system, slot, other: 0 }, shown));
            }
        }
    }

    fn people(&self, state: &State, out: &mut Vec<(Event, State)>) {
        if state.budget.deletions > 0 && state.record(CRM, 0).lives() {
            let mut deleted = *state;
            deleted.budget.deletions -= 1;
            deleted.record_mut(CRM, 0).deleted = true;
            out.push((told("a person deletes {R}"), deleted));
        }
        let free = (0..SLOTS as u8).find(|slot| !state.record(ERP, *slot).is);
        if let Some(free) = free.filter(|_| state.budget.copies > 0) {
            for slot in 0..SLOTS as u8 {
                let record = *state.record(ERP, slot);
                if record.lives() && record.made_for != 0 {
                    let mut copied = *state;
                    copied.budget.copies -= 1;
                    let visible = !self.scenario.slow_index;
                    *copied.record_mut(ERP, free) =
                        Record { is: true, inverse: record.inverse, visible, ..Record::default() };
                    let text = "a person copies {R}, inverse id and all";
                    out.push((Event { worker: None, text, system: ERP, slot, other: 0 }, copied));
                }
            }
        }
    }

    fn mishaps(&self, state: &State, out: &mut Vec<(Event, State)>) {
        let at_work = state.workers.iter().any(|worker| worker.doing != Doing::Nothing);
        if state.budget.kills > 0 && at_work {
            let mut killed = *state;
            killed.budget.kills -= 1;
            self.stop(&mut killed);
            killed.recover();
            out.push((told("everything is killed and started again"), killed));
        }
        let may_steal = state.workers.iter().any(|worker| worker.doing != Doing::Nothing && !worker.ousted);
        if state.budget.thefts > 0 && may_steal {
            let mut stolen = *state;
            stolen.budget.thefts -= 1;
            for worker in stolen.workers.iter_mut().filter(|worker| worker.doing != Doing::Nothing) {
                worker.ousted = true;
            }
            stolen.recover();
            out.push((told("another process takes the database from one that sleeps"), stolen));
        }
        let may_restore = match self.scenario.restore {
            Restore::Never => false,
            Restore::Noticed | Restore::Unnoticed => {
                state.pairs != [0; SLOTS] || state.operations.iter().flatten().any(|open| open.incarnation != 0)
            }
            Restore::UnnoticedWhenDone => self.is_done(state),
        };
        if state.budget.restores > 0 && may_restore {
            let mut restored = *state;
            restored.budget.restores -= 1;
            self.stop(&mut restored);
            let empty = State::default();
            restored.operations = empty.operations;
            restored.pairs = empty.pairs;
            restored.inactive = empty.inactive;
            restored.cases = empty.cases;
            let noticed = self.scenario.restore == Restore::Noticed;
            restored.epoch = noticed && self.protocol.has(SafetyStep::Epoch);
            let text = if noticed {
                "an old, empty backup is put in place of the database, which can be noticed"
            } else {
                "an old, empty backup is put in place of the database, and nobody notices"
            };
            out.push((told(text), restored));
        }
    }

    /// Memory is lost. What was on its way either has landed before, or is late, or never lands.
    fn stop(&self, state: &mut State) {
        state.workers = Default::default();
        for packet in state.packets.iter_mut().filter(|packet| packet.is) {
            if self.scenario.late {
                packet.owner = 0;
            } else {
                *packet = Packet::default();
            }
        }
    }

    /// One tick: a deadline, a request's life, an index lag. None, while something must happen before.
    fn tick(&self, state: &State) -> Option<State> {
        if !state.may_tick() {
            return None;
        }
        let mut next = *state;
        if self.scenario.prompt && state.workers.iter().any(|worker| worker.doing == Doing::SendAgain) {
            return None;
        }
        for worker in &mut next.workers {
            if worker.doing == Doing::Send && !worker.stale {
                // Only who is put to sleep lets time pass between an intent and its request.
                if self.scenario.pause != Pause::BeforeTheClock || next.budget.pauses == 0 {
                    return None;
                }
                next.budget.pauses -= 1;
                worker.stale = true;
            }
        }
        next.tick_outside();
        for operation in next.operations.iter_mut().flatten().filter(|operation| operation.incarnation != 0) {
            operation.young = false;
            operation.wait = operation.wait.saturating_sub(1);
            if self.scenario.class == Class::B {
                operation.key_age = (operation.key_age + 1).min(KEY_TTL);
            }
        }
        (next != *state).then_some(next)
    }

    /// Whether nothing has to be done about a record any more.
    fn is_in_order(&self, state: &State, system: u8, slot: u8) -> bool {
        let record = state.record(system, slot);
        let is_news = record.is && (system == CRM || self.scenario.both) && record.inverse != STRANGER;
        if !is_news || state.has_case(system, slot) {
            return true;
        }
        let operation = state.operation(system, slot);
        match state.pair_of(system, slot) {
            Some((_, true)) if record.deleted => false,
            Some((_, true)) => record.inverse != 0 || !self.protocol.has(SafetyStep::SignedSource),
            Some((_, false)) => true,
            None if record.deleted => {
                let is_open = operation.incarnation != 0 && operation.stand != Stand::Failed;
                !is_open || operation.gone
            }
            // It names a record that is gone, and nothing is open about that one: it stays alone.
            None if record.inverse != 0 => {
                let named = record.inverse - 1;
                let of_named = state.operation(1 - system, named);
                let is_open = of_named.incarnation != 0 && of_named.stand != Stand::Failed;
                state.record(1 - system, named).deleted && !is_open
            }
            None => false,
        }
    }

    fn is_done(&self, state: &State) -> bool {
        state.workers.iter().all(|worker| worker.doing == Doing::Nothing)
            && state.packets.iter().all(|packet| !packet.is)
            && places().all(|(system, slot)| self.is_in_order(state, system, slot))
    }
}

/// Whether something was made that should not have been.
fn made_twice(state: &State) -> Option<&'static str> {
    for (system, records) in state.records.iter().enumerate() {
        let sources = &state.records[1 - system];
        for (slot, record) in records.iter().enumerate().filter(|(_, record)| record.lives() && record.made_for != 0) {
            if sources[usize::from(record.made_for) - 1].made_for != 0 {
                return Some(COPY_OF_A_COPY);
            }
            if records[..slot].iter().any(|other| other.lives() && other.made_for == record.made_for) {
                return Some(DUPLICATE);
            }
        }
    }
    None
}

/// Whether something is paired that should not be.
fn mapped_wrongly(state: &State) -> Option<&'static str> {
    for contact in 0..SLOTS {
        let row = state.pairs[contact] | state.inactive[contact];
        if row.count_ones() > 1 {
            return Some(MAPPED_TWICE);
        }
        if row == 0 {
            continue;
        }
        let customer = row.trailing_zeros() as usize;
        if (0..contact).any(|other| (state.pairs[other] | state.inactive[other]) & row != 0) {
            return Some(MAPPED_TWICE);
        }
        let (left, right) = (&state.records[0][contact], &state.records[1][customer]);
        let names = |record: &Record, other: usize| record.inverse == 0 || usize::from(record.inverse) == other + 1;
        let belongs = left.inverse != 0
            || right.inverse != 0
            || usize::from(left.made_for) == customer + 1
            || usize::from(right.made_for) == contact + 1;
        if !names(left, customer) || !names(right, contact) || !belongs {
            return Some(STRANGERS);
        }
    }
    None
}

fn places() -> impl Iterator<Item = (u8, u8)> {
    [CRM, ERP].into_iter().flat_map(|system| (0..SLOTS as u8).map(move |slot| (system, slot)))
}

/// Something that is nobody's doing, about the first record of the CRM.
fn told(text: &'static str) -> Event {
    Event { worker: None, text, system: CRM, slot: 0, other: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(plant: impl FnOnce(&mut State)) -> Option<&'static str> {
        let world = World { protocol: &Protocol::OURS, scenario: &Scenario::CALM };
        let mut state = State::unpack(&world.start());
        plant(&mut state);
        world.wrong(&state.pack())
    }

    /// A record in the ERP that was made for the first of the CRM.
    fn made() -> Record {
        Record { is: true, made_for: 1, inverse: 1, ..Record::default() }
    }

    #[test]
    fn the_start_and_one_pair_are_sound() {
        assert_eq!(wrong(|_| {}), None);
        let pair = |state: &mut State| {
            state.records[1][0] = made();
            state.pairs[0] = 1;
        };
        assert_eq!(wrong(pair), None);
    }

    #[test]
    fn a_planted_second_record_is_seen() {
        assert_eq!(wrong(|state| state.records[1] = [made(), Record::default(), made()]), Some(DUPLICATE));
    }

    #[test]
    fn a_planted_second_record_that_a_person_has_made_is_theirs() {
        let copy = Record { made_for: 0, ..made() };
        assert_eq!(wrong(|state| state.records[1] = [made(), copy, Record::default()]), None);
    }

    #[test]
    fn a_planted_counterpart_of_a_counterpart_is_seen() {
        let plant = |state: &mut State| {
            state.records[1][0] = made();
            state.records[0][1] = made();
        };
        assert_eq!(wrong(plant), Some(COPY_OF_A_COPY));
    }

    #[test]
    fn a_planted_second_counterpart_is_seen_from_either_side_and_when_one_is_inactive() {
        assert_eq!(wrong(|state| state.pairs[0] = 3), Some(MAPPED_TWICE));
        let twice = |state: &mut State| {
            state.records[1][0] = made();
            state.pairs[0] = 1;
            state.inactive[1] = 1;
        };
        assert_eq!(wrong(twice), Some(MAPPED_TWICE));
    }

    #[test]
    fn a_planted_pair_with_a_stranger_is_seen() {
        let plant = |state: &mut State| {
            state.records[1][0] = Record { inverse: STRANGER, made_for: 0, ..made() };
            state.pairs[0] = 1;
        };
        assert_eq!(wrong(plant), Some(STRANGERS));
    }

    #[test]
    fn a_planted_pair_that_nothing_speaks_for_is_seen() {
        let plant = |state: &mut State| {
            state.records[1][0] = Record { inverse: 0, made_for: 0, ..made() };
            state.pairs[0] = 1;
        };
        assert_eq!(wrong(plant), Some(STRANGERS));
    }

    #[test]
    fn a_planted_sin_is_seen() {
        assert_eq!(wrong(|state| state.sin = Sin::Forgotten), Some(FORGOTTEN));
        assert_eq!(wrong(|state| state.sin = Sin::MadeForGone), Some(MADE_FOR_GONE));
    }

    #[test]
    fn the_end_is_not_taken_for_one_while_anything_is_open() {
        let world = World { protocol: &Protocol::OURS, scenario: &Scenario::CALM };
        let mut state = State::unpack(&world.start());
        assert!(!world.is_finished(&state.pack()), "the source has no counterpart yet");

        state.records[1][0] = made();
        state.records[0][0].inverse = 1;
        state.pairs[0] = 1;
        assert!(world.is_finished(&state.pack()));

        state.packets[0].is = true;
        assert!(!world.is_finished(&state.pack()), "a request is on its way");
        state.packets[0].is = false;
        state.workers[1].doing = Doing::Sign;
        assert!(!world.is_finished(&state.pack()), "a worker is at work");
    }
}
