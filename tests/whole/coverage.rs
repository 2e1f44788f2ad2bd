//! Coverage: how often each kind of thing has happened, so that nobody believes in a test that tests nothing.

use std::collections::BTreeMap;
use std::fmt;

use super::play::Kind;

/// What happens in every weather, by kind.
const ALWAYS: &[(&str, &str)] = &[
    ("deed", "enter in the crm, enter in the erp, edit, edit by a tool, edit of the other's field"),
    ("deed", "edit on both sides at once, delete, merge, clone, twin, not possible"),
    ("call", "crm GET contact answered 200, crm GET contact answered 404, erp GET customer answered 404"),
    ("call", "crm POST contacts answered 201, crm POST contacts answered 409, erp POST customers answered 201"),
    ("call", "crm PATCH contact answered 404, erp PATCH customer answered 404"),
    ("node", "echo-filter: own, echo-filter: foreign, echo-filter: waits"),
    ("node", "fetch: present, fetch: gone"),
    ("node", "resolve: found, resolve: missing, resolve: inactive, resolve: conflict"),
    ("node", "update: done, update: gone, update: waits"),
    ("node", "create: created, create: ends, persist: persisted"),
    ("node", "inverse-id-writer: done, inverse-id-writer: gone, deactivate: ends"),
];

/// What happens besides in a storm.
const STORMY: &[(&str, &str)] = &[
    ("trouble", "crash, slow answers, system down, search down, clock set back"),
    ("crash", "before begin, before echo, before look, before look_many, before reserve, before settle"),
    ("crash", "before persist, between two steps"),
    (
        "mishap",
        "crm error_429, crm error_500, crm applied_then_hung, crm applied_late, crm reset_before, crm reset_after",
    ),
    (
        "mishap",
        "erp error_429, erp error_500, erp applied_then_hung, erp applied_late, erp reset_before, erp reset_after",
    ),
    ("mishap", "crm truncated_json, crm html_200, crm created_without_id"),
    ("mishap", "erp truncated_json, erp html_200, erp created_without_id"),
    ("mishap", "crm delivery_dropped, crm delivery_doubled, crm delivery_reordered, crm delivery_delayed"),
    ("mishap", "erp delivery_dropped, erp delivery_doubled, erp delivery_reordered, erp delivery_delayed"),
    ("call", "crm POST contacts answered 0, crm POST contacts answered 504, crm POST search answered 500"),
    ("node", "fetch: tries again, fetch: waits, update: tries again"),
    ("node", "create: mapped, create: tries again, create: waits"),
    ("node", "inverse-id-writer: tries again, inverse-id-writer: waits"),
];

/// What happens besides while somebody sets the clock.
const SKEWED: &[(&str, &str)] = &[("trouble", "clock set ahead, clock set back")];

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    /// Adds counts of one kind.
    pub(super) fn add(&mut self, kind: &str, counts: impl IntoIterator<Item = (impl fmt::Display, u64)>) {
        for (name, count) in counts {
            *self.0.entry(format!("{kind}: {name}")).or_default() += count;
        }
    }

    /// Adds what another run has seen.
    pub(super) fn join(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name.clone()).or_default() += count;
        }
    }

    /// What has to happen in many plays of a kind and did not.
    pub(super) fn missing(&self, kind: Kind) -> Vec<String> {
        let stormy = if kind == Kind::Stormy { STORMY } else { &[] };
        let skewed = if kind == Kind::Skewed { SKEWED } else { &[] };
        let wanted = ALWAYS
            .iter()
            .chain(stormy)
            .chain(skewed)
            .flat_map(|(of, names)| names.split(", ").map(move |name| format!("{of}: {name}")));
        wanted.filter(|name| self.0.get(name).is_none_or(|count| *count == 0)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(f, "{count:>10}  {name}")?;
        }
        Ok(())
    }
}
