//! The secrets of all descriptions together: how good they are, and that none of them is ever said.

use pairline_sdk::System;
use secrecy::{ExposeSecret, SecretString};

use super::code;
use super::patient::Patient;
use crate::application::Environment;
use crate::application::secrets::HIDDEN;
use crate::finding::{Place, SourceText};
use crate::yaml::Tree;

/// Fewer characters than this are guessed one day.
const SHORTEST: usize = 16;
/// A shorter text stands in too many words to be taken out of what is said.
const SHORTEST_HIDDEN: usize = 4;

/// Where descriptions keep secrets.
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

/// Every secret there is.
pub(super) struct Secrets(Vec<Secret>);

struct Secret {
    system: System,
    file: String,
    /// Its key in the description.
    path: Vec<String>,
    place: Place,
    value: SecretString,
}

impl Secret {
    fn is(&self, other: &Self) -> bool {
        self.value.expose_secret() == other.value.expose_secret()
    }

    fn key(&self) -> String {
        self.path.join(".")
    }
}

impl Secrets {
    /// The secrets of these descriptions; one that is missing is told by whoever reads the description.
    pub(super) fn of<'a>(sources: impl Iterator<Item = &'a SourceText>, environment: &Environment) -> Self {
        let mut secrets = Vec::new();
        for source in sources {
            let (Some(tree), _) = Tree::parse(&source.file, &source.text) else { continue };
            let Some(system) = tree.text(&["application"]).map(System::new) else { continue };
            let mut paths: Vec<Vec<String>> =
                PATHS.iter().map(|path| path.iter().map(|&step| step.to_owned()).collect()).collect();
            let body = ["auth", "session", "body"].map(str::to_owned).to_vec();
            in_body(&tree, body, &mut paths);
            for path in paths {
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                let text = tree.text(&steps);
                let value = text.and_then(|text| environment.expand(text).ok()).filter(|value| !value.is_empty());
                let place = tree.place(&steps);
                secrets.extend(value.map(|value| Secret {
                    system: system.clone(),
                    file: source.file.to_string(),
                    path,
                    place,
                    value: value.into(),
                }));
            }
        }
        Self(secrets)
    }

    /// A text without any of them. What a system answers may hold whatever it was sent.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            let value = secret.value.expose_secret();
            if value.len() >= SHORTEST_HIDDEN && text.contains(value) {
                text = text.replace(value, HIDDEN);
            }
        }
        text
    }

    /// Whether a patient's secrets are worth the name.
    pub(super) fn judge(&self, patient: &mut Patient<'_>) {
        let mine: Vec<(usize, &Secret)> =
            self.0.iter().enumerate().filter(|(_, secret)| secret.system == *patient.system()).collect();
        let mut poor = 0;
        for (index, secret) in &mine {
            let steps: Vec<&str> = secret.path.iter().map(String::as_str).collect();
            let length = secret.value.expose_secret().chars().count();
            if length < SHORTEST {
                poor += 1;
                let message = format!("`{}` is a secret of {length} characters", secret.key());
                let help = format!("take one of at least {SHORTEST} characters, made by chance");
                patient.warning(code::SECRET, &steps, message, help);
            }
            // Of two that are equal the later one is told, and points at the first.
            if let Some(first) = self.0[..*index].iter().find(|first| first.is(secret)) {
                poor += 1;
                let message = format!("`{}` is the same as `{}` of {}", secret.key(), first.key(), first.system);
                let help = "whoever learns one of them has the other: give each its own".to_owned();
                let also = (first.file.as_str(), first.place, "it stands here, too");
                patient.warning_related(code::SECRET, &steps, message, help, also);
            }
        }
        let said = if poor == 0 { "none is short or the same as another" } else { "see below" };
        patient.note("secrets", format!("{} set; {said}", mine.len()));
    }
}

/// The texts of a sign-in that are secrets by the name of their key or of their variable; the name of a user is none.
fn in_body(tree: &Tree, path: Vec<String>, found: &mut Vec<Vec<String>>) {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    if let Some(text) = tree.text(&steps) {
        let names = format!("{} {}", steps.last().copied().unwrap_or_default(), text).to_lowercase();
        let is_secret = ["pass", "secret", "token", "key"].iter().any(|word| names.contains(word));
        if is_secret && text.contains("${") {
            found.push(path);
        }
        return;
    }
    let below = tree.keys(&steps).into_iter().map(str::to_owned);
    let items = (0..tree.items(&steps)).map(|index| index.to_string());
    for step in below.chain(items).collect::<Vec<_>>() {
        in_body(tree, [path.as_slice(), &[step]].concat(), found);
    }
}
