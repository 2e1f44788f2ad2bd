//! A state: both remote systems, the database, the workers, and what is on its way between them.
//!
//! It is worked on unpacked and kept packed, in 48 bytes.

use crate::checker::Digest;

/// The systems: the records of the first are made into records of the second, and the other way round.
pub(crate) const CRM: u8 = 0;
/// See [`CRM`].
pub(crate) const ERP: u8 = 1;
/// Records a system has room for. A second copy is found before a fourth could be made.
pub(crate) const SLOTS: usize = 3;
/// Workers there can be.
pub(crate) const WORKERS: usize = 3;
/// Requests that can be on their way at once.
pub(crate) const PACKETS: usize = 7;
/// The inverse id of a stranger: it names a record that has nothing to do with any of these.
pub(crate) const STRANGER: u8 = 7;
/// How long a system remembers an idempotency key, in ticks.
pub(crate) const KEY_TTL: u8 = 3;

/// A record in a remote system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Whether there is or was one here.
    pub(crate) is: bool,
    /// A person has deleted it.
    pub(crate) deleted: bool,
    /// Which record of the other system it names, plus one; or a [`STRANGER`].
    pub(crate) inverse: u8,
    /// The search shows it.
    pub(crate) visible: bool,
    /// For which record of the other system we made it, plus one. The truth, which nobody in the model can see.
    pub(crate) made_for: u8,
    /// The idempotency key it was made with, and for how long it is remembered.
    pub(crate) key: u8,
    pub(crate) key_left: u8,
}

impl Record {
    pub(crate) fn lives(&self) -> bool {
        self.is && !self.deleted
    }
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stand {
    #[default]
    Pending,
    Committed,
    Failed,
    Unknown,
    NotSent,
}

/// The reservation of a record with its operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Zero: there is no reservation.
    pub(crate) incarnation: u8,
    pub(crate) stand: Stand,
    /// The record it made, plus one, once known.
    pub(crate) target: u8,
    pub(crate) attempt: u8,
    /// Whether its deadline may not have passed yet.
    pub(crate) young: bool,
    /// Ticks since the first send.
    pub(crate) key_age: u8,
    /// Ticks until a lookup counts.
    pub(crate) wait: u8,
    pub(crate) closed: bool,
    /// No attempt before the newest can still have made anything: it is the first, or a lookup lies between.
    pub(crate) clean: bool,
    /// The truth: its answer has reached us.
    pub(crate) answered: bool,
    /// The truth: we were told that the source is gone.
    pub(crate) gone: bool,
}

/// What a worker does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Doing {
    #[default]
    Nothing,
    /// Has read the record and looks into the mapping.
    Resolve,
    /// Has found nothing there and asks to adopt by the record's own inverse id.
    Claim,
    /// Reads the record that is named.
    Verify,
    /// Searches for others that name it too.
    VerifyAlone,
    /// Adopts what is verified.
    ClaimVerified,
    /// Reserves.
    Create,
    /// Looks once for what was made, before a create is sent again that the target is said to fence.
    Glance,
    /// Takes up an operation once more.
    SendAgain,
    /// Searches early, while not to find says nothing.
    LookEarly,
    /// Searches when it counts.
    LookUp,
    /// Adopts what the search has shown.
    Adopt,
    /// Has an intent and sends it.
    Send,
    /// Has looked at the clock and is about to send.
    Sending,
    /// Waits for the answer.
    Wait,
    /// Reads what a 409 has named.
    ReadNamed,
    /// Writes the pair.
    Persist,
    /// Signs the records of the pair with each other's ids.
    Sign,
}

const DOINGS: [Doing; 18] = [
    Doing::Nothing,
    Doing::Resolve,
    Doing::Claim,
    Doing::Verify,
    Doing::VerifyAlone,
    Doing::ClaimVerified,
    Doing::Create,
    Doing::Glance,
    Doing::SendAgain,
    Doing::LookEarly,
    Doing::LookUp,
    Doing::Adopt,
    Doing::Send,
    Doing::Sending,
    Doing::Wait,
    Doing::ReadNamed,
    Doing::Persist,
    Doing::Sign,
];
const STANDS: [Stand; 5] = [Stand::Pending, Stand::Committed, Stand::Failed, Stand::Unknown, Stand::NotSent];

/// What a system has answered to a create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answer {
    #[default]
    None,
    /// Made, or made before with this key.
    Made,
    /// There is one already, and this is it.
    Exists,
}

const ANSWERS: [Answer; 3] = [Answer::None, Answer::Made, Answer::Exists];

/// A worker and the record it walks with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) doing: Doing,
    pub(crate) system: u8,
    pub(crate) slot: u8,
    /// The record was there when it was read.
    pub(crate) present: bool,
    /// The inverse id it carried then; later the record of the other system that this is about, plus one.
    pub(crate) other: u8,
    pub(crate) incarnation: u8,
    pub(crate) attempt: u8,
    pub(crate) answer: Answer,
    /// Its intent is too old to be sent.
    pub(crate) stale: bool,
    /// It belongs to a process that has lost the database to another.
    pub(crate) ousted: bool,
    /// The search it goes by was one that counts.
    pub(crate) clean: bool,
}

