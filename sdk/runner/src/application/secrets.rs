//! What nobody may repeat: the token and the keys of one system, and the ways in which a text may hold them.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::json;
use super::template::Template;

/// A shorter one is not looked for, in bytes: it would be found in ordinary words.
const SHORTEST: usize = 6;
/// A refusal is no deeper than this, or it is not looked into.
const DEEPEST: usize = 32;
/// What stands for a secret.
pub(crate) const HIDDEN: &str = "***";

/// The secrets of one system, in small letters: a system that repeats one may do so in capitals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// These, as they are and as they stand in JSON, in a URL and in a header of old.
    pub(crate) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut ways: Vec<String> = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            let quoted = Value::String(secret.clone()).to_string();
            let mut escaped = String::new();
            let place = Template::parse("{secret}", &["secret"]).expect("the place is known");
            place.fill_escaped(&mut escaped, &[("secret", &secret)]).expect("the place has a value");
            ways.extend([STANDARD_NO_PAD.encode(&secret), URL_SAFE_NO_PAD.encode(&secret)]);
            ways.extend([escaped, quoted[1..quoted.len() - 1].to_owned(), secret]);
        }
        ways.iter_mut().for_each(|way| way.make_ascii_lowercase());
        Self::of_ways(ways)
    }

    /// These and others.
    pub(crate) fn and<'s>(&'s self, others: impl IntoIterator<Item = &'s Self>) -> Self {
        let all = others.into_iter().chain([self]).flat_map(|secrets| &secrets.0);
        Self::of_ways(all.map(|way| way.expose_secret().to_owned()).collect())
    }

    fn of_ways(mut ways: Vec<String>) -> Self {
        ways.sort();
        ways.dedup();
        // The longest first: a key may begin with another, and what is left of it would stand there.
        ways.sort_by_key(|way| std::cmp::Reverse(way.len()));
        Self(ways.into_iter().map(SecretString::from).collect())
    }

    /// Whether a text holds one.
    fn are_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.0.iter().any(|way| text.contains(way.expose_secret()))
    }

    /// Whether the body of an answer holds one, also in a text of its JSON that is spelled in another way.
    pub(crate) fn are_in_body(&self, body: &Bytes) -> bool {
        self.are_in(&String::from_utf8_lossy(body))
            || (body.contains(&b'\\') && json::parse(body, DEEPEST).is_ok_and(|read| self.are_in(&read.to_string())))
    }

    /// Takes them out of every text of a value, names among them.
    pub(crate) fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hidden_in(std::mem::take(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(map) => {
                let entries = std::mem::take(map).into_iter().map(|(name, mut value)| {
                    self.hide_in(&mut value);
                    (self.hidden_in(name), value)
                });
                *map = entries.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text without them.
    pub(crate) fn hidden_in(&self, mut text: String) -> String {
        for way in self.0.iter().map(ExposeSecret::expose_secret) {
            // Small letters of the same alphabet are as long, so that a place in one text is that in the other.
            while let Some(at) = text.to_ascii_lowercase().find(way) {
                text.replace_range(at..at + way.len(), HIDDEN);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(["key \"of\" 7/8+".to_owned(), "TOKEN_OF_CAPITALS".to_owned(), "short".to_owned(), String::new()])
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        for body in [
            "Bearer TOKEN_OF_CAPITALS is wrong",
            "token_of_capitals",
            r#"{"TOKEN_OF_CAPITALS":1}"#,
            r#"{"code":"\u0054OKEN_OF_CAPITALS"}"#,
            r#"{"code":"TOKEN\u005fOF\u005fCAPITALS"}"#,
            "VE9LRU5fT0ZfQ0FQSVRBTFM=",
            r#"{"message":"key \"of\" 7/8+"}"#,
            r#"{"message":"key \"of\" 7\/8+"}"#,
            "/hook?key=key%20%22of%22%207%2F8%2B",
            "a2V5ICJvZiIgNy84Kw",
            "{\"cut\":\"TOKEN_OF_CAPITALS",
        ] {
            assert!(secrets().are_in_body(&Bytes::copy_from_slice(body.as_bytes())), "{body}");
        }
        for body in ["", "{}", "TOKEN OF CAPITALS", "a short word", r#"{"code":"\u0041"}"#, "\\"] {
            assert!(!secrets().are_in_body(&Bytes::copy_from_slice(body.as_bytes())), "{body}");
        }
        assert!(!Secrets::default().are_in_body(&Bytes::from_static(b"anything")));
    }

    #[test]
    fn a_text_is_kept_but_for_the_secrets() {
        let hidden =
            secrets().hidden_in("é TOKEN_OF_CAPITALS, token_of_capitals and key%20%22of%22%207%2F8%2B!".to_owned());

        assert_eq!(hidden, "é ***, *** and ***!");
        let mut value = json!({ "a": [{ "TOKEN_OF_CAPITALS": "x token_of_capitals", "number": 7 }] });
        secrets().hide_in(&mut value);
        assert_eq!(value, json!({ "a": [{ "***": "x ***", "number": 7 }] }));
        assert!(!format!("{:?}", secrets()).contains("token_of"));
    }

    #[test]
    fn of_several_the_longest_is_taken_out_first() {
        let one = Secrets::new(["secret".to_owned()]);
        let others = [Secrets::new(["secret-and-more".to_owned()]), Secrets::new(["another".to_owned()])];

        let hidden = one.and(&others).hidden_in("secret-and-more, secret, another".to_owned());

        assert_eq!(hidden, "***, ***, ***");
    }
}
