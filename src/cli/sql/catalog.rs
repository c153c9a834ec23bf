//! Curated queries and functions as people see them, and the parameters of queries as people give them.

use std::path::{Path, PathBuf};

use crate::app::error::ScanError;
use crate::cli::units;
use crate::net::Addr;
use crate::policy::nearest;
use crate::sql::{CuratedQuery, Doc, ParamKind, ParamValue, Params, built_in};

/// The queries that come with the program and those of the user's folders, which replace others of their name.
pub(super) fn queries(folders: &[PathBuf]) -> Result<Vec<CuratedQuery>, ScanError> {
    let mut all = built_in();
    for folder in folders {
        for query in own(folder)? {
            all.retain(|known| known.name != query.name);
            all.push(query);
        }
    }
    Ok(all)
}

/// The queries of a folder: its files, and those of the folders in it, each a theme.
fn own(folder: &Path) -> Result<Vec<CuratedQuery>, ScanError> {
    let mut found = Vec::new();
    let files = walkdir::WalkDir::new(folder)
        .max_depth(2)
        .sort_by_file_name();
    for entry in files {
        let entry = entry.map_err(|error| usage(format!("cannot read --queries: {error}")))?;
        let path = entry.path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".sql"))
        else {
            continue;
        };
        let theme = path.parent().filter(|parent| *parent != folder);
        let theme = theme
            .and_then(|parent| parent.file_name()?.to_str())
            .unwrap_or("own");
        let text = std::fs::read_to_string(path)
            .map_err(|error| usage(format!("cannot read `{}`: {error}", path.display())))?;
        let query = CuratedQuery::parse(theme, name, &text)
            .map_err(|error| usage(format!("{}: {error}", path.display())))?;
        found.push(query);
    }
    Ok(found)
}

const ALL: &str = "--list, or \\queries at the prompt, shows all";

/// The query of this name.
pub(super) fn named<'q>(
    all: &'q [CuratedQuery],
    name: &str,
) -> Result<&'q CuratedQuery, ScanError> {
    let found = all.iter().find(|query| query.name == name);
    found.ok_or_else(|| {
        let hint = match nearest(name, all.iter().map(|query| query.name.as_str())) {
            Some(near) => format!("there is `{near}`; {ALL}"),
            None if name.contains(char::is_whitespace) => "SQL is given with -c".to_owned(),
            None => ALL.to_owned(),
        };
        ScanError::Usage {
            message: format!("there is no query `{name}`"),
            hint: Some(hint),
        }
    })
}

/// The values of a query's parameters: those given as `name=value`, else their defaults.
pub(super) fn params(
    query: &CuratedQuery,
    given: &[String],
    now: u32,
) -> Result<Params, ScanError> {
    let mut values = Params::new();
    for word in given {
        let Some((name, text)) = word.split_once('=') else {
            return Err(usage(format!(
                "expected a parameter as NAME=VALUE, got `{word}`"
            )));
        };
        let Some(param) = query.params.iter().find(|param| param.name == name) else {
            let names: Vec<&str> = query.params.iter().map(|param| &*param.name).collect();
            return Err(usage(format!(
                "`{}` has no parameter `{name}`; it has {}",
                query.name,
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            )));
        };
        values.insert(name.to_owned(), value(name, param.kind, text, now)?);
    }
    for param in &query.params {
        if values.contains_key(&param.name) {
            continue;
        }
        let Some(default) = &param.default else {
            let word = format!("{}={}", param.name, param.kind.as_str().to_uppercase());
            return Err(ScanError::Usage {
                message: format!("`{}` needs {word}: {}", query.name, param.doc),
                hint: Some(format!(
                    "--param {word}, or at the prompt {word} behind the name"
                )),
            });
        };
        values.insert(
            param.name.clone(),
            value(&param.name, param.kind, default, now)?,
        );
    }
    Ok(values)
}

fn value(name: &str, kind: ParamKind, text: &str, now: u32) -> Result<ParamValue, ScanError> {
    let wrong = |wants: &str| {
        usage(format!(
            "expected {wants} for the parameter `{name}`, got `{text}`"
        ))
    };
    Ok(match kind {
        ParamKind::Text => ParamValue::Text(text.to_owned()),
        ParamKind::Int => ParamValue::Int(text.parse().map_err(|_| wrong("a whole number"))?),
        ParamKind::Float => ParamValue::Float(text.parse().map_err(|_| wrong("a number"))?),
        ParamKind::Addr => {
            let addr: Addr = text.parse().map_err(|_| wrong("an address"))?;
            ParamValue::Text(addr.to_string())
        }
        ParamKind::Time => match units::when(text) {
            Ok(when) => ParamValue::Time(when.resolve(now)),
            Err(error) => return Err(usage(format!("the parameter `{name}`: {error}"))),
        },
    })
}

fn usage(message: String) -> ScanError {
    ScanError::Usage {
        message,
        hint: None,
    }
}

/// All queries for people, or the text of one of them, head included.
pub(super) fn listed(folders: &[PathBuf], name: Option<&str>) -> Result<String, ScanError> {
    let all = queries(folders)?;
    match name {
        None => Ok(list(&all)),
        Some(name) => Ok(text(named(&all, name)?)),
    }
}

/// A query as its file has it.
pub(super) fn text(query: &CuratedQuery) -> String {
    format!("{}\n", query.sql.trim_end())
}

/// The queries by theme, for people.
pub(super) fn list(all: &[CuratedQuery]) -> String {
    let mut text = String::new();
    let mut themes: Vec<&str> = Vec::new();
    for query in all {
        if !themes.contains(&&*query.theme) {
            themes.push(&query.theme);
        }
    }
    for theme in themes {
        text.push_str(&format!("{theme}\n"));
        for query in all.iter().filter(|query| query.theme == theme) {
            text.push_str(&format!("  {:<22} {}\n", query.name, query.answers));
            for param in &query.params {
                let default = param
                    .default
                    .as_deref()
                    .map_or_else(String::new, |text| format!(" [{text}]"));
                let head = format!(
                    "{}={}{default}",
                    param.name,
                    param.kind.as_str().to_uppercase()
                );
                text.push_str(&format!("  {:<22}   {head}: {}\n", "", param.doc));
            }
        }
        text.push('\n');
    }
    text.push_str("tidegate sql --lake DIR NAME --param name=value runs one; --list NAME shows its text, at whose head stands how to read its rows.\n");
    text
}

/// The functions, for people.
pub(super) fn functions<'d>(docs: impl Iterator<Item = &'d Doc>) -> String {
    let each = docs.map(|doc| {
        format!(
            "{}\n    {}\n    {} is {}\n",
            doc.syntax, doc.about, doc.example, doc.gives
        )
    });
    each.collect::<Vec<_>>().join("\n")
}
