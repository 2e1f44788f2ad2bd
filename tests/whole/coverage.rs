//! Coverage: how often each kind of thing has happened, so that nobody believes in a test that tests nothing.

use std::collections::BTreeMap;
use std::fmt;

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

    /// Those of these names that never happened.
    pub(super) fn missing<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names.iter().copied().filter(|name| self.0.get(*name).is_none_or(|count| *count == 0)).collect()
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
