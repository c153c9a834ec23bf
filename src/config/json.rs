//! JSON with places: every value knows the path that leads to it, so that errors can say where they are.

use serde_json::Value;

use super::{ConfigError, Input, MAX_BYTES};
use crate::net::{Prefix, PrefixError};

/// What is wrong at a place of a file.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Wrong {
        Wrong {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Wrong {
        Wrong {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(super) fn in_file(self, file: &str) -> ConfigError {
        ConfigError {
            file: file.to_owned(),
            message: self.message,
            hint: self.hint,
        }
    }
}

/// Parses a file. The parser bounds nesting, this the size.
pub(super) fn parse(input: Input<'_>) -> Result<Value, Wrong> {
    if input.bytes.len() > MAX_BYTES {
        return Err(Wrong::new(format!(
            "expected at most {} MiB",
            MAX_BYTES >> 20
        )));
    }
    serde_json::from_slice(input.bytes)
        .map_err(|error| Wrong::new(format!("expected JSON: {error}")))
}

/// A value and the path to it.
#[derive(Clone, Debug)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    path: String,
}

impl<'v> Node<'v> {
    pub(super) fn root(value: &'v Value) -> Node<'v> {
        Node {
            value,
            path: String::new(),
        }
    }

    /// A value that stands at a path of a file, in whatever form it is there.
    pub(super) fn at(value: &'v Value, path: String) -> Node<'v> {
        Node { value, path }
    }

    /// Where it stands.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// An error at this value.
    pub(super) fn wrong(&self, message: impl AsRef<str>) -> Wrong {
        let path = if self.path.is_empty() {
            "the file"
        } else {
            &self.path
        };
        Wrong::new(format!("at `{path}`: {}", message.as_ref()))
    }

    fn expected(&self, what: &str) -> Wrong {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.wrong(format!("expected {what}, got {found}"))
    }

    /// The value of a key; null counts as not there.
    pub(super) fn get(&self, key: &str) -> Result<Option<Node<'v>>, Wrong> {
        let Value::Object(object) = self.value else {
            return Err(self.expected("an object"));
        };
        let found = object.get(key).filter(|value| !value.is_null());
        Ok(found.map(|value| Node {
            value,
            path: if self.path.is_empty() {
                key.to_owned()
            } else {
                format!("{}.{key}", self.path)
            },
        }))
    }

    /// Every key with its value, in the order of the keys.
    pub(super) fn entries(&self) -> Result<Vec<(&'v str, Node<'v>)>, Wrong> {
        let Value::Object(object) = self.value else {
            return Err(self.expected("an object"));
        };
        let mut entries = Vec::with_capacity(object.len());
        for key in object.keys() {
            if let Some(node) = self.get(key)? {
                entries.push((key.as_str(), node));
            }
        }
        Ok(entries)
    }

    fn as_text(&self) -> Result<&'v str, Wrong> {
        self.value.as_str().ok_or_else(|| self.expected("a text"))
    }

    /// A text; an empty one counts as not there, as Terraform writes it.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'v str>, Wrong> {
        let text = self.get(key)?.map(|node| node.as_text()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The same, owned.
    pub(super) fn owned(&self, key: &str) -> Result<Option<String>, Wrong> {
        Ok(self.text(key)?.map(str::to_owned))
    }

    /// A text that has to be there.
    pub(super) fn required(&self, key: &str) -> Result<&'v str, Wrong> {
        self.text(key)?
            .ok_or_else(|| self.wrong(format!("expected `{key}`, which is not there")))
    }

    /// A whole number, also where it stands as text.
    pub(super) fn number(&self, key: &str) -> Result<Option<i64>, Wrong> {
        let Some(node) = self.get(key)? else {
            return Ok(None);
        };
        let number = match node.value {
            Value::String(text) => text.parse().ok(),
            value => value.as_i64(),
        };
        number
            .map(Some)
            .ok_or_else(|| node.expected("a whole number"))
    }

    /// True or false; false where it is not there.
    pub(super) fn flag(&self, key: &str) -> Result<bool, Wrong> {
        match self.get(key)? {
            None => Ok(false),
            Some(node) => node
                .value
                .as_bool()
                .ok_or_else(|| node.expected("true or false")),
        }
    }

    /// The elements of a list without nulls; none where it is not there.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Node<'v>>, Wrong> {
        let Some(node) = self.get(key)? else {
            return Ok(Vec::new());
        };
        let Value::Array(values) = node.value else {
            return Err(node.expected("a list"));
        };
        let elements = values.iter().enumerate();
        Ok(elements
            .filter(|(_, value)| !value.is_null())
            .map(|(index, value)| Node {
                value,
                path: format!("{}[{index}]", node.path),
            })
            .collect())
    }

    /// The texts of a list; empty ones count as not there.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, Wrong> {
        let mut texts = Vec::new();
        for node in self.list(key)? {
            texts.push(node.as_text()?.to_owned());
        }
        texts.retain(|text| !text.is_empty());
        Ok(texts)
    }

    /// A prefix, or an address as the prefix of just that. AWS takes prefixes with bits behind their length and means the
    /// prefix around them.
    fn as_prefix(&self) -> Result<Prefix, Wrong> {
        let text = self.as_text()?;
        match text.parse::<Prefix>() {
            Ok(prefix) | Err(PrefixError::HostBits { meant: prefix }) => Ok(prefix),
            Err(error) => Err(self.wrong(format!("`{}` is no prefix: {error}", excerpt(text)))),
        }
    }

    /// A prefix; an empty text counts as not there.
    pub(super) fn prefix(&self, key: &str) -> Result<Option<Prefix>, Wrong> {
        if self.text(key)?.is_none() {
            return Ok(None);
        }
        self.get(key)?.map(|node| node.as_prefix()).transpose()
    }

    /// The prefixes of a list of texts.
    pub(super) fn prefixes(&self, key: &str) -> Result<Vec<Prefix>, Wrong> {
        let nodes = self.list(key)?;
        nodes.iter().map(Node::as_prefix).collect()
    }

    /// Reads what both shapes have of a rule's traffic: a protocol and two numbers.
    pub(super) fn traffic(
        &self,
        protocol: &str,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<super::Traffic, Wrong> {
        super::Traffic::read(protocol, from, to).map_err(|message| self.wrong(message))
    }
}

/// A text cut short.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
