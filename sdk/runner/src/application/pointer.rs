//! A JSON pointer, taken apart once instead of at every look.

use serde_json::{Map, Value};

/// Deeper places than this are proposed to nobody.
const DEEPEST_PROPOSED: usize = 5;

/// Where something is in a JSON value: `/properties/email`; the empty text is the value itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads it as it is written.
    ///
    /// # Errors
    ///
    /// One line that says what a pointer looks like.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("expected a JSON pointer such as `/properties/email`, found `{text}`"));
        };
        Ok(Self(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// What it points at.
    pub(crate) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, part| match value {
            Value::Object(map) => map.get(part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Takes out what it points at; the rest is not of interest any more.
    pub(crate) fn take(&self, mut value: Value) -> Option<Value> {
        for part in &self.0 {
            value = match value {
                Value::Object(mut map) => map.swap_remove(part)?,
                Value::Array(mut items) => {
                    let index = part.parse::<usize>().ok().filter(|index| *index < items.len())?;
                    items.swap_remove(index)
                }
                _ => return None,
            };
        }
        Some(value)
    }

    /// The object it points at, made on the way when it is not there. Nothing when something else is in its place.
    pub(crate) fn object<'a>(&self, value: &'a mut Value) -> Option<&'a mut Map<String, Value>> {
        let mut value = value;
        for part in &self.0 {
            value = match value {
                Value::Object(map) => map.entry(part.as_str()).or_insert_with(|| Value::Object(Map::new())),
                Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        value.as_object_mut()
    }

    /// Whether it points beyond the end of a list that is there.
    pub(crate) fn is_past_a_list(&self, value: &Value) -> bool {
        let Some((last, outer)) = self.0.split_last() else { return false };
        let index = last.parse::<usize>().ok();
        matches!((Self(outer.to_vec()).of(value), index), (Some(Value::Array(items)), Some(index)) if index >= items.len())
    }

    /// Puts something where it points, making objects on the way. Where something else is in the way nothing is done.
    pub(crate) fn put(&self, value: &mut Value, what: Value) {
        let Some((last, outer)) = self.0.split_last() else {
            *value = what;
            return;
        };
        if let Some(object) = Self(outer.to_vec()).object(value) {
            object.insert(last.clone(), what);
        }
    }

    /// Every place of a value that is worth to be pointed at, as text: what holds no object, and is not too deep.
    pub(crate) fn all_in(value: &Value, found: &mut Vec<String>) {
        below(value, String::new(), 0, found);
    }
}

fn below(value: &Value, at: String, depth: usize, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if depth < DEEPEST_PROPOSED && !map.is_empty() => {
            for (key, value) in map {
                below(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), depth + 1, found);
            }
        }
        _ => found.push(at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_points_into_objects_and_lists_and_unescapes() {
        let value = json!({ "a": [{ "b/c": 1 }], "d": null });
        let at = |text: &str| Pointer::parse(text).unwrap().of(&value).cloned();

        assert_eq!(at("/a/0/b~1c"), Some(json!(1)));
        assert_eq!(at("/d"), Some(Value::Null));
        assert_eq!(at("/a/1"), None);
        assert_eq!(at("/d/e"), None);
        assert_eq!(at(""), Some(value.clone()));
        assert!(Pointer::parse("a/b").unwrap_err().contains("JSON pointer"));
    }

    #[test]
    fn the_places_of_a_value_are_its_leaves_as_pointers() {
        let mut found = Vec::new();

        Pointer::all_in(&json!({ "a/b": { "c": 1, "~": [] }, "d": {} }), &mut found);

        found.sort();
        assert_eq!(found, ["/a~1b/c", "/a~1b/~0", "/d"]);
    }

    #[test]
    fn it_takes_out_and_makes_objects() {
        let pointer = Pointer::parse("/a/b").unwrap();
        let mut value = json!({ "x": 1 });

        pointer.object(&mut value).unwrap().insert("c".to_owned(), json!(2));

        assert_eq!(value, json!({ "x": 1, "a": { "b": { "c": 2 } } }));
        assert_eq!(pointer.take(value), Some(json!({ "c": 2 })));
        assert!(pointer.object(&mut json!({ "a": 1 })).is_none());
    }
}
