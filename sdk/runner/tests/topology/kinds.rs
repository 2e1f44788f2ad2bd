//! Node kinds to lint with: described like the shipped ones, and one that takes every kind of setting.

use pairline_runner::project::Sources;
use pairline_sdk::{Effect, NodeDescription, PlatformKind, Registry, RouteDefault, SettingKind};

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    for description in kinds() {
        registry.register(description, |_, _| Err("only described".to_owned()));
    }
    registry
}

fn kinds() -> Vec<NodeDescription> {
    let kind = |name: &str| NodeDescription::new(name, "", PlatformKind::Custom);
    let sides = |kind: NodeDescription| {
        kind.setting("source", "One of the two systems.", SettingKind::Source).setting(
            "target",
            "The other one.",
            SettingKind::Target,
        )
    };
    let near = |kind: NodeDescription| kind.setting("application", "Whose records.", SettingKind::Source);
    let far = |kind: NodeDescription| kind.setting("application", "Whose records.", SettingKind::Target);
    vec![
        near(kind("echo-filter").effect(Effect::Reads).route_or("own", "", RouteDefault::End).route("foreign", "")),
        near(kind("fetch").effect(Effect::Reads).route("present", "").route("gone", "")),
        sides(
            kind("resolve")
                .effect(Effect::Reads)
                .effect(Effect::Persists)
                .route("found", "")
                .route("missing", "")
                .route_or("inactive", "", RouteDefault::End)
                .route_or("pending", "", RouteDefault::Repeat)
                .route_or("conflict", "", RouteDefault::End),
        ),
        far(kind("update").effect(Effect::Writes).route_or("done", "", RouteDefault::End).route("gone", "")),
        far(kind("create").effect(Effect::Creates).route("created", "").route_or("mapped", "", RouteDefault::Repeat)),
        sides(kind("persist").effect(Effect::Persists).route("persisted", "").route_or(
            "conflict",
            "",
            RouteDefault::End,
        )),
        near(
            kind("inverse-id-writer").effect(Effect::Writes).route_or("done", "", RouteDefault::End).route("gone", ""),
        )
        .setting("field", "The field that keeps it.", SettingKind::InverseField),
        sides(kind("deactivate").effect(Effect::Deactivates)),
        kind("publish")
            .effect(Effect::Reads)
            .setting("topic", "Where it is published.", SettingKind::Text)
            .optional_setting("beside", "An application, whichever.", SettingKind::Application)
            .optional_setting("field", "A field of the contract.", SettingKind::Field)
            .optional_setting("copies", "How many.", SettingKind::Number)
            .optional_setting("urgent", "Whether it is.", SettingKind::Flag),
    ]
}

/// A project of the shipped sync contract, the two applications it is about and a third, and nothing else.
pub(crate) fn surroundings() -> Sources {
    let mut sources = Sources { origin: "tests".to_owned(), ..Sources::default() };
    let crm = include_str!("../../../../topologies/applications/crm.yaml");
    let erp = include_str!("../../../../topologies/applications/erp.yaml");
    sources.add("applications/crm.yaml", "crm.yaml", crm);
    sources.add("applications/erp.yaml", "erp.yaml", erp);
    sources.add("applications/shop.yaml", "shop.yaml", &crm.replace("application: crm", "application: shop"));
    sources.add(
        "contracts/contact.yaml",
        "contact.yaml",
        include_str!("../../../../topologies/contracts/contact.yaml"),
    );
    sources
}
