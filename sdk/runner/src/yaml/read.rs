//! A tree as a type, by serde; every finding at once.
//!
//! Serde ends at the first thing that does not fit. So that thing is noted, taken out of the tree, and the rest is
//! read again, until it fits or nothing is left.

use std::collections::BTreeSet;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize as _, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, Visitor,
};
use serde::forward_to_deserialize_any;

use super::misfit::{Misfit, What};
use super::{Content, Key, Node, Tree, is_null, limit};
use crate::finding::{Finding, Place};

pub(super) fn read<T: DeserializeOwned>(tree: &Tree) -> (Option<T>, Vec<Finding>) {
    let mut root = tree.root.clone();
    let mut findings = Vec::new();
    let mut taken_out = BTreeSet::new();
    while findings.len() < limit::FINDINGS {
        let error = match T::deserialize(&root) {
            Ok(value) => return (Some(value), findings),
            Err(error) => error,
        };
        let id = error.at.unwrap_or(root.id);
        // A key is missing because its value was taken out: that has been said.
        let known = matches!(&error.what, What::MissingKey(key) if taken_out.contains(&(id, key.to_string())));
        if !known {
            findings.push(error.finding(tree, place_of(&root, id).unwrap_or(root.place)));
        }
        match take_out(&mut root, id) {
            Some(entry) => taken_out.insert(entry),
            None => break,
        };
    }
    (None, findings)
}

/// Takes the entry or item out that has this id, and tells what it was: the map around it and its key.
fn take_out(node: &mut Node, id: usize) -> Option<(usize, String)> {
    let around = node.id;
    match &mut node.content {
        Content::Scalar { .. } => None,
        Content::List(items) => match items.iter().position(|item| item.id == id) {
            Some(index) => {
                items.remove(index);
                Some((around, String::new()))
            }
            None => items.iter_mut().find_map(|item| take_out(item, id)),
        },
        Content::Map(entries) => match entries.iter().position(|(key, value)| key.id == id || value.id == id) {
            Some(index) => Some((around, entries.remove(index).0.name)),
            None => entries.iter_mut().find_map(|(_, value)| take_out(value, id)),
        },
    }
}

/// Where the value or key of this id stands; a map or a list within a map is where its key is.
fn place_of(node: &Node, id: usize) -> Option<Place> {
    if node.id == id {
        return Some(node.place);
    }
    match &node.content {
        Content::Scalar { .. } => None,
        Content::List(items) => items.iter().find_map(|item| place_of(item, id)),
        Content::Map(entries) => entries.iter().find_map(|(key, value)| {
            let by_key = key.id == id || (value.id == id && !matches!(value.content, Content::Scalar { .. }));
            let empty = value.id == id && value.place.length == 0;
            if by_key || empty { Some(key.place) } else { place_of(value, id) }
        }),
    }
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let value = match &self.content {
            Content::Scalar { text, plain: true } => visit_plain(text, visitor),
            Content::Scalar { text, .. } => visitor.visit_str(text),
            Content::List(items) => visitor.visit_seq(Items(items.iter())),
            Content::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        };
        value.map_err(|misfit| misfit.at(self))
    }

    // Whoever asks for text gets the text as it was written: `1.10` is not 1.1.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.content {
            Content::Scalar { text, plain } if !(*plain && is_null(text)) => {
                visitor.visit_str(text).map_err(|misfit: Misfit| misfit.at(self))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.content {
            Content::Scalar { text, plain: true } if is_null(text) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|misfit: Misfit| misfit.at(self))
    }

    // Serde would take a list for a struct, field by field.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.content {
            Content::Map(_) => self.deserialize_any(visitor),
            _ => Err(Misfit::new(What::WrongKind { expected: "a map".to_owned(), found: None }).at(self)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self).map_err(|misfit| misfit.at(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let (id, word, value) = match &self.content {
            Content::Scalar { text, .. } => (self.id, text, None),
            Content::Map(entries) if entries.len() == 1 => (entries[0].0.id, &entries[0].0.name, Some(&entries[0].1)),
            _ => {
                let expected = "one word, or a map of one key".to_owned();
                return Err(Misfit::new(What::WrongKind { expected, found: None }).at(self));
            }
        };
        visitor.visit_enum(Variant { id, word, value }).map_err(|misfit| misfit.at(self))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map ignored_any
    }
}

/// What a scalar without quotes is. A number that would lose a digit stays text: it is an id, not an amount.
fn visit_plain<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Misfit> {
    if is_null(text) {
        return visitor.visit_unit();
    }
    match text {
        "true" | "True" | "TRUE" => return visitor.visit_bool(true),
        "false" | "False" | "FALSE" => return visitor.visit_bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if let Some(hexadecimal) = text.strip_prefix("0x")
        && let Ok(number) = u64::from_str_radix(hexadecimal, 16)
    {
        return visitor.visit_u64(number);
    }
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if !digits.starts_with(|first: char| first.is_ascii_digit()) || leading_zero {
        return visitor.visit_str(text);
    }
    if let Ok(number) = text.parse::<u64>() {
        return visitor.visit_u64(number);
    }
    if let Ok(number) = text.parse::<i64>() {
        return visitor.visit_i64(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && !digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            visitor.visit_f64(number)
        }
        _ => visitor.visit_str(text),
    }
}

/// A text as a finding shows it. `"5"` is text for its quotes alone, and that is what is wrong with it.
pub(crate) fn shown(text: &str, quoted: bool) -> String {
    let bare = Node { id: 0, place: Place::default(), content: Content::Scalar { text: text.to_owned(), plain: true } };
    let would_be_text = serde_json::Value::deserialize(&bare).is_ok_and(|value| value.is_string());
    match quoted && !text.is_empty() && !would_be_text {
        true => format!("`{text}` in quotes, which is text"),
        false => format!("`{text}`"),
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.0.next().map(|item| seed.deserialize(item).map_err(|misfit| misfit.at(item))).transpose()
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let name: StrDeserializer<'_, Misfit> = key.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|misfit| Misfit { at: misfit.at.or(Some(key.id)), ..misfit })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        let value = self.value.take().ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(value).map_err(|misfit| misfit.at(value))
    }
}

struct Variant<'a> {
    id: usize,
    word: &'a str,
    value: Option<&'a Node>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Misfit> {
        let word: StrDeserializer<'_, Misfit> = self.word.into_deserializer();
        let id = self.id;
        seed.deserialize(word)
            .map(|variant| (variant, self))
            .map_err(|misfit| Misfit { at: misfit.at.or(Some(id)), ..misfit })
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.value {
            None => Ok(()),
            Some(value) => Err(Misfit::new(What::Other(format!("`{}` takes no value", self.word))).at(value)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        let word = self.word;
        let value = self.value.ok_or_else(|| Misfit::new(What::Other(format!("`{word}` takes a value"))))?;
        seed.deserialize(value).map_err(|misfit| misfit.at(value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.struct_variant(&[], visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        let word = self.word;
        let value = self.value.ok_or_else(|| Misfit::new(What::Other(format!("`{word}` takes a value"))))?;
        value.deserialize_any(visitor)
    }
}
