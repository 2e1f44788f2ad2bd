//! `random`: the program's chance.

use crate::bindings::pairline::node::random::Host;
use crate::instances::Call;

impl Host for Call {
    fn bits(&mut self) -> u64 {
        self.granted.ports().map_or(0, |ports| ports.random.bits())
    }
}
