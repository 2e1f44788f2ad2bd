//! What a component says about itself.

use pairline_sdk::{Effect, NodeDescription, PlatformKind, Route, RouteDefault, Setting, SettingKind};
use serde::Deserialize;
use serde_json::Value;

/// A description is no longer than this, in bytes.
const LONGEST: usize = 64 << 10;
/// It has no more routes, or settings, than this.
const MOST: usize = 100;

/// A description as it is written: what a native node must say, with what goes without saying left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    about: String,
    #[serde(default = "custom")]
    platform_kind: PlatformKind,
    #[serde(default)]
    effects: Vec<Effect>,
    #[serde(default)]
    routes: Vec<WrittenRoute>,
    #[serde(default)]
    settings: Vec<WrittenSetting>,
    #[serde(default)]
    at_the_door: bool,
    #[serde(default)]
    schema: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRoute {
    name: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    default: Option<RouteDefault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSetting {
    name: String,
    #[serde(default)]
    about: String,
    #[serde(default = "text")]
    kind: SettingKind,
    #[serde(default)]
    required: bool,
}

fn custom() -> PlatformKind {
    PlatformKind::Custom
}

fn text() -> SettingKind {
    SettingKind::Text
}

/// A component's description cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DescriptionError(pub(crate) String);

/// Reads what a component answers to `describe`: the description, and the JSON Schema of its settings if it brings one.
///
/// # Errors
///
/// [`DescriptionError`] says what is wrong with it.
pub fn parse(text: &str) -> Result<(NodeDescription, Option<Value>), DescriptionError> {
    let wrong = |message: String| DescriptionError(message);
    if text.len() > LONGEST {
        return Err(wrong(format!("expected at most {LONGEST} bytes, found {}", text.len())));
    }
    let written: Written = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let is_name = |name: &str| {
        !name.is_empty() && name.len() <= 100 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let names = written.routes.iter().map(|route| &route.name).chain(written.settings.iter().map(|it| &it.name));
    for name in names.chain([&written.kind]) {
        if !is_name(name) {
            return Err(wrong(format!("expected a name of letters, digits, `-`, `_` and `.`, found `{name}`")));
        }
    }
    if written.routes.len() > MOST || written.settings.len() > MOST {
        return Err(wrong(format!("expected at most {MOST} routes and settings")));
    }
    twice(written.routes.iter().map(|route| &route.name)).map_err(wrong)?;
    twice(written.settings.iter().map(|setting| &setting.name)).map_err(wrong)?;
    let routes = written.routes.into_iter().map(|route| {
        let WrittenRoute { name, about, default } = route;
        Route { name, about, default }
    });
    let settings = written.settings.into_iter().map(|setting| {
        let WrittenSetting { name, about, kind, required } = setting;
        Setting { name, about, kind, required }
    });
    let description = NodeDescription {
        kind: written.kind,
        about: written.about,
        platform_kind: written.platform_kind,
        effects: written.effects,
        routes: routes.collect(),
        settings: settings.collect(),
        at_the_door: written.at_the_door,
    };
    Ok((description, written.schema))
}

fn twice<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("`{name}` is there twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_without_saying_may_be_left_out() {
        let (description, schema) =
            parse(r#"{"kind":"score","about":"Scores.","routes":[{"name":"hot"}],"settings":[{"name":"field"}]}"#)
                .unwrap();

        assert_eq!(description.platform_kind, PlatformKind::Custom);
        assert_eq!(description.routes, [Route { name: "hot".into(), about: String::new(), default: None }]);
        assert_eq!((description.settings[0].kind, description.settings[0].required), (SettingKind::Text, false));
        assert_eq!(schema, None);
    }

    #[test]
    fn a_native_description_reads_as_it_is_written() {
        let native = NodeDescription::new("score", "Scores.", PlatformKind::Connector)
            .effect(Effect::Reads)
            .at_the_door()
            .route_or("hot", "It is.", RouteDefault::End)
            .setting("field", "Which.", SettingKind::Field);

        assert_eq!(parse(&serde_json::to_string(&native).unwrap()), Ok((native, None)));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (text, part) in [
            ("", "EOF"),
            (r#"{"kind":"score"}"#, "`about`"),
            (r#"{"kind":"","about":""}"#, "expected a name"),
            (r#"{"kind":"a b","about":""}"#, "`a b`"),
            (r#"{"kind":"a","about":"","routes":[{"name":"x"},{"name":"x"}]}"#, "`x` is there twice"),
            (r#"{"kind":"a","about":"","rutes":[]}"#, "`rutes`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }
}
