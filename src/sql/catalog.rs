//! Curated queries: a file of SQL whose head says what it answers, how to read that, and what can be set.
//!
//! ```sql
//! -- title: Top violations
//! -- answers: Which connections break the policy most?
//! -- read: One row a rule and pair of zones; the heaviest first.
//! -- param since time 2014-01-01: Only what was seen from here on.
//! -- tables: edges
//! SELECT … WHERE first_seen >= $since
//! ```
//!
//! A parameter stands in the text as `$name` and is a value of its type, never a piece of text that is pasted in.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;

/// A curated query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CuratedQuery {
    /// Its name: that of its file.
    pub name: String,
    /// What it is about: the folder of its file.
    pub theme: String,
    /// Its title.
    pub title: String,
    /// The question.
    pub answers: String,
    /// How to read the rows.
    pub read: String,
    /// What can be set.
    pub params: Vec<Param>,
    /// The tables it needs.
    pub tables: Vec<String>,
    /// The text, head included.
    pub sql: String,
}

/// A parameter of a curated query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ParamKind,
    /// Its value unless another is given; none must be given.
    pub default: Option<String>,
    /// What it does.
    pub doc: String,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// An instant: RFC 3339, a date, or an age such as `24h`.
    Time,
    /// An address, compared as tables show it.
    Addr,
}

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Seconds since 1970.
    Time(u32),
}

/// Values of parameters by name.
pub type Params = BTreeMap<String, ParamValue>;

impl From<&ParamValue> for ScalarValue {
    fn from(value: &ParamValue) -> ScalarValue {
        match value {
            ParamValue::Text(text) => ScalarValue::Utf8(Some(text.clone())),
            ParamValue::Int(number) => ScalarValue::Int64(Some(*number)),
            ParamValue::Float(number) => ScalarValue::Float64(Some(*number)),
            ParamValue::Time(seconds) => {
                let micros = i64::from(*seconds) * 1_000_000;
                ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
            }
        }
    }
}

impl ParamKind {
    const ALL: [(&'static str, ParamKind); 5] = [
        ("text", ParamKind::Text),
        ("int", ParamKind::Int),
        ("float", ParamKind::Float),
        ("time", ParamKind::Time),
        ("addr", ParamKind::Addr),
    ];

    /// Its word in heads of queries.
    pub fn as_str(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|(_, kind)| *kind == self);
        found.map_or("", |(word, _)| word)
    }
}

macro_rules! built_in {
    ($($theme:literal: $($name:literal)*;)*) => {
        &[$($(($theme, $name, include_str!(concat!("../../queries/", $theme, "/", $name, ".sql"))),)*)*]
    };
}

/// Theme, name and text.
const BUILT_IN: &[(&str, &str, &str)] = built_in! {
    "triage": "coverage" "duplicate-flow-logs" "log-delay" "malformed" "new-findings" "no-data"
        "silent-flow-logs" "top-violations" "worst-findings";
    "egress": "beacons" "by-destination" "by-owner" "by-prefix" "data-to-internet" "dns-bypass" "exfiltration"
        "long-sessions" "nat-bytes" "s3-by-nat" "straight-out" "unanswered";
    "east-west": "between-regions" "cross-label" "cross-zone-bytes" "peering" "service-map" "tier-matrix" "unassigned";
    "exposure": "cleartext" "encryption" "from-internet" "new-ports" "past-cloudfront" "port-scans"
        "scanners" "ssh-and-rdp";
    "incident": "before-and-after" "blast-radius" "host-timeline" "sweep" "who-reached";
    "compliance": "bytes-by-group" "bytes-by-workload" "exceptions" "findings-by-control" "overblocked-by-owner"
        "rejected-replies" "rules-used" "trend" "unproven";
};

/// The queries that come with the program, by theme, in the order of the list.
///
/// # Panics
/// When the head of one is not as it should be, which a test excludes.
pub fn built_in() -> Vec<CuratedQuery> {
    let queries = BUILT_IN.iter().map(|(theme, name, sql)| {
        let query = CuratedQuery::parse(theme, name, sql);
        query.unwrap_or_else(|error| panic!("queries/{theme}/{name}.sql: {error}"))
    });
    queries.collect()
}

impl CuratedQuery {
    /// The query of a file's text.
    ///
    /// # Errors
    /// What its head lacks, with the line.
    pub fn parse(theme: &str, name: &str, sql: &str) -> Result<CuratedQuery, String> {
        let mut head: BTreeMap<&str, String> = BTreeMap::new();
        let mut params = Vec::new();
        let mut last = None;
        let lines = sql.lines().enumerate();
        for (number, line) in lines.take_while(|(_, line)| line.starts_with("--")) {
            let line = line[2..].trim();
            let word = line
                .split_once(':')
                .map(|(word, rest)| (word.trim(), rest.trim()));
            match word {
                Some((word, doc)) if word.starts_with("param ") => {
                    let param = Param::parse(&word["param ".len()..], doc);
                    params.push(param.map_err(|error| format!("line {}: {error}", number + 1))?);
                    last = None;
                }
                Some((word @ ("title" | "answers" | "read" | "tables"), rest)) => {
                    head.insert(word, rest.to_owned());
                    last = Some(word);
                }
                _ => match last.and_then(|word| head.get_mut(word)) {
                    Some(text) => {
                        text.push(' ');
                        text.push_str(line);
                    }
                    None => {
                        return Err(format!(
                            "line {}: expected `-- title:`, `answers:`, `read:`, `param NAME TYPE [DEFAULT]:` or `tables:`, got `{line}`",
                            number + 1
                        ));
                    }
                },
            }
        }
        let mut take = |word: &str| {
            let found = head.remove(word).filter(|text| !text.is_empty());
            found.ok_or_else(|| format!("expected a line `-- {word}: …` at the head"))
        };
        let tables = take("tables")?;
        Ok(CuratedQuery {
            name: name.to_owned(),
            theme: theme.to_owned(),
            title: take("title")?,
            answers: take("answers")?,
            read: take("read")?,
            params,
            tables: tables
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect(),
            sql: sql.to_owned(),
        })
    }
}

impl Param {
    /// `NAME TYPE [DEFAULT]`, and what it does.
    fn parse(words: &str, doc: &str) -> Result<Param, String> {
        let mut words = words.split_whitespace();
        let (Some(name), Some(kind)) = (words.next(), words.next()) else {
            return Err("expected a name and a type".to_owned());
        };
        let known = ParamKind::ALL.into_iter().find(|(word, _)| *word == kind);
        let Some((_, kind)) = known else {
            return Err(format!(
                "expected a type (text, int, float, time, addr), got `{kind}`"
            ));
        };
        let default = words.collect::<Vec<_>>().join(" ");
        Ok(Param {
            name: name.to_owned(),
            kind,
            default: (!default.is_empty()).then_some(default),
            doc: doc.to_owned(),
        })
    }
}
