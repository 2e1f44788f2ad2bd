//! `secrets`: by name, and by no name that is not granted.

use crate::bindings::pairline::node::secrets::Host;
use crate::bindings::pairline::node::types::Failure;
use crate::failure::refused;
use crate::instances::Call;

impl Host for Call {
    fn get(&mut self, name: String) -> Result<String, Failure> {
        if !self.granted.grants.secrets.contains(&name) {
            return Err(refused(format!("the secret `{name}` is not granted: add it to `grants.secrets`")));
        }
        let secret = self.granted.ports()?.secrets.secret(&name);
        let secret = secret.ok_or_else(|| refused(format!("the secret `{name}` has no value here")))?;
        self.granted.hand_out(&secret);
        Ok(secret)
    }
}