/// A create on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) is: bool,
    /// The system and the slot of the source.
    pub(crate) system: u8,
    pub(crate) slot: u8,
    pub(crate) key: u8,
    /// The worker that waits for it, plus one.
    pub(crate) owner: u8,
    /// Its life is about to end.
    pub(crate) old: bool,
}

/// What may still happen, at most so often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) kills: u8,
    pub(crate) losses: u8,
    pub(crate) unsent: u8,
    pub(crate) refusals: u8,
    pub(crate) pauses: u8,
    pub(crate) thefts: u8,
    pub(crate) copies: u8,
    pub(crate) deletions: u8,
    pub(crate) restores: u8,
}

/// What is wrong that cannot be seen in a state alone, only in how it came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sin {
    #[default]
    None,
    /// An answer that had reached us was lost.
    Forgotten,
    /// Something was made for a record although we had been told that it is gone.
    MadeForGone,
}

const SINS: [Sin; 3] = [Sin::None, Sin::Forgotten, Sin::MadeForGone];

/// Everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) records: [[Record; SLOTS]; 2],
    pub(crate) operations: [[Operation; SLOTS]; 2],
    /// Active pairs: a row per record of the CRM, a bit per record of the ERP.
    pub(crate) pairs: [u8; SLOTS],
    /// Inactive ones.
    pub(crate) inactive: [u8; SLOTS],
    /// Records a person is asked about: a row per system, a bit per record.
    pub(crate) cases: [u8; 2],
    /// A restored backup was noticed.
    pub(crate) epoch: bool,
    pub(crate) workers: [Worker; WORKERS],
    pub(crate) packets: [Packet; PACKETS],
    pub(crate) budget: Budget,
    pub(crate) sin: Sin,
}

/// A state as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed([u64; WORDS]);

const WORDS: usize = 6;

impl Digest for Packed {
    fn digest(&self) -> u64 {
        self.0.iter().fold(0, |hash: u64, word| {
            let mixed = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            mixed ^ (mixed >> 29)
        })
    }
}

impl State {
    pub(crate) fn pack(mut self) -> Packed {
        let mut writer = Writer { words: [0; WORDS], at: 0 };
        self.walk(&mut writer);
        Packed(writer.words)
    }

    pub(crate) fn unpack(packed: &Packed) -> Self {
        let mut state = Self::default();
        state.walk(&mut Reader { words: packed.0, at: 0 });
        state
    }

    /// Every field with its width, once for both ways.
    fn walk(&mut self, to: &mut impl Cursor) {
        for record in self.records.iter_mut().flatten() {
            to.flag(&mut record.is);
            to.flag(&mut record.deleted);
            to.bits(&mut record.inverse, 3);
            to.flag(&mut record.visible);
            to.bits(&mut record.made_for, 2);
            to.bits(&mut record.key, 3);
            to.bits(&mut record.key_left, 2);
        }
        for operation in self.operations.iter_mut().flatten() {
            to.bits(&mut operation.incarnation, 3);
            to.one_of(&mut operation.stand, &STANDS, 3);
            to.bits(&mut operation.target, 2);
            to.bits(&mut operation.attempt, 4);
            to.flag(&mut operation.young);
            to.bits(&mut operation.key_age, 2);
            to.bits(&mut operation.wait, 2);
            to.flag(&mut operation.closed);
            to.flag(&mut operation.clean);
            to.flag(&mut operation.answered);
            to.flag(&mut operation.gone);
        }
        for row in self.pairs.iter_mut().chain(&mut self.inactive) {
            to.bits(row, 3);
        }
        for row in &mut self.cases {
            to.bits(row, 3);
        }
        to.flag(&mut self.epoch);
        for worker in &mut self.workers {
            to.one_of(&mut worker.doing, &DOINGS, 5);
            to.bits(&mut worker.system, 1);
            to.bits(&mut worker.slot, 2);
            to.flag(&mut worker.present);
            to.bits(&mut worker.other, 3);
            to.bits(&mut worker.incarnation, 3);
            to.bits(&mut worker.attempt, 4);
            to.one_of(&mut worker.answer, &ANSWERS, 2);
            to.flag(&mut worker.stale);
            to.flag(&mut worker.ousted);
            to.flag(&mut worker.clean);
        }
        for packet in &mut self.packets {
            to.flag(&mut packet.is);
            to.bits(&mut packet.system, 1);
            to.bits(&mut packet.slot, 2);
            to.bits(&mut packet.key, 3);
            to.bits(&mut packet.owner, 2);
            to.flag(&mut packet.old);
        }
        let budget = &mut self.budget;
        to.bits(&mut budget.kills, 2);
        to.bits(&mut budget.losses, 2);
        for once in [
            &mut budget.unsent,
            &mut budget.refusals,
            &mut budget.pauses,
            &mut budget.thefts,
            &mut budget.copies,
            &mut budget.deletions,
            &mut budget.restores,
        ] {
            to.bits(once, 1);
        }
        to.one_of(&mut self.sin, &SINS, 2);
    }

