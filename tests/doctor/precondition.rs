//! Whether updates are bound to the version that was read is measured.

use super::remote::{Matches, Remote, Ways};
use super::{asked, codes, fact, found, of};
use crate::bad_input::stage::Stage;

const SHOP: &str = "applications/shop.yaml";

/// A shop whose description binds updates to a version.
fn bound(stage: &Stage, matches: Matches) -> Remote {
    Remote::connected(stage, Ways { matches, ..Ways::default() }, |text| {
        let bound = "update: { method: PATCH, precondition: { header: If-Match, value: '\"{version}\"' }, ";
        let text = text.replacen("update: { method: PATCH, ", bound, 1);
        text.replacen("  id: /id\n", "  id: /id\n  version: /v\n", 1)
    })
}

#[test]
fn updates_that_are_done_for_the_version_that_was_read_alone_are_told_so() {
    let stage = Stage::new();
    bound(&stage, Matches::Keeps);

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    assert_eq!(codes(&told), [""; 0], "{told:#}");
    assert!(fact(of(&told, "shop"), "versions").contains("for no other"), "{told:#}");
}

#[test]
fn a_precondition_that_is_ignored_or_never_holds_is_found_where_it_stands() {
    for (matches, said) in [
        (Matches::Ignores, "edits in between would be lost"),
        (Matches::Never, "none would ever be made"),
        (Matches::KeepsWith409, "would not be tried again"),
        (Matches::Stands, "two edits look the same"),
    ] {
        let stage = Stage::new();
        bound(&stage, matches);

        let (_, told) = asked(&stage, &["shop", "--probe"]);

        let finding = found(&stage, &told, "PL0721", SHOP, "update:");
        assert!(finding["message"].as_str().unwrap().contains(said), "{matches:?}: {finding:#}");
    }
}

#[test]
fn a_system_that_has_too_much_to_do_is_not_taken_for_one_that_keeps_its_word() {
    let stage = Stage::new();
    bound(&stage, Matches::Busy);

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    let said = fact(of(&told, "shop"), "versions");
    assert!(said.starts_with("not measured: ") && !said.contains("for no other"), "{said}");
}
