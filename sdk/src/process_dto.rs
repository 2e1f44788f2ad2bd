//! The message that walks through a topology: headers, and a body that is parsed once, when somebody looks at it.

mod text;
mod well_formed;

use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use self::text::Text;
use crate::{NodeError, ResultCode, headers};

/// A message on its way through a topology.
///
/// The body keeps the text it came with until a node changes it, and is parsed once, when somebody looks at it. What nodes
/// hand each other stays the value it is; it becomes JSON when somebody looks at the body.
#[derive(Clone, Debug, Default)]
pub struct ProcessDto {
    headers: Map<String, Value>,
    /// The text that it came with; of a body that was changed, and not only added to, nothing.
    raw: Option<Text>,
    /// What the text says, once somebody has looked; `null` when there is no text and nobody has said anything.
    body: OnceLock<Value>,
    /// What nodes have put in since, newest last.
    parts: Vec<(String, Arc<dyn Part>)>,
    /// The body with the parts in it, once somebody has looked.
    whole: OnceLock<Value>,
    result: ResultCode,
    route: Option<String>,
    message: Option<String>,
}

/// Why a text cannot take the place of a message's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongText<'k> {
    /// It is not JSON.
    NoJson,
    /// This part is another one, and is to be kept.
    Changed(&'k str),
}

/// A value in a message that has not become JSON yet.
trait Part: Send + Sync + std::fmt::Debug {
    fn to_json(&self) -> Value;
    fn write(&self, text: &mut Vec<u8>) -> Result<(), serde_json::Error>;
    fn as_any(&self) -> &dyn Any;
}

struct Held<T>(Arc<T>);

impl<T> std::fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A part may hold a person's data, which belongs into no log.
        f.write_str(std::any::type_name::<T>())
    }
}

impl<T: Serialize + Send + Sync + 'static> Part for Held<T> {
    fn to_json(&self) -> Value {
        serde_json::to_value(&*self.0).unwrap_or(Value::Null)
    }

    fn write(&self, text: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(text, &*self.0)
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }
}

impl PartialEq for ProcessDto {
    fn eq(&self, other: &Self) -> bool {
        self.headers == other.headers
            && self.result == other.result
            && self.route == other.route
            && self.message == other.message
            && self.data() == other.data()
    }
}

impl ProcessDto {
    /// A message from a parsed body.
    pub fn new(data: Value) -> Self {
        Self { body: OnceLock::from(data), ..Self::default() }
    }

    /// A message from the text of its body. Empty text is an empty object, as on the platform.
    ///
    /// # Errors
    ///
    /// [`NodeError::StopAndFail`] when the text is not JSON.
    pub fn from_raw(raw: impl Into<String>) -> Result<Self, NodeError> {
        let mut raw = raw.into();
        if raw.trim().is_empty() {
            raw = "{}".to_owned();
        }
        well_formed::check(&raw)?;
        Ok(Self::from_well_formed(raw))
    }

    /// A message from a text that is known to be JSON, because somebody has looked already; otherwise its body is `null`.
    pub fn from_well_formed(raw: String) -> Self {
        Self { raw: Some(Text::new(raw)), ..Self::default() }
    }

    /// The body without what nodes have put in since.
    fn body(&self) -> &Value {
        // The text is well-formed, so that it can be read.
        let read = |raw: &Text| serde_json::from_str(raw.as_str()).ok();
        self.body.get_or_init(|| self.raw.as_ref().and_then(read).unwrap_or_default())
    }

    /// The body.
    pub fn data(&self) -> &Value {
        if self.parts.is_empty() {
            return self.body();
        }
        self.whole.get_or_init(|| {
            let mut whole = match self.body() {
                Value::Object(map) => map.clone(),
                _ => Map::new(),
            };
            whole.extend(self.parts.iter().map(|(key, part)| (key.clone(), part.to_json())));
            Value::Object(whole)
        })
    }

