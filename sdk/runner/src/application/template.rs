//! Texts with places to be filled: `/records/{id}`.

use serde_json::{Map, Value};

/// What may stand in braces, and what stands for it. One without a value has nothing to say in this call.
pub(crate) type Values<'a> = [(&'a str, &'a str)];

/// Most paths are shorter, in bytes.
const USUAL_PATH: usize = 64;

/// A text with places to be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

/// Among the known places: the value of any field, as in `{field email}`.
pub(crate) const ANY_FIELD: &str = "field NAME";

fn field_of(place: &str) -> Option<&str> {
    place.strip_prefix("field ").filter(|name| !name.is_empty())
}

/// A piece of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What stands outside of braces.
    Text(String),
    /// The name in braces.
    Place(String),
}

/// Takes a text with places apart.
///
/// # Errors
///
/// One line when a brace is not closed.
pub(crate) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(format!("expected a `}}` for the `{{` in `{text}`"));
        };
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Place(name.to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

impl Template {
    /// Reads it as it is written; `known` are the names that may stand in braces.
    ///
    /// # Errors
    ///
    /// One line that names the places there are.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let parts = parts(text)?;
        for part in &parts {
            if let Part::Place(name) = part
                && !known.contains(&name.as_str())
                && !(known.contains(&ANY_FIELD) && field_of(name).is_some())
            {
                let known: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
                return Err(format!("no place `{{{name}}}` here; known places: {}", known.join(", ")));
            }
        }
        Ok(Self(parts))
    }

    /// Reads one that was found wrong already, as far as it can be read, so that nothing more is said of it.
    pub(crate) fn mistaken(text: &str) -> Self {
        Self(parts(text).unwrap_or_default())
    }

    /// The fields whose values stand in it.
    pub(crate) fn fields(&self) -> Vec<String> {
        let names = self.0.iter().filter_map(|part| match part {
            Part::Place(name) => field_of(name),
            Part::Text(_) => None,
        });
        names.map(str::to_owned).collect()
    }

    /// Whether it has this place.
    pub(crate) fn has(&self, place: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Place(name) if name == place))
    }

    /// Fills it. Nothing when one of its places has no value.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Option<String> {
        let mut out = String::new();
        self.fill_into(&mut out, values, false)?;
        Some(out)
    }

    /// Fills it as the path of a URL. Nothing when one of its places has no value.
    pub(crate) fn fill_path(&self, values: &Values<'_>) -> Option<String> {
        let mut path = String::with_capacity(USUAL_PATH);
        self.fill_escaped(&mut path, values)?;
        Some(path)
    }

    /// Fills it at the end of a text, with values written so that they stay one part of a URL.
    pub(crate) fn fill_escaped(&self, out: &mut String, values: &Values<'_>) -> Option<()> {
        self.fill_into(out, values, true)
    }

    /// Fills it at the end of a text as a name or a value of a query: nothing in it is taken for the query's own signs.
    pub(crate) fn fill_query(&self, out: &mut String, values: &Values<'_>) -> Option<()> {
        escape(out, &self.fill(values)?);
        Some(())
    }

    /// What the text that it became says for a place, if it could have become that text.
    pub(crate) fn matched<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut text = text;
        let mut found = None;
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Text(literal) => text = text.strip_prefix(literal.as_str())?,
                Part::Place(_) => {
                    let end = match self.0.get(index + 1) {
                        Some(Part::Text(literal)) => text.find(literal.as_str())?,
                        _ => text.len(),
                    };
                    found = Some(&text[..end]);
                    text = &text[end..];
                }
            }
        }
        text.is_empty().then_some(found?)
    }

    fn fill_into(&self, out: &mut String, values: &Values<'_>, escaped: bool) -> Option<()> {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(name) => {
                    let (_, value) = values.iter().find(|(known, _)| known == name)?;
                    if escaped { escape(out, value) } else { out.push_str(value) }
                }
            }
        }
        Some(())
    }
}

/// Writes a text so that it is one part of a path or of a query, whatever is in it.
fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            other => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(char::from(HEX[usize::from(other >> 4)]));
                out.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
    }
}

/// A JSON value with places to be filled in its texts and in its keys. A key or an item whose place has no value is left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BodyTemplate {
    /// Stays as it is.
    Value(Value),
    /// A text with places.
    Text(Template),
    /// A number that is filled in, as in `{id:number}`.
    Number(Template),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Vec<(Template, Self)>),
}

