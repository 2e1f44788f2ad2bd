//! Which interface a grant opens, and what a component imports.

use pairline_sdk::Need;

/// The package of the contract.
const PACKAGE: &str = "pairline:node/";

/// What an import means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Import {
    /// Every component gets it.
    Free,
    /// It is granted.
    Granted(Need),
    /// No component gets it.
    Unknown,
}

/// What an imported interface means, by its full name: `pairline:node/pairs@0.1.0`.
pub(crate) fn import(name: &str) -> Import {
    let Some((interface, version)) = name.strip_prefix(PACKAGE).and_then(|name| name.split_once('@')) else {
        return Import::Unknown;
    };
    if !is_offered(version) {
        return Import::Unknown;
    }
    match interface {
        "types" | "log" | "clock" | "random" | "settings" => Import::Free,
        "secrets" => Import::Granted(Need::Secrets),
        "pairs" => Import::Granted(Need::ReadPairs),
        "ledger" => Import::Granted(Need::WritePairs),
        "applications" => Import::Granted(Need::Applications),
        "writes" => Import::Granted(Need::Writes),
        "http" => Import::Granted(Need::Http),
        _ => Import::Unknown,
    }
}

/// Whether a component that was built against this version runs here: any patch of 0.1.
pub(crate) fn is_offered(version: &str) -> bool {
    version.split('.').take(2).eq(["0", "1"])
}

/// The version of the contract that an export names: `pairline:node/action@0.1.0`.
pub(crate) fn action_version(name: &str) -> Option<&str> {
    name.strip_prefix(PACKAGE)?.strip_prefix("action@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_patch_is_the_same_contract_and_a_newer_minor_is_another() {
        assert_eq!(import("pairline:node/log@0.1.0"), Import::Free);
        assert_eq!(import("pairline:node/pairs@0.1.7"), Import::Granted(Need::ReadPairs));
        for unknown in ["pairline:node/pairs@0.2.0", "pairline:node/moon@0.1.0", "wasi:cli/environment@0.2.9", "log"] {
            assert_eq!(import(unknown), Import::Unknown, "{unknown}");
        }
    }
}
