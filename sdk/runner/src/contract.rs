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
        let (document, more) = tree.read::<ContractDocument>();
        let broken = !findings.is_empty() || !more.is_empty();
        findings.extend(more);
        let mut contract = None;
        match document.as_ref().map(SyncContract::check) {
            Some(Ok(checked)) => contract = (!broken).then_some(checked),
            Some(Err(problems)) => {
                for problem in problems {
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

/// Reads a sync contract.
pub fn parse(file: &str, text: &str) -> (Option<SyncContract>, Vec<Finding>) {
    let (read, findings) = ContractText::parse(file, text);
    (read.and_then(|read| read.contract), findings)
}
