//! `clock`: the program's time.

use crate::bindings::pairline::node::clock::Host;
use crate::instances::Call;

impl Host for Call {
    fn now(&mut self) -> i64 {
        self.granted.ports().map_or(0, |ports| ports.clock.now().as_millis())
    }
}
