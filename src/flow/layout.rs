//! A layout: which field stands where in a line.

use std::fmt;

use super::Field;

/// One column of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// A field that AWS documents.
    Known(Field),
    /// A field that the program does not know, by its name as a header has it (hyphens); it goes into `extra`.
    Unknown(String),
}

/// The fields of a line, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The columns from left to right.
    pub columns: Vec<Column>,
}

/// Why a log format is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Nothing but blanks.
    #[error("expected fields such as ${{version}} ${{account-id}}, got nothing")]
    Empty,
    /// Something that is no field.
    #[error("expected a field such as ${{srcaddr}} or its bare name, got `{0}`")]
    NoField(String),
    /// A name that is nearly one of AWS's.
    #[error("unknown field `{name}`; did you mean `{meant}`?")]
    Misspelt {
        /// What stands there.
        name: String,
        /// The field with nearly that name.
        meant: &'static str,
    },
    /// A field named twice.
    #[error("expected each field once, got `{0}` twice")]
    Twice(String),
    /// More columns than any format has.
    #[error("expected at most {limit} fields, got more")]
    TooMany {
        /// The bound.
        limit: usize,
    },
}

/// Columns of the widest layout. AWS has 72 fields; an index of one byte must do in compiled layouts.
pub(crate) const MAX_COLUMNS: usize = 250;

impl Layout {
    /// The default format of VPC flow logs: the 14 fields of version 2.
    pub fn default_format() -> Layout {
        Layout {
            columns: Field::ALL[..14]
                .iter()
                .copied()
                .map(Column::Known)
                .collect(),
        }
    }

    /// Reads a log format as AWS's API and consoles write it (`${version} ${account-id} …`); bare names do, too.
    ///
    /// # Errors
    /// When it is empty, holds something else than fields, or names one twice. A name that AWS does not document is
    /// taken for a newer field, unless it looks misspelt.
    pub fn parse_format(text: &str) -> Result<Layout, LayoutError> {
        let mut columns = Vec::new();
        for word in text.split_ascii_whitespace() {
            let name = word
                .strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'))
                .unwrap_or(word);
            if !is_name(name.as_bytes()) {
                return Err(LayoutError::NoField(name_for_people(word)));
            }
            let column = Column::from_name(name);
            if let Column::Unknown(name) = &column
                && let Some(meant) = nearly(name)
            {
                return Err(LayoutError::Misspelt {
                    name: name.clone(),
                    meant,
                });
            }
            if columns.contains(&column) {
                return Err(LayoutError::Twice(name.to_owned()));
            }
            columns.push(column);
        }
        match columns.len() {
            0 => Err(LayoutError::Empty),
            1..=MAX_COLUMNS => Ok(Layout { columns }),
            _ => Err(LayoutError::TooMany { limit: MAX_COLUMNS }),
        }
    }

    /// The layout that a header line announces; none if the line is no header.
    ///
    /// A header consists of names (small letters first), at least half of them fields that AWS documents: values such
    /// as addresses and numbers are no names, so no record looks like that.
    pub fn parse_header(line: &[u8]) -> Option<Layout> {
        let words = || {
            line.split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
        };
        if !words().all(is_name) || words().nth(MAX_COLUMNS).is_some() {
            return None;
        }
        let columns: Vec<Column> = words()
            .filter_map(|word| std::str::from_utf8(word).ok())
            .map(Column::from_name)
            .collect();
        let known = columns
            .iter()
            .filter(|column| matches!(column, Column::Known(_)))
            .count();
        (known > 0 && 2 * known >= columns.len()).then_some(Layout { columns })
    }

    /// Whether the layout has this field.
    pub fn has(&self, field: Field) -> bool {
        self.columns.contains(&Column::Known(field))
    }
}

impl Column {
    /// The column with this name, in AWS's spelling or with underscores as Parquet has it.
    pub fn from_name(name: &str) -> Column {
        match Field::from_name(name) {
            Some(field) => Column::Known(field),
            None => Column::Unknown(name.replace('_', "-")),
        }
    }

    /// The name as it stands in a header.
    pub fn name(&self) -> &str {
        match self {
            Column::Known(field) => field.name(),
            Column::Unknown(name) => name,
        }
    }
}

/// Names joined by spaces: a header line.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, column) in self.columns.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{}", column.name())?;
        }
        Ok(())
    }
}

/// Whether this could be a field's name: small letters, digits, hyphens and underscores, a letter first.
fn is_name(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_lowercase)
        && word
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

fn name_for_people(word: &str) -> String {
    word.chars().take(40).collect()
}

/// The documented field whose name is one or two typing errors away. Names that differ in a number only
/// (`instance-tag-3`) are new fields, not errors, and names of up to four letters are too short to tell.
fn nearly(name: &str) -> Option<&'static str> {
    let letters = |text: &str| {
        text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-')
            .to_owned()
    };
    let fields = Field::ALL.iter().map(|field| field.name());
    let (distance, meant) = fields
        .map(|field| (typing_errors(name, field), field))
        .min_by_key(|(distance, _)| *distance)?;
    let allowed = if name.len() > 8 { 2 } else { 1 };
    (name.len() > 4 && distance <= allowed && letters(name) != letters(meant)).then_some(meant)
}

/// Letters to insert, delete or replace to make one text of the other.
fn typing_errors(one: &str, other: &str) -> usize {
    let other = other.as_bytes();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for column in 0..other.len() {
            let replaced = diagonal + usize::from(letter != other[column]);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, expected: &str) {
        let found = match Layout::parse_format(format) {
            Ok(layout) => layout.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(found, expected, "{format}");
    }

    #[test]
    fn formats_as_aws_writes_them() {
        check("${version} ${account-id}", "version account-id");
        check(
            "  srcaddr\n${tcp_flags}  instance-tag-3",
            "srcaddr tcp-flags instance-tag-3",
        );
        check("${version} ${shiny-new-field}", "version shiny-new-field");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        check(
            " ",
            "error: expected fields such as ${version} ${account-id}, got nothing",
        );
        check(
            "${version},${account-id}",
            "error: expected a field such as ${srcaddr} or its bare name, got `${version},${account-id}`",
        );
        check(
            "${Version}",
            "error: expected a field such as ${srcaddr} or its bare name, got `${Version}`",
        );
        check(
            "${version} ${acount-id}",
            "error: unknown field `acount-id`; did you mean `account-id`?",
        );
        check(
            "${srcadr}",
            "error: unknown field `srcadr`; did you mean `srcaddr`?",
        );
        check(
            "${bytes} ${bytes}",
            "error: expected each field once, got `bytes` twice",
        );
        check(
            &(0..251)
                .map(|n| format!("brand-new-{n} "))
                .collect::<String>(),
            "error: expected at most 250 fields, got more",
        );
    }

    #[test]
    fn headers_are_told_from_records() {
        for header in [
            "version account-id",
            "account_id action vpc-id",
            "action",
            "srcaddr brand-new",
        ] {
            assert!(
                Layout::parse_header(header.as_bytes()).is_some(),
                "{header}"
            );
        }
        for other in [
            "2 123456789010 eni-0 10.0.0.1",
            "",
            "-",
            "eni-0abc egress",
            "type of nothing",
            "- version",
            "Version",
        ] {
            assert!(Layout::parse_header(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn the_default_format_is_awss() {
        let expected = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
        assert_eq!(Layout::default_format().to_string(), expected);
    }
}
