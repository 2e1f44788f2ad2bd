//! Sync contracts from text: what is wrong with one, each thing at its place.

use pairline_sdk::{ContractDocument, SyncContract};

use crate::finding::{Finding, code};
use crate::yaml::Tree;

/// A sync contract's text, and the contract when nothing is wrong with it.
#[derive(Clone, Debug)]
pub struct ContractText {
    /// Its name, also when the rest of it is wrong.
    pub name: String,
    /// The contract.
    pub contract: Option<SyncContract>,
    /// Its text.
    pub tree: Tree,
}

impl ContractText {
    /// Reads a sync contract. Nothing only when the text is not YAML.
    pub fn parse(file: &str, text: &str) -> (Option<Self>, Vec<Finding>) {
        let (tree, mut findings) = Tree::parse(file, text);
        let Some(tree) = tree else { return (None, findings) };
        let (document, unread) = tree.read::<ContractDocument>();
        findings.extend(unread.iter().cloned());
        let broken = !findings.is_empty();
        let mut contract = None;
        match document.as_ref().map(SyncContract::check) {
            Some(Ok(checked)) => contract = (!broken).then_some(checked),
            Some(Err(problems)) => {
                // What is written and could not be read is not missing; it has been said what is wrong with it.
                let is_written = |key: &Vec<String>| was_set_aside(&tree, key, &unread);
                for problem in problems.into_iter().filter(|it| !it.for_want_of.as_ref().is_some_and(is_written)) {
                    let path: Vec<&str> = problem.path.iter().map(String::as_str).collect();
                    findings.push(tree.error(code::CONTRACT, &path, problem.message).help(problem.help));
                }
            }
            None => {}
        }
        let name = tree.text(&["contract"]).unwrap_or_default().to_owned();
        (Some(Self { name, contract, tree }), findings)
    }
}

/// Whether what the reader could not make anything of is the value of this key, or an item of it.
fn was_set_aside(tree: &Tree, key: &[String], unread: &[Finding]) -> bool {
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    let is_about = |path: &[&str]| unread.iter().any(|finding| finding.place == tree.place(path));
    let items = (0..tree.items(&key)).map(|item| item.to_string());
    tree.has(&key) && (is_about(&key) || items.into_iter().any(|item| is_about(&[key.as_slice(), &[&item]].concat())))
}

/// Reads a sync contract.
pub fn parse(file: &str, text: &str) -> (Option<SyncContract>, Vec<Finding>) {
    let (read, findings) = ContractText::parse(file, text);
    (read.and_then(|read| read.contract), findings)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_value_that_cannot_be_read_is_not_missed_as_well() {
        let contract = |field: &str| format!("contract: c\nsystems: [crm, erp]\nfields:\n  f: {{ {field} }}\n");
        let one = "in: { crm: a, erp: b }";
        let two = "in: { crm: [a, c], erp: b }";
        for field in [
            format!("owner: shared, policy: latest, {one}"),
            format!("owner: shared, policy: [newest], {one}"),
            format!("owner: crm, transform: [join-wrods], {two}"),
            format!("owner: crm, transform: [trim, join-wrods], {two}"),
            format!("owner: crm, transform: join-words, {two}"),
            format!("owner: shared, policy: set-union, type: sett, {one}"),
            format!("owner: crm, type: sett, as: {{ erp: list }}, {one}"),
            "owner: crm, in: { crm: a, erp: { b: c } }".to_owned(),
        ] {
            let (_, findings) = parse("c.yaml", &contract(&field));

            assert_eq!(findings.len(), 1, "{field}: {findings:?}");
            assert!(!findings[0].message.contains("nothing says"), "{field}: {findings:?}");
        }
    }

    #[test]
    fn what_is_missing_is_missed_beside_a_value_that_cannot_be_read() {
        let text = "contract: c\nsystems: [crm, erp]\nfields:\n  f: { owner: shared, violation: no, transform: [trim], \
                    in: { crm: [a, c], erp: b } }\n";

        let (_, findings) = parse("c.yaml", text);

        let said: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[1].contains("how they join") && said[2].contains("who wins"), "{said:?}");
    }
}
