//! Fit: which systems are played, and how much of a sync contract can be judged by them.

use std::collections::BTreeSet;

use pairline_fakes::judge::{Meaning, Ownership, Rule, Side};
use pairline_runner::composition::{PlayedSystem, Unjudged};
use pairline_sdk::{Field, Owner, Policy, SyncContract, System, Violation};

/// Values of each meaning that are tried out, as people type them.
const TRIED: std::ops::Range<u32> = 1..7;

/// The reference systems, by the variables of their descriptions.
pub(super) fn played() -> [PlayedSystem; 2] {
    let system = |name: &'static str, variables: &[&'static str]| PlayedSystem {
        name,
        variables: variables.iter().map(|variable| ((*variable).to_owned(), stand_in(variable))).collect(),
        address: variables[0],
        token: variables[1],
        secret: variables[2],
    };
    [
        system(
            "crm",
            &["CRM_BASE_URL", "CRM_TOKEN", "CRM_CLIENT_SECRET", "CRM_APP_ID", "CRM_WEBHOOK_URL", "SYNC_ORIGIN"],
        ),
        system("erp", &["ERP_BASE_URL", "ERP_TOKEN", "ERP_WEBHOOK_SECRET", "ERP_WEBHOOK_URL", "SYNC_ORIGIN"]),
    ]
}

/// Nobody has an address that ends so.
fn stand_in(variable: &str) -> String {
    let name = variable.to_lowercase().replace('_', "-");
    if variable.ends_with("_URL") { format!("http://{name}.invalid") } else { name }
}

/// Who may edit what, as the contract says, and what of the contract is left out.
pub(super) fn ownership(
    contract: &SyncContract,
    applications: &[System; 2],
) -> Result<(Ownership, Vec<Unjudged>), String> {
    for side in Side::BOTH {
        let (kept, expected) = (contract.inverse_field(application(applications, side)), side.inverse_field());
        if kept != Some(expected) {
            let kept = kept.map_or("nowhere".to_owned(), |kept| format!("in `{kept}`"));
            let name = contract.name();
            let system = application(applications, side);
            return Err(format!(
                "chaos cannot play the contract `{name}`: {system} keeps the other's id {kept}, and chaos looks for it \
                 in `{expected}`"
            ));
        }
    }
    let mut unjudged = Vec::new();
    let mut known = BTreeSet::new();
    let rules = Meaning::ALL.map(|meaning| {
        let name = meaning.fields(Side::Erp).join(", ");
        let field = contract.meaning_of(application(applications, Side::Crm), meaning.fields(Side::Crm)[0]);
        let rule = match field {
            None => Err("the contract does not name it".to_owned()),
            Some(field) => {
                known.insert(field.name().to_owned());
                rule(contract, applications, meaning, field)
            }
        };
        rule.unwrap_or_else(|why| {
            unjudged.push(Unjudged { field: field.map_or(name, |field| field.name().to_owned()), why });
            Rule::Apart
        })
    });
    for field in contract.fields().iter().filter(|field| !known.contains(field.name())) {
        let why = "no person of chaos types it".to_owned();
        unjudged.push(Unjudged { field: field.name().to_owned(), why });
    }
    let ownership = Ownership::of(|meaning| rules[meaning as usize]);
    if ownership.rule(Meaning::Email) == Rule::Apart {
        let why = unjudged.first().map_or("", |unjudged| unjudged.why.as_str());
        return Err(format!(
            "chaos cannot play the contract `{}`: it knows people by their e-mail, in `email` on both sides, and there {why}",
            contract.name()
        ));
    }
    Ok((ownership, unjudged))
}

/// Who may edit a meaning, if it is carried over as people of the reference systems expect it.
fn rule(contract: &SyncContract, applications: &[System; 2], meaning: Meaning, field: &Field) -> Result<Rule, String> {
    for side in Side::BOTH {
        let expected = meaning.fields(side);
        if field.names(contract, application(applications, side)) != expected {
            return Err(format!("{} does not keep it in {}", application(applications, side), expected.join(" and ")));
        }
    }
    if !TRIED.into_iter().all(|serial| is_carried_over(contract, applications, meaning, field, serial)) {
        return Err("a value does not arrive as it was typed".to_owned());
    }
    match field.owner() {
        Owner::System(_) if field.violation() != Violation::Revert => {
            Err("an edit on the wrong side is not put right".to_owned())
        }
        Owner::System(owner) => {
            let side = if owner == application(applications, Side::Crm) { Side::Crm } else { Side::Erp };
            Ok(Rule::Owned(side))
        }
        // Whoever wins, it is one of the two values, and both sides hold it.
        Owner::Shared(Policy::Newest | Policy::Prefer(_) | Policy::Max) => Ok(Rule::Shared),
        Owner::Shared(Policy::SetUnion) => Err("both edits are kept".to_owned()),
        Owner::Shared(Policy::Ask) => Err("a person decides between two edits".to_owned()),
    }
}

