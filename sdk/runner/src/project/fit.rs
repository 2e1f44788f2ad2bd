//! Whether a sync contract fits the systems it is about, as far as their descriptions tell.

use std::collections::BTreeMap;

use pairline_sdk::{CapabilityClass, SyncContract, System};

use crate::application::Description;
use crate::contract::ContractText;
use crate::finding::{Finding, code, suggest};
use crate::yaml::Tree;

/// A description and its text.
pub(super) struct Described {
    pub(super) description: Description,
    pub(super) tree: Tree,
}

/// What a contract counts on and a description does not give.
pub(super) fn misfits(
    text: &ContractText,
    contract: &SyncContract,
    described: &BTreeMap<String, Described>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, system) in contract.systems().iter().enumerate() {
        let Some(described) = described.get(system.as_str()) else { continue };
        let fit = Fit { text, contract, system, described };
        found.extend(fit.listing(index));
        found.extend(fit.inverse());
        found.extend(fit.fields());
    }
    found
}

struct Fit<'a> {
    text: &'a ContractText,
    contract: &'a SyncContract,
    system: &'a System,
    described: &'a Described,
}

impl Fit<'_> {
    fn listing(&self, index: usize) -> Option<Finding> {
        let Self { system, described, .. } = self;
        let message = format!("`{system}` cannot be asked what has changed, so that nothing would ever start");
        let help = "describe `operations.changed`; where nothing can be asked for, it may list everything".to_owned();
        let at = ["systems", &index.to_string()];
        let is_missing = !described.description.lists_changes();
        // Whoever is still at it may ask the doctor meanwhile.
        is_missing.then(|| self.finding(code::NOT_LISTED, &at, message, help, &["operations"]).only_a_warning())
    }

    fn inverse(&self) -> Option<Finding> {
        let Self { system, described, .. } = self;
        let field = self.contract.inverse_field(system)?;
        let at = ["inverse", system.as_str()];
        if described.description.leaves_out(field) {
            return Some(self.unread(&at, field));
        }
        // A system of this class is asked for the id before a create is sent again; any other has another way.
        let by_search = described.description.profile.class == CapabilityClass::C;
        let known = described.description.cannot_find_by(field).filter(|_| by_search)?;
        let message = format!(
            "`{field}` of `{system}` cannot be looked for: of a create whose answer is lost nobody would know whether it was made"
        );
        let help = suggest(field, known.iter().map(String::as_str), "fields that can be looked for");
        Some(self.finding(code::NOT_FOUND_BY, &at, message, help, &["operations", "find", "fields"]))
    }

    /// Fields that would look as if they never had a value.
    fn fields(&self) -> Vec<Finding> {
        let names = self.contract.fields().iter().map(|field| (field.name(), field.names(self.contract, self.system)));
        let left_out = names.filter_map(|(name, names)| {
            let unread = names.iter().find(|name| self.described.description.leaves_out(name))?;
            Some(self.unread(&["fields", name], unread))
        });
        left_out.collect()
    }

    fn unread(&self, at: &[&str], field: &str) -> Finding {
        let message = format!("`{field}` of `{}` is never read: its description leaves it out", self.system);
        let help = "take it out of `record.leave_out`, or keep something else in step".to_owned();
        self.finding(code::LEFT_OUT, at, message, help, &["record", "leave_out"])
    }

    fn finding(&self, code: &'static str, at: &[&str], message: String, help: String, also: &[&str]) -> Finding {
        let tree = &self.described.tree;
        let finding = self.text.tree.error(code, at, message).help(help);
        finding.related(&tree.source().file, tree.place(also), "the description says so here")
    }
}
