//! What does not fit when a tree is read as a type.

use std::fmt;

use serde::de;

use super::{Node, Tree};
use crate::finding::{Finding, Place, code, suggest};

/// What does not fit, and the id of the value or key.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) at: Option<usize>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Other(String),
    WrongKind { expected: String, found: Option<String> },
    UnknownKey { key: String, known: &'static [&'static str] },
    UnknownWord { word: String, known: &'static [&'static str] },
    MissingKey(&'static str),
}

impl Misfit {
    pub(super) fn new(what: What) -> Self {
        Self { at: None, what }
    }

    /// The innermost value that could not be read is the one to blame.
    pub(super) fn at(mut self, node: &Node) -> Self {
        if self.at.is_none() {
            self.at = Some(node.id);
            if let What::WrongKind { found, .. } = &mut self.what {
                *found = Some(node.kind());
            }
        }
        self
    }

    pub(super) fn finding(self, tree: &Tree, place: Place) -> Finding {
        let message = self.to_string();
        let finding = |code| Finding::error(code, &tree.source, place, message.clone());
        match self.what {
            What::UnknownKey { key, known } => {
                finding(code::UNKNOWN_KEY).help(suggest(&key, known.iter().copied(), "keys"))
            }
            What::UnknownWord { word, known } => {
                finding(code::WRONG_VALUE).help(suggest(&word, known.iter().copied(), "values"))
            }
            What::MissingKey(_) => finding(code::MISSING_KEY),
            What::Other(_) | What::WrongKind { .. } => finding(code::WRONG_VALUE),
        }
    }
}

/// What serde says it expects, in the words of someone who writes YAML.
fn plainly(expected: &str) -> String {
    match expected {
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        other if other.starts_with("struct ") => "a map",
        other => other,
    }
    .to_owned()
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Other(message) => f.write_str(message),
            What::WrongKind { expected, found: Some(found) } => write!(f, "expected {expected}, found {found}"),
            What::WrongKind { expected, found: None } => write!(f, "expected {expected}"),
            What::UnknownKey { key, .. } => write!(f, "no key `{key}` here"),
            What::UnknownWord { word, .. } => write!(f, "`{word}` is not one of the values this key takes"),
            What::MissingKey(key) => write!(f, "key `{key}` is missing"),
        }
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Other(message.to_string()))
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(What::WrongKind { expected: plainly(&expected.to_string()), found: None })
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(What::WrongKind { expected: plainly(&expected.to_string()), found: None })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownKey { key: key.to_owned(), known })
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownWord { word: word.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(What::MissingKey(key))
    }
}
