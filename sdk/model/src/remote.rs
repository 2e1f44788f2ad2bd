//! The remote systems: what they do with a create, what their search shows, what they forget.

use crate::scenario::{Class, Scenario};
use crate::state::{Answer, ERP, KEY_TTL, Packet, Record, SLOTS, STRANGER, State};

/// What a search by inverse id shows.
pub(crate) struct Hits {
    pub(crate) count: usize,
    /// The last of them.
    pub(crate) slot: u8,
    /// All of them, as bits.
    pub(crate) slots: u8,
}

impl State {
    /// A create lands. Answers what the system says, and about which record.
    pub(crate) fn land(&mut self, scenario: &Scenario, packet: &Packet, signed: bool) -> (Answer, u8) {
        let target = 1 - packet.system;
        let records = &mut self.records[usize::from(target)];
        let source = packet.slot + 1;
        let place = |found: Option<usize>| found.map(|place| place as u8);
        if scenario.class == Class::B {
            let remembers = |record: &Record| {
                record.is && record.made_for == source && record.key == packet.key && record.key_left > 0
            };
            if let Some(made) = place(records.iter().position(remembers)) {
                return (Answer::Made, made);
            }
        }
        if scenario.stranger && target == ERP {
            let in_the_way = |record: &Record| record.lives() && record.inverse == STRANGER;
            if let Some(stranger) = place(records.iter().position(in_the_way)) {
                return (Answer::Exists, stranger);
            }
        }
        if scenario.class == Class::A {
            let same = |record: &Record| record.lives() && record.inverse == source;
            if let Some(existing) = place(records.iter().position(same)) {
                return (Answer::Exists, existing);
            }
        }
        let free = records.iter().position(|record| !record.is);
        let free = free.unwrap_or_else(|| panic!("`{}` needs more than {SLOTS} records", scenario.name));
        let has_key = scenario.class == Class::B;
        records[free] = Record {
            is: true,
            inverse: if signed { source } else { 0 },
            visible: !scenario.slow_index,
            made_for: source,
            key: if has_key { packet.key } else { 0 },
            key_left: if has_key { KEY_TTL } else { 0 },
            ..Record::default()
        };
        (Answer::Made, free as u8)
    }

    /// Searches a system by inverse id.
    pub(crate) fn find(&self, system: u8, inverse: u8) -> Hits {
        let mut hits = Hits { count: 0, slot: 0, slots: 0 };
        for (slot, record) in self.records[usize::from(system)].iter().enumerate() {
            if record.lives() && record.visible && record.inverse == inverse {
                hits = Hits { count: hits.count + 1, slot: slot as u8, slots: hits.slots | 1 << slot };
            }
        }
        hits
    }

    /// Whether a tick may pass: no request outlives its life.
    pub(crate) fn may_tick(&self) -> bool {
        self.packets.iter().all(|packet| !packet.is || !packet.old)
    }

    /// One tick, as the systems and the requests on their way see it.
    pub(crate) fn tick_outside(&mut self) {
        for packet in self.packets.iter_mut().filter(|packet| packet.is) {
            packet.old = true;
        }
        for record in self.records.iter_mut().flatten().filter(|record| record.is) {
            record.visible = true;
            record.key_left = record.key_left.saturating_sub(1);
            if record.key_left == 0 {
                record.key = 0;
            }
        }
    }
}