impl BodyTemplate {
    /// Reads it as it is written.
    ///
    /// # Errors
    ///
    /// As [`Template::parse`].
    pub(crate) fn parse(value: &Value, known: &[&str]) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) if text.contains('{') => match as_number(text) {
                Some(text) => Self::Number(Template::parse(&text, known)?),
                None => Self::Text(Template::parse(text, known)?),
            },
            Value::Array(items) => {
                Self::List(items.iter().map(|item| Self::parse(item, known)).collect::<Result<_, _>>()?)
            }
            Value::Object(_) if unquoted(value).is_some_and(|place| known.contains(&place)) => {
                let place = unquoted(value).unwrap_or_default();
                return Err(lacks_quotes(place));
            }
            Value::Object(map) => {
                let entry =
                    |(key, value): (&String, &Value)| Ok((Template::parse(key, known)?, Self::parse(value, known)?));
                Self::Object(map.iter().map(entry).collect::<Result<_, String>>()?)
            }
            other => Self::Value(other.clone()),
        })
    }

    /// Whether it has this place anywhere.
    pub(crate) fn has(&self, place: &str) -> bool {
        match self {
            Self::Value(_) => false,
            Self::Text(template) | Self::Number(template) => template.has(place),
            Self::List(items) => items.iter().any(|item| item.has(place)),
            Self::Object(entries) => entries.iter().any(|(key, value)| key.has(place) || value.has(place)),
        }
    }

    /// Fills it.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Option<Value> {
        Some(match self {
            Self::Value(value) => value.clone(),
            Self::Text(template) => Value::String(template.fill(values)?),
            Self::Number(template) => Value::Number(template.fill(values)?.parse().ok()?),
            Self::List(items) => Value::Array(items.iter().filter_map(|item| item.fill(values)).collect()),
            Self::Object(entries) => {
                let filled = entries.iter().filter_map(|(key, value)| Some((key.fill(values)?, value.fill(values)?)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
        })
    }
}

/// The place that somebody meant who wrote `{value}` without quotes: in YAML that is a map with one key and nothing in it.
pub(crate) fn unquoted(value: &Value) -> Option<&str> {
    let mut entries = value.as_object()?.iter();
    match (entries.next(), entries.next()) {
        (Some((place, Value::Null)), None) => Some(place),
        _ => None,
    }
}

/// What is said then.
pub(crate) fn lacks_quotes(place: &str) -> String {
    format!("expected text, found a map: a place stands in quotes, as in `\"{{{place}}}\"`")
}

/// A text that is one place, to be filled in as a number; with the place written as for a text.
fn as_number(text: &str) -> Option<String> {
    let name = text.strip_prefix('{')?.strip_suffix(":number}")?;
    (!name.contains(['{', '}'])).then(|| format!("{{{name}}}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_are_filled_and_stay_one_part_of_the_path() {
        let template = Template::parse("/customers/{id}/x", &["id"]).unwrap();
        let mut path = String::new();

        template.fill_escaped(&mut path, &[("id", "a/../b?c=d&é")]).unwrap();

        assert_eq!(path, "/customers/a%2F..%2Fb%3Fc%3Dd%26%C3%A9/x");
        assert_eq!(template.fill(&[("id", "1")]).as_deref(), Some("/customers/1/x"));
        assert_eq!(template.fill(&[]), None);
    }

    #[test]
    fn an_unknown_place_names_the_known_ones() {
        assert_eq!(
            Template::parse("/{ID}", &["id", "field"]).unwrap_err(),
            "no place `{ID}` here; known places: {id}, {field}"
        );
        assert!(Template::parse("/{id", &["id"]).unwrap_err().contains("expected a `}`"));
    }

    #[test]
    fn a_place_without_quotes_is_told_from_a_map() {
        let known = ["value"];
        assert!(BodyTemplate::parse(&json!({ "crm": { "value": null } }), &known).unwrap_err().contains("in quotes"));
        assert!(BodyTemplate::parse(&json!({ "crm": { "other": null } }), &known).is_ok());
        assert!(BodyTemplate::parse(&json!({ "crm": { "value": 1 } }), &known).is_ok());
        assert_eq!(unquoted(&json!({ "value": null, "more": null })), None);
    }

    #[test]
    fn what_was_filled_in_is_found_again() {
        let template = Template::parse("pairline/{operation}", &["operation"]).unwrap();

        assert_eq!(template.matched("pairline/0199-a"), Some("0199-a"));
        assert_eq!(template.matched("pairline"), None);
        assert_eq!(template.matched("other/0199-a"), None);
        let within = Template::parse("Existing ID: {id}.", &["id"]).unwrap();
        assert_eq!(within.matched("Existing ID: 7."), Some("7"));
        assert_eq!(within.matched("Existing ID: 7"), None);
    }

    #[test]
    fn a_key_of_a_body_is_left_out_when_there_is_nothing_to_say() {
        let body = json!({ "limit": 5, "after": "{page}", "filters": [{ "value": "{since}" }, "{page}"] });
        let body = BodyTemplate::parse(&body, &["page", "since"]).unwrap();

        assert_eq!(body.fill(&[("since", "7")]), Some(json!({ "limit": 5, "filters": [{ "value": "7" }] })));
        assert_eq!(
            body.fill(&[("since", "7"), ("page", "p")]),
            Some(json!({ "limit": 5, "after": "p", "filters": [{ "value": "7" }, "p"] }))
        );
    }
}
