//! Where a description keeps secrets, and what they are.

use secrecy::SecretString;

use crate::application::Environment;
use crate::yaml::Tree;

/// Where there is one, if there is anything.
const PATHS: [&[&str]; 8] = [
    &["auth", "bearer"],
    &["auth", "basic", "password"],
    &["auth", "header", "value"],
    &["auth", "hmac", "secret"],
    &["auth", "oauth2", "client_secret"],
    &["auth", "oauth2", "refresh_token"],
    &["webhook", "signature", "secret"],
    &["webhook", "signature", "secret_before"],
];

/// What is posted to open a session holds secrets and whatever else the system asks for.
const SIGN_IN: [&str; 3] = ["auth", "session", "body"];

/// A secret as a description has it.
pub(crate) struct WrittenSecret {
    /// Its key in the description.
    pub(crate) path: Vec<String>,
    /// What it is with the variables filled in.
    pub(crate) value: SecretString,
    /// Whether the name of its key or of its variable says that it is one: the name of a user is none.
    pub(crate) is_named: bool,
}

/// The secrets of a description. One whose variable is missing is told of by whoever needs it.
pub(crate) fn written_secrets(tree: &Tree, environment: &Environment) -> Vec<WrittenSecret> {
    let mut places: Vec<(Vec<String>, bool)> = PATHS.iter().map(|path| (owned(path), true)).collect();
    variables_below(tree, owned(&SIGN_IN), &mut places);
    let written = places.into_iter().filter_map(|(path, is_named)| {
        let value = environment.expand(tree.text(&borrowed(&path))?).ok().filter(|value| !value.is_empty())?;
        Some(WrittenSecret { path, value: value.into(), is_named })
    });
    written.collect()
}

/// The texts that hold what the environment tells.
fn variables_below(tree: &Tree, path: Vec<String>, found: &mut Vec<(Vec<String>, bool)>) {
    let steps = borrowed(&path);
    if let Some(text) = tree.text(&steps) {
        let names = format!("{} {text}", steps.last().copied().unwrap_or_default()).to_lowercase();
        let is_named = ["pass", "secret", "token", "key"].iter().any(|word| names.contains(word));
        if text.contains("${") {
            found.push((path, is_named));
        }
        return;
    }
    let below = tree.keys(&steps).into_iter().map(str::to_owned);
    let items = (0..tree.items(&steps)).map(|index| index.to_string());
    for step in below.chain(items).collect::<Vec<_>>() {
        variables_below(tree, [path.as_slice(), &[step]].concat(), found);
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|&step| step.to_owned()).collect()
}

fn borrowed(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::application::SCHEMA;

    fn tree(text: &str) -> Tree {
        Tree::parse("a.yaml", text).0.unwrap()
    }

    #[test]
    fn what_signs_in_is_secret_as_far_as_it_comes_from_the_environment() {
        let text = "auth: { session: { body: [en, \"${LOGIN}\", { password: \"${PHRASE}\" }], path: \"${LOGIN}\" } }";
        let environment = Environment::of([("LOGIN", "sync"), ("PHRASE", "hush-hush")]);

        let found = written_secrets(&tree(text), &environment);

        let found: Vec<_> =
            found.iter().map(|one| (one.path.join("."), one.value.expose_secret(), one.is_named)).collect();
        assert_eq!(
            found,
            [
                ("auth.session.body.1".to_owned(), "sync", false),
                ("auth.session.body.2.password".to_owned(), "hush-hush", true)
            ]
        );
    }

    #[test]
    fn no_key_that_is_a_secret_by_its_name_is_forgotten() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let mut kept: Vec<&str> = PATHS.iter().map(|path| *path.last().unwrap()).collect();
        // How a secret is written, and where a token is got or found, is none itself.
        kept.extend(["secret_prefix", "secret_encoding", "token_url", "idempotency_key", "key"]);
        for one in schema["$defs"].as_object().unwrap().values() {
            for name in one["properties"].as_object().into_iter().flat_map(|properties| properties.keys()) {
                let is_secret = ["pass", "secret", "token", "key", "bearer"].iter().any(|word| name.contains(word));
                assert!(!is_secret || kept.contains(&name.as_str()), "`{name}` is a secret that nobody hides");
            }
        }
    }
}
