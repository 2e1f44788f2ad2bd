//! Casting: which of a project's applications is played by which system, and that none of them is a real one.

use std::collections::BTreeMap;

use pairline_sdk::{SyncContract, System};

use crate::application::{Description, Environment};
use crate::composition::PlayedSystem;
use crate::project::Project;

/// A project that can be played.
#[derive(Debug)]
pub(super) struct Casting {
    pub(super) contract: SyncContract,
    /// In the order of the systems that are played.
    pub(super) applications: [System; 2],
}

impl Casting {
    /// Finds the application that each system plays.
    ///
    /// # Errors
    ///
    /// Everything that keeps it from being played, one thing a line, and what could be.
    pub(super) fn of(project: &Project, played: &[PlayedSystem; 2]) -> Result<Self, String> {
        let mut problems = Vec::new();
        let mut applications = [None, None];
        for (name, source) in &project.applications {
            match player(name, &source.file, &source.text, played) {
                Err(more) => problems.extend(more),
                Ok(place) => match applications[place].replace(name.clone()) {
                    None => {}
                    Some(first) => {
                        problems
                            .push(format!("`{first}` and `{name}` are both called at ${{{}}}", played[place].address));
                    }
                },
            }
        }
        if problems.is_empty() {
            for (system, _) in played.iter().zip(&applications).filter(|(_, application)| application.is_none()) {
                problems.push(format!("no application is called at ${{{}}}", system.address));
            }
        }
        let contract = the_contract(project).map_err(|problem| problems.push(problem)).ok();
        match (applications, contract) {
            ([Some(one), Some(other)], Some(contract)) if problems.is_empty() => {
                Ok(Self { contract: contract.clone(), applications: [System::new(&one), System::new(&other)] })
            }
            _ => Err(refused(&problems, played)),
        }
    }
}

/// The place of the system that plays an application.
fn player(name: &str, file: &str, text: &str, played: &[PlayedSystem; 2]) -> Result<usize, Vec<String>> {
    let variables: BTreeMap<String, String> = played.iter().flat_map(|system| system.variables.clone()).collect();
    let (description, findings) = Description::parse(file, text, &Environment::of_map(variables));
    let errors: Vec<String> = findings.iter().filter(|finding| finding.is_error()).map(ToString::to_string).collect();
    let Some(description) = description.filter(|_| errors.is_empty()) else { return Err(errors) };
    let value = |system: &PlayedSystem, variable: &str| system.variables.get(variable).cloned().unwrap_or_default();
    // Anything else would be called for real.
    let place = played.iter().position(|system| description.base_url() == value(system, system.address));
    let Some(place) = place else {
        return Err(vec![format!("{file}: `{name}` is called at {}", description.base_url())]);
    };
    let system = &played[place];
    if !description.sends(&value(system, system.token)) {
        return Err(vec![format!("{file}: the token of `{name}` is not that of ${{{}}}", system.token)]);
    }
    if description.is_signed_with(&value(system, system.secret)) == Some(false) {
        return Err(vec![format!("{file}: the webhooks of `{name}` are not signed with ${{{}}}", system.secret)]);
    }
    Ok(place)
}

/// The one contract that the topologies go by.
fn the_contract(project: &Project) -> Result<&SyncContract, String> {
    let mut names: Vec<&str> = project.topologies.iter().map(|topology| topology.contract.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [name] => project.contracts.get(*name).ok_or_else(|| format!("no sync contract `{name}`")),
        names => Err(format!("the topologies go by {} sync contracts: {}", names.len(), names.join(", "))),
    }
}

