//! `settings`: what the topology says to this use.

use crate::bindings::pairline::node::settings::Host;
use crate::instances::Call;

impl Host for Call {
    fn get(&mut self) -> String {
        self.granted.settings.clone()
    }

    fn contract(&mut self) -> String {
        self.granted.contract.clone()
    }
}