/// Whether what is typed on either side is read as the same value, and written as it is typed on the other.
fn is_carried_over(
    contract: &SyncContract,
    applications: &[System; 2],
    meaning: Meaning,
    field: &Field,
    serial: u32,
) -> bool {
    let value = meaning.value(1, serial);
    Side::BOTH.into_iter().all(|side| {
        let (here, there) = (application(applications, side), application(applications, side.other()));
        let read = field.canonical(contract, here, &meaning.typed(side, &value));
        let written = field.render(contract, there, &read);
        let arrives = meaning.read(side.other(), &written) == Some(value.clone());
        arrives && field.canonical(contract, there, &written) == read
    })
}

fn application(applications: &[System; 2], side: Side) -> &System {
    &applications[side as usize]
}

#[cfg(test)]
mod tests {
    use pairline_runner::project::{Project, Sources};
    use pairline_sdk::Registry;

    use super::*;

    /// The built-in contract, with one part of its text changed.
    fn contract(from: &str, to: &str) -> SyncContract {
        let mut registry = Registry::new();
        pairline_nodes::register(&mut registry);
        let (mut sources, shipped) = (Sources::default(), Sources::built_in());
        for source in shipped.contracts.iter().chain(&shipped.applications) {
            let name = source.file.strip_prefix("topologies/").unwrap_or(&source.file);
            let text = source.text.to_string();
            assert!(!name.starts_with("contracts/") || text.contains(from), "the contract has no `{from}`");
            sources.add(name, name, &text.replace(from, to));
        }
        let mut project = Project::load(&sources, &registry);
        project.contracts.remove("contact").unwrap_or_else(|| panic!("{:?}", project.findings))
    }

    fn fits(from: &str, to: &str) -> Result<(Ownership, Vec<String>), String> {
        let applications = ["crm", "erp"].map(System::new);
        let (ownership, unjudged) = ownership(&contract(from, to), &applications)?;
        Ok((ownership, unjudged.into_iter().map(|left| format!("{}: {}", left.field, left.why)).collect()))
    }

    #[test]
    fn the_built_in_contract_is_judged_whole() {
        assert_eq!(fits("contract: contact", "contract: contact"), Ok((Ownership::default(), vec![])));
    }

    #[test]
    fn who_owns_a_field_is_taken_from_the_contract() {
        let email = "owner: crm\n    in: { crm: email, erp: email }";
        let (ownership, unjudged) = fits(email, "owner: erp\n    in: { crm: email, erp: email }").unwrap();
        assert_eq!((ownership.rule(Meaning::Email), unjudged), (Rule::Owned(Side::Erp), vec![]));

        let (ownership, unjudged) = fits("policy: newest", "policy: prefer erp").unwrap();
        assert_eq!((ownership.rule(Meaning::Phone), unjudged), (Rule::Shared, vec![]));
    }

    #[test]
    fn what_cannot_be_judged_is_left_out_and_said() {
        let phone = "in: { crm: phone, erp: phone }";
        for (from, to, told) in [
            ("policy: newest", "policy: ask", "phone: a person decides between two edits"),
            (phone, "in: { crm: mobilephone, erp: phone }", "phone: the contract does not name it"),
            (phone, "in: { crm: phone, erp: mobile }", "phone: erp does not keep it in phone"),
            (
                "in: { crm: dunning_state, erp: dunning_state }",
                "in: { crm: dunning_state, erp: dunning_state }\n    transform: [uppercase]",
                "dunning_state: a value does not arrive as it was typed",
            ),
            (
                "in: { crm: vat_id, erp: vat_id }",
                "in: { crm: vat_id, erp: vat_id }\n    violation: ignore",
                "vat_id: an edit on the wrong side is not put right",
            ),
            (
                "  vat_id:\n",
                "  shoe_size:\n    owner: crm\n    in: { crm: shoe_size, erp: shoe_size }\n  vat_id:\n",
                "shoe_size: no person of chaos types it",
            ),
        ] {
            let (ownership, unjudged) = fits(from, to).unwrap();
            assert!(unjudged.contains(&told.to_owned()), "{unjudged:?}");
            assert_eq!(ownership.rule(Meaning::Email), Rule::Owned(Side::Crm));
        }
    }

    #[test]
    fn without_the_ids_or_the_e_mail_there_is_nothing_to_judge_by() {
        for (from, to, told) in [
            ("crm: erp_id", "crm: partner", "crm keeps the other's id in `partner`"),
            ("erp: email }", "erp: mail }", "there erp does not keep it in email"),
        ] {
            let refused = fits(from, to).unwrap_err();
            assert!(refused.contains(told), "{refused}");
        }
    }
}