    /// The body, to be changed; the text it came with is given up.
    pub fn data_mut(&mut self) -> &mut Value {
        let body = match self.parts.is_empty() {
            true => {
                self.body();
                self.body.take().unwrap_or_default()
            }
            false => self.data().clone(),
        };
        self.parts.clear();
        (self.raw, self.whole) = (None, OnceLock::new());
        self.body = OnceLock::from(body);
        self.body.get_mut().expect("the body was put there a line ago")
    }

    /// The body as text: as it came, with what nodes have added behind it, or written anew when one has changed it.
    pub fn raw(&self) -> Cow<'_, str> {
        match &self.raw {
            Some(raw) if self.parts.is_empty() => Cow::Borrowed(raw.as_str()),
            None if self.parts.is_empty() => Cow::Owned(self.body().to_string()),
            // Nothing is built of it for the text alone.
            raw => {
                let added = raw.as_ref().and_then(|raw| self.added_to(raw));
                Cow::Owned(added.or_else(|| self.written().ok()).unwrap_or_else(|| self.data().to_string()))
            }
        }
    }

    /// The text of the body with the parts behind it; nothing, when one of them takes the place of what is there.
    fn added_to(&self, raw: &Text) -> Option<String> {
        if self.parts.iter().any(|(key, _)| raw.entry(key).is_some()) {
            return None;
        }
        let mut text = raw.open()?;
        for (index, (key, part)) in self.parts.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, key).ok()?;
            text.push(b':');
            part.write(&mut text).ok()?;
        }
        text.push(b'}');
        String::from_utf8(text).ok()
    }

    /// The body with the parts in it, as text.
    fn written(&self) -> Result<String, serde_json::Error> {
        let nothing = Map::new();
        let entries = self.body().as_object().unwrap_or(&nothing);
        let mut text = Vec::with_capacity(1024);
        let begin = |text: &mut Vec<u8>, key: &str| {
            text.push(if text.is_empty() { b'{' } else { b',' });
            serde_json::to_writer(&mut *text, key)?;
            text.push(b':');
            Ok::<_, serde_json::Error>(())
        };
        let part_of = |key: &str| self.parts.iter().find(|(name, _)| name == key).map(|(_, part)| part);
        for (key, value) in entries {
            begin(&mut text, key)?;
            match part_of(key) {
                Some(part) => part.write(&mut text)?,
                None => serde_json::to_writer(&mut text, value)?,
            }
        }
        for (key, part) in self.parts.iter().filter(|(key, _)| !entries.contains_key(key)) {
            begin(&mut text, key)?;
            part.write(&mut text)?;
        }
        text.push(b'}');
        String::from_utf8(text).map_err(|error| serde::ser::Error::custom(error.to_string()))
    }

    /// A part of the body by its top-level key, as a type; nothing when it is not there. It is shared with the message,
    /// not copied, if it was put there as such a thing.
    ///
    /// # Errors
    ///
    /// [`NodeError::StopAndFail`] when the part is there and is not such a thing.
    pub fn get<T: DeserializeOwned + 'static>(&self, key: &str) -> Result<Option<Arc<T>>, NodeError> {
        let held = self.parts.iter().rev().find(|(name, _)| name == key);
        if let Some(part) = held.and_then(|(_, part)| part.as_any().downcast_ref::<Arc<T>>()) {
            return Ok(Some(Arc::clone(part)));
        }
        let cannot = |error| NodeError::stop(format!("cannot read `{key}` of the message: {error}"));
        let part = held.map(|(_, part)| part.to_json());
        // Nobody has built the whole of it, and nobody needs to for this.
        if let (None, None, Some(raw)) = (&part, self.body.get(), &self.raw) {
            match raw.entry(key) {
                None | Some("null") => return Ok(None),
                // What cannot be read like this is read with the whole, and fails as it would there.
                Some(text) => {
                    if let Ok(part) = serde_json::from_str(text) {
                        return Ok(Some(Arc::new(part)));
                    }
                }
            }
        }
        match part.as_ref().or_else(|| self.body().get(key)) {
            None | Some(Value::Null) => Ok(None),
            Some(part) => T::deserialize(part).map(|part| Some(Arc::new(part))).map_err(cannot),
        }
    }

    /// A part of the body that must be there.
    ///
    /// # Errors
    ///
    /// [`NodeError::StopAndFail`] when the part is missing or is not such a thing.
    pub fn need<T: DeserializeOwned + 'static>(&self, key: &str) -> Result<Arc<T>, NodeError> {
        self.get(key)?.ok_or_else(|| {
            NodeError::stop(format!(
                "expected `{key}` in the message, found nothing: a node before this one puts it there"
            ))
        })
    }

    /// Puts a part into the body under a top-level key; a body that is not an object becomes one.
    #[must_use]
    pub fn with<T: Serialize + Send + Sync + 'static>(self, key: &str, part: T) -> Self {
        self.share(key, Arc::new(part))
    }

    /// The same for a part that others hold too.
    #[must_use]
    pub fn share<T: Serialize + Send + Sync + 'static>(mut self, key: &str, part: Arc<T>) -> Self {
        self.whole = OnceLock::new();
        self.parts.retain(|(name, _)| name != key);
        self.parts.push((key.to_owned(), Arc::new(Held(part))));
        self
    }

    /// The same message with another text as its body. `known` is the text that [`raw`](Self::raw) has told; what both begin
    /// with is not read again, since whoever adds to a message leaves the text before it as it is. The parts in `kept` must
    /// be what they were.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or when a part is another one that is to be kept.
    pub fn with_text<'k>(mut self, known: &str, text: String, kept: &[&'k str]) -> Result<Self, WrongText<'k>> {
        let changed = match text::added(known, &text) {
            Some(added) => {
                let added = Text::new(added);
                kept.iter().find(|key| added.entry(key).is_some()).copied()
            }
            None => {
                well_formed::check(&text).map_err(|_| WrongText::NoJson)?;
                let [known, text] = [known, &text].map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
                kept.iter().find(|key| known.get(key) != text.get(key)).copied()
            }
        };
        if let Some(key) = changed {
            return Err(WrongText::Changed(key));
        }
        self.parts.clear();
        (self.raw, self.body, self.whole) = (Some(Text::new(text)), OnceLock::new(), OnceLock::new());
        Ok(self)
    }

    /// All headers, in the order they came.
    pub fn headers(&self) -> &Map<String, Value> {
        &self.headers
    }

    /// A header that holds text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(Value::as_str)
    }

    /// Sets a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Names the process for logs and the ledger.
    pub fn correlation_id(&self) -> &str {
        self.header(headers::CORRELATION_ID).unwrap_or_default()
    }

    /// Sends the message on along one route.
    #[must_use]
    pub fn follow(mut self, route: &str) -> Self {
        self.result = ResultCode::ForwardToTargetQueue;
        self.route = Some(route.to_owned());
        self
    }

    /// Ends the message here; nothing went wrong.
    #[must_use]
    pub fn stop(mut self, message: &str) -> Self {
        self.result = ResultCode::DoNotContinue;
        self.route = None;
        self.message = Some(message.to_owned());
        self
    }

    /// How the last node ended.
    pub fn result(&self) -> ResultCode {
        self.result
    }

    /// The route the last node chose.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// The last node's line about its result.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Forgets the last node's result, before the next one runs.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.result = ResultCode::Success;
        self.route = None;
        self.message = None;
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_of_a_body_is_kept_until_a_node_changes_it() {
        let text = r#"{ "id" : "1",   "unknown":true }"#;

        let untouched = ProcessDto::from_raw(text).unwrap();
        let changed = untouched.clone().with("seen", 1);

        assert_eq!(untouched.raw(), text);
        assert_eq!(changed.data(), &json!({ "id": "1", "unknown": true, "seen": 1 }));
    }

    #[test]
    fn what_is_added_leaves_the_text_before_it_as_it_is() {
        let text = r#"{"id":12345678901234567890123, "price":1.50}"#;

        let added = ProcessDto::from_raw(text).unwrap().with("seen", 1).with("by", "me");

        assert_eq!(added.raw(), r#"{"id":12345678901234567890123, "price":1.50,"seen":1,"by":"me"}"#);
    }

    #[test]
    fn a_part_is_the_same_whether_or_not_the_whole_was_built() {
        let message = ProcessDto::from_raw(r#"{"a":{"b":1},"c":null,"a":{"b":2}}"#).unwrap();
        let built = message.clone();
        assert!(built.data().is_object());

        for message in [message, built] {
            assert_eq!(*message.need::<Value>("a").unwrap(), json!({ "b": 2 }));
            assert_eq!((message.get::<Value>("c").unwrap(), message.get::<Value>("d").unwrap()), (None, None));
            assert!(message.need::<u8>("a").unwrap_err().to_string().contains("cannot read `a`"));
        }
    }

    #[test]
    fn another_text_is_the_whole_of_the_body_and_leaves_the_headers() {
        let message = ProcessDto::from_raw(r#"{"a":1}"#).unwrap().with_header("h", "1").with("b", 2);
        let known = message.raw().into_owned();

        let put = |text: &str, kept: &[&'static str]| message.clone().with_text(&known, text.to_owned(), kept);

        let next = put(r#"{"a":1,"b":2,"c":3}"#, &["a", "b"]).unwrap();
        assert_eq!((next.data(), next.header("h")), (&json!({ "a": 1, "b": 2, "c": 3 }), Some("1")));
        assert_eq!(put(r#"{"d":1}"#, &[]).unwrap().data(), &json!({ "d": 1 }));
        for text in ["", "<html>", r#"{"a":1,"b":2,"c":}"#, r#"{"a":1,"b":2,}"#] {
            assert_eq!(put(text, &[]).unwrap_err(), WrongText::NoJson, "{text}");
        }
    }

    #[test]
    fn a_part_that_is_to_be_kept_is_neither_changed_nor_doubled_nor_dropped_nor_added() {
        let known = r#"{"a":{"b":1},"c":1}"#;
        let put = |text: &str| ProcessDto::from_raw(known).unwrap().with_text(known, text.to_owned(), &["a", "n"]);

        for text in [r#"{ "c" : 2, "a" : { "b" : 1 } }"#, r#"{"a":{"b":1},"c":1,"d":1}"#, r#"{"a":{"b":1}}"#] {
            assert!(put(text).is_ok(), "{text}");
        }
        for (text, part) in [
            (r#"{"a":{"b":2},"c":1}"#, "a"),
            (r#"{"a":{"b":1},"c":1,"a":{"b":1}}"#, "a"),
            (r#"{"a":{"b":1},"c":1,"\u0061":2}"#, "a"),
            (r#"{"c":1}"#, "a"),
            (r#"{"a":{"b":1},"c":1,"n":1}"#, "n"),
            (r#"{"a":{"b":1},"n":null}"#, "n"),
            ("[]", "a"),
        ] {
            assert_eq!(put(text).unwrap_err(), WrongText::Changed(part), "{text}");
        }
    }

    #[test]
    fn the_text_of_a_changed_body_says_what_the_body_holds() {
        let message = ProcessDto::from_raw(r#"{"a":1,"b":{"c":"ü\n"},"d":[0.1]}"#).unwrap();

        for message in [
            message.clone().with("b", 2).with("e", "\u{1}").with("e", "x"),
            message.clone().with("b", json!({ "z": 1, "y": null })),
            ProcessDto::new(json!([1])).with("a", 1),
            ProcessDto::default().with("a \"quoted\" key", true),
        ] {
            assert_eq!(message.raw(), message.data().to_string());
        }
    }

    #[test]
    fn a_body_that_is_not_json_stops() {
        assert!(matches!(ProcessDto::from_raw("<html>"), Err(NodeError::StopAndFail { .. })));
        assert_eq!(ProcessDto::from_raw("").unwrap().data(), &json!({}));
    }

    #[test]
    fn a_missing_part_says_which_one_was_expected() {
        let error = ProcessDto::default().need::<String>("record").unwrap_err();

        assert!(error.to_string().contains("`record`"), "{error}");
    }
}
