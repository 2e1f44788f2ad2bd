//! The secrets of all descriptions together: how good they are, and that none of them is ever said.

use pairline_sdk::System;
use secrecy::{ExposeSecret, SecretString};

use super::code;
use super::patient::Patient;
use crate::application::description::{WrittenSecret, written_secrets};
use crate::application::{self, Environment};
use crate::finding::{Place, SourceText};
use crate::yaml::Tree;

/// Fewer characters than this are guessed one day.
const SHORTEST: usize = 16;

/// Every secret there is.
pub(super) struct Secrets {
    /// Those that are judged.
    judged: Vec<Secret>,
    /// All of them, in every spelling.
    hidden: application::secrets::Secrets,
}

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
        let (mut judged, mut all) = (Vec::new(), Vec::new());
        for source in sources {
            let (Some(tree), _) = Tree::parse(&source.file, &source.text) else { continue };
            let Some(system) = tree.text(&["application"]).map(System::new) else { continue };
            for WrittenSecret { path, value, is_named } in written_secrets(&tree, environment) {
                all.push(value.expose_secret().to_owned());
                let place = tree.place(&path.iter().map(String::as_str).collect::<Vec<_>>());
                let (system, file) = (system.clone(), source.file.to_string());
                judged.extend(is_named.then_some(Secret { system, file, path, place, value }));
            }
        }
        Self { judged, hidden: application::secrets::Secrets::new(all) }
    }

    /// These, too, are to be hidden from now on.
    pub(super) fn learn(&mut self, more: &application::secrets::Secrets) {
        self.hidden = self.hidden.and([more]);
    }

    /// A text without any of them. What a system answers may hold whatever it was sent.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        self.hidden.hidden_in(text.to_owned())
    }

    /// Takes them out of every text of a value.
    pub(super) fn hide_in(&self, value: &mut serde_json::Value) {
        self.hidden.hide_in(value);
    }

    /// Whether a patient's secrets are worth the name.
    pub(super) fn judge(&self, patient: &mut Patient<'_>) {
        let mine: Vec<(usize, &Secret)> =
            self.judged.iter().enumerate().filter(|(_, secret)| secret.system == *patient.system()).collect();
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
            if let Some(first) = self.judged[..*index].iter().find(|first| first.is(secret)) {
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