    /// The same with its requests in order: which of them was sent first makes no difference.
    pub(crate) fn sorted(mut self) -> Self {
        self.packets.sort_unstable_by_key(|packet| {
            (!packet.is, packet.system, packet.slot, packet.key, packet.owner, packet.old)
        });
        self
    }

    /// The counterpart of a record, and whether the pair is in use.
    pub(crate) fn pair_of(&self, system: u8, slot: u8) -> Option<(u8, bool)> {
        (0..SLOTS as u8).find_map(|other| {
            let (row, bit) = cell(system, slot, other);
            match (self.pairs[row] & bit != 0, self.inactive[row] & bit != 0) {
                (true, _) => Some((other, true)),
                (_, true) => Some((other, false)),
                _ => None,
            }
        })
    }

    pub(crate) fn insert_pair(&mut self, system: u8, slot: u8, other: u8, active: bool) {
        let (row, bit) = cell(system, slot, other);
        let rows = if active { &mut self.pairs } else { &mut self.inactive };
        rows[row] |= bit;
    }

    pub(crate) fn record(&self, system: u8, slot: u8) -> &Record {
        &self.records[usize::from(system)][usize::from(slot)]
    }

    pub(crate) fn record_mut(&mut self, system: u8, slot: u8) -> &mut Record {
        &mut self.records[usize::from(system)][usize::from(slot)]
    }

    pub(crate) fn operation(&self, system: u8, slot: u8) -> &Operation {
        &self.operations[usize::from(system)][usize::from(slot)]
    }

    pub(crate) fn operation_mut(&mut self, system: u8, slot: u8) -> &mut Operation {
        &mut self.operations[usize::from(system)][usize::from(slot)]
    }

    pub(crate) fn open_case(&mut self, system: u8, slot: u8) {
        self.cases[usize::from(system)] |= 1 << slot;
    }

    pub(crate) fn has_case(&self, system: u8, slot: u8) -> bool {
        self.cases[usize::from(system)] & (1 << slot) != 0
    }
}

/// Where a pair stands, seen from either side.
pub(crate) fn cell(system: u8, slot: u8, other: u8) -> (usize, u8) {
    if system == CRM { (usize::from(slot), 1 << other) } else { (usize::from(other), 1 << slot) }
}

/// What packs or unpacks.
trait Cursor {
    fn bits(&mut self, value: &mut u8, width: u32);

    fn flag(&mut self, value: &mut bool) {
        let mut bit = u8::from(*value);
        self.bits(&mut bit, 1);
        *value = bit != 0;
    }

    fn one_of<T: Copy + PartialEq>(&mut self, value: &mut T, all: &[T], width: u32) {
        let mut place = all.iter().position(|one| one == value).map_or(0, |place| place as u8);
        self.bits(&mut place, width);
        *value = all[usize::from(place)];
    }
}

struct Writer {
    words: [u64; WORDS],
    at: u32,
}

impl Cursor for Writer {
    fn bits(&mut self, value: &mut u8, width: u32) {
        // A value that does not fit would make two states look like one, and the checker blind.
        assert!(u32::from(*value) < 1 << width, "{value} does not fit into {width} bits");
        let (word, shift) = ((self.at / 64) as usize, self.at % 64);
        self.words[word] |= u64::from(*value) << shift;
        if shift + width > 64 {
            self.words[word + 1] |= u64::from(*value) >> (64 - shift);
        }
        self.at += width;
    }
}

struct Reader {
    words: [u64; WORDS],
    at: u32,
}

impl Cursor for Reader {
    fn bits(&mut self, value: &mut u8, width: u32) {
        let (word, shift) = ((self.at / 64) as usize, self.at % 64);
        let mut bits = self.words[word] >> shift;
        if shift + width > 64 {
            bits |= self.words[word + 1] << (64 - shift);
        }
        *value = (bits & ((1 << width) - 1)) as u8;
        self.at += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets every bit of every field in turn.
    struct Planter {
        left: u32,
        planted: bool,
    }

    impl Cursor for Planter {
        fn bits(&mut self, value: &mut u8, width: u32) {
            if !self.planted && self.left < width {
                *value = 1 << self.left;
                self.planted = true;
            }
            self.left = self.left.saturating_sub(width);
        }
    }

    #[test]
    fn what_is_packed_comes_back_bit_by_bit() {
        let mut states = vec![State::default()];
        for bit in 0_u32.. {
            let mut state = State::default();
            let mut planter = Planter { left: bit, planted: false };
            // Some bits of an enumeration stand for nothing.
            let planted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| state.walk(&mut planter)));
            if planted.is_ok() && !planter.planted {
                break;
            }
            if planted.is_ok() {
                states.push(state);
            }
        }

        assert!(states.len() > 300, "only {} bits were tried", states.len());
        for (index, state) in states.iter().enumerate() {
            assert_eq!(State::unpack(&state.pack()), *state);
            assert!(states[..index].iter().all(|other| other.pack() != state.pack()));
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_value_that_does_not_fit_is_not_cut() {
        let mut state = State::default();
        state.budget.kills = 4;
        state.pack();
    }
}
