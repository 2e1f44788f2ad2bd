//! Ownership: who may edit what, by the sync contract the program runs with.

use crate::judge::meaning::{Meaning, Side};

/// Who may edit one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// People of this side; what is typed on the other one is put right again.
    Owned(Side),
    /// Everybody: the last edit wins, and after simultaneous ones either value, on both sides the same.
    Shared,
    /// It is not carried over, or not in a way that can be judged: nobody types it, and nobody looks at it.
    Apart,
}

/// Who may edit each meaning. The default is the table of the reference systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership([Rule; Meaning::ALL.len()]);

impl Default for Ownership {
    fn default() -> Self {
        Self::of(|meaning| match meaning {
            Meaning::Email | Meaning::Name => Rule::Owned(Side::Crm),
            Meaning::Phone => Rule::Shared,
            Meaning::BillingEmail | Meaning::VatId | Meaning::CreditLimit | Meaning::DunningState => {
                Rule::Owned(Side::Erp)
            }
        })
    }
}

impl Ownership {
    /// The rule of each meaning.
    pub fn of(rule: impl Fn(Meaning) -> Rule) -> Self {
        Self(Meaning::ALL.map(rule))
    }

    /// The rule of a meaning.
    pub fn rule(&self, meaning: Meaning) -> Rule {
        self.0[meaning as usize]
    }

    /// The side that owns it; nobody owns what is shared.
    pub(crate) fn owner(&self, meaning: Meaning) -> Option<Side> {
        match self.rule(meaning) {
            Rule::Owned(side) => Some(side),
            Rule::Shared | Rule::Apart => None,
        }
    }

    /// What is typed and looked at.
    pub(crate) fn judged(&self) -> impl Iterator<Item = Meaning> {
        Meaning::ALL.into_iter().filter(|meaning| self.rule(*meaning) != Rule::Apart)
    }

    /// What a side owns.
    pub(crate) fn owned(&self, side: Side) -> Vec<Meaning> {
        Meaning::ALL.into_iter().filter(|meaning| self.owner(*meaning) == Some(side)).collect()
    }

    /// What both sides may edit.
    pub(crate) fn shared(&self) -> Vec<Meaning> {
        Meaning::ALL.into_iter().filter(|meaning| self.rule(*meaning) == Rule::Shared).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meaning_has_the_rule_it_was_given() {
        let ownership = Ownership::of(|meaning| match meaning {
            Meaning::DunningState => Rule::Apart,
            Meaning::VatId => Rule::Shared,
            Meaning::Phone => Rule::Owned(Side::Erp),
            _ => Rule::Owned(Side::Crm),
        });

        assert_eq!(ownership.rule(Meaning::DunningState), Rule::Apart);
        assert_eq!(ownership.shared(), [Meaning::VatId]);
        assert_eq!(ownership.owned(Side::Erp), [Meaning::Phone]);
        assert_eq!(ownership.judged().count(), Meaning::ALL.len() - 1);
    }
}