fn refused(problems: &[String], played: &[PlayedSystem; 2]) -> String {
    let lines: String = problems.iter().map(|problem| format!("  {problem}\n")).collect();
    let systems = played.iter().map(|system| {
        let variables: Vec<&str> = system.variables.keys().map(String::as_str).collect();
        format!("  {}: {}\n", system.name, variables.join(", "))
    });
    format!(
        "chaos cannot play these systems; nothing was started\n{lines}\
         It plays one CRM and one ERP with the interfaces of the built-in descriptions, under one sync contract.\n\
         Their descriptions must get addresses, tokens and secrets from these variables, as the built-in ones do:\n{}",
        systems.collect::<String>().trim_end_matches('\n')
    )
}

#[cfg(test)]
mod tests {
    use pairline_sdk::Registry;

    use super::*;
    use crate::project::Sources;

    fn played() -> [PlayedSystem; 2] {
        let system = |name, address, token, secret| PlayedSystem {
            name,
            variables: [address, token, secret]
                .map(|variable: &str| (variable.to_owned(), format!("http://{}.invalid", variable.to_lowercase())))
                .into(),
            address,
            token,
            secret,
        };
        [
            system("crm", "CRM_BASE_URL", "CRM_TOKEN", "CRM_CLIENT_SECRET"),
            system("erp", "ERP_BASE_URL", "ERP_TOKEN", "ERP_WEBHOOK_SECRET"),
        ]
    }

    /// The built-in texts with one of them changed; topologies need nodes, which are of no matter here.
    fn cast(file: &str, from: &str, to: &str) -> Result<Casting, String> {
        let (mut sources, shipped) = (Sources::default(), Sources::built_in());
        for source in shipped.contracts.iter().chain(&shipped.applications) {
            let name = source.file.strip_prefix("topologies/").unwrap_or(&source.file);
            let mut text = source.text.to_string();
            if name == file {
                assert!(text.contains(from), "{name} has no `{from}`");
                text = text.replace(from, to);
            }
            sources.add(name, name, &text);
        }
        let mut project = Project::load(&sources, &Registry::new());
        project.topologies = vec![crate::topology::Graph {
            name: "crm-to-erp".to_owned(),
            about: String::new(),
            contract: "contact".to_owned(),
            start: crate::topology::Start { application: System::new("crm"), events: vec![], next: vec![] },
            nodes: vec![],
        }];
        Casting::of(&project, &played())
    }

    #[test]
    fn the_built_in_applications_are_played_whatever_they_are_called() {
        let names = |casting: Casting| casting.applications.map(|system| system.to_string());

        assert_eq!(names(cast("applications/crm.yaml", "deadline: 3s", "deadline: 2s").unwrap()), ["crm", "erp"]);
        assert_eq!(
            names(cast("applications/crm.yaml", "application: crm", "application: hub").unwrap()),
            ["hub", "erp"]
        );
    }

    #[test]
    fn a_system_that_cannot_be_played_is_named_and_so_is_what_could_be() {
        for (from, to, told) in [
            (
                "${CRM_BASE_URL:-http://127.0.0.1:18081}",
                "https://api.example.com",
                "`crm` is called at https://api.example.com",
            ),
            ("${CRM_BASE_URL:-", "${HUB_URL:-", "`crm` is called at http://127.0.0.1:18081"),
            ("\"${CRM_TOKEN}\"", "\"${HUB_TOKEN}\"", "HUB_TOKEN is not set"),
            ("\"${CRM_TOKEN}\"", "mine", "the token of `crm` is not that of ${CRM_TOKEN}"),
            ("${CRM_CLIENT_SECRET}", "mine", "the webhooks of `crm` are not signed with ${CRM_CLIENT_SECRET}"),
            ("${CRM_BASE_URL:-", "${ERP_BASE_URL:-", "the token of `crm` is not that of ${ERP_TOKEN}"),
        ] {
            let refused = cast("applications/crm.yaml", from, to).unwrap_err();

            assert!(refused.contains(told), "{refused}");
            assert!(refused.contains("crm: CRM_BASE_URL, CRM_CLIENT_SECRET, CRM_TOKEN\n"), "{refused}");
        }
    }
}
