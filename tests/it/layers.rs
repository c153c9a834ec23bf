//! Dependencies between modules point down only, and the core does no I/O: held by reading the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each top-level module with those that it may use. Modules on one line of the layering do not use each other.
const LAYERS: [(&str, &[&str]); 17] = [
    (
        "cli",
        &[
            "app", "sql", "source", "sink", "alert", "ledger", "generate", "detect", "judge",
            "drift", "fix", "draft", "config", "policy", "flow", "net",
        ],
    ),
    (
        "app",
        &[
            "sql", "source", "sink", "alert", "ledger", "generate", "detect", "judge", "drift",
            "fix", "config", "policy", "flow", "net",
        ],
    ),
    ("sql", &["source", "sink", "policy", "flow", "net"]),
    ("source", &["judge", "policy", "flow", "net"]),
    ("sink", &["judge", "policy", "flow", "net"]),
    ("alert", &["judge", "policy", "net"]),
    ("ledger", &["judge", "policy", "flow", "net"]),
    ("generate", &["policy", "flow", "net"]),
    ("detect", &["judge", "policy", "net"]),
    ("judge", &["policy", "flow", "net"]),
    ("fix", &["judge", "draft", "config", "policy", "net"]),
    ("drift", &["judge", "config", "policy", "net"]),
    ("draft", &["config", "policy", "net"]),
    ("policy", &["config", "flow", "net"]),
    ("config", &["net"]),
    ("flow", &["net"]),
    ("net", &[]),
];

/// Modules that do no I/O, read no clock and know no async.
const CORE: [&str; 9] = [
    "detect", "judge", "drift", "fix", "draft", "policy", "config", "flow", "net",
];

/// What the core must not name, its own tests aside.
const NOT_IN_CORE: [&str; 12] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::Tcp",
    "tokio",
    "async ",
    "SystemTime",
    "Instant",
    "println!",
    "print!",
    "dbg!",
];

#[test]
fn dependencies_point_down_only() {
    let mut wrong = Vec::new();
    for (path, module, depth) in sources() {
        let text = fs::read_to_string(&path).expect("a readable source");
        let (_, allowed) = LAYERS
            .iter()
            .find(|(name, _)| *name == module)
            .expect("every module has its layer");
        for used in uses(&text, depth) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "dependencies that do not point down:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn core_does_no_io_and_knows_no_clock() {
    let mut wrong = Vec::new();
    for (path, module, _) in sources() {
        if !CORE.contains(&module.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable source");
        for (index, line) in code(before_tests(&text)).lines().enumerate() {
            for word in NOT_IN_CORE {
                if names(line, word) {
                    wrong.push(format!("{}:{}: {word}", path.display(), index + 1));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the core must not use:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_module_has_its_layer() {
    let found: BTreeSet<String> = sources().into_iter().map(|(_, module, _)| module).collect();
    let known: BTreeSet<String> = LAYERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    fn check(text: &str, depth: usize, expected: &[&str]) {
        assert_eq!(
            uses(text, depth),
            expected.iter().map(|name| (*name).to_owned()).collect(),
            "{text}"
        );
    }
    check("use crate::flow::Record;", 1, &["flow"]);
    check(
        "use crate::{flow::Record, net, policy::{self, sink}};",
        1,
        &["flow", "net", "policy"],
    );
    check(
        "use crate::{\n    judge,\n    app::report,\n};",
        2,
        &["app", "judge"],
    );
    check("let x = crate::cli::run(args);", 2, &["cli"]);
    check("use super::flow;", 1, &["flow"]);
    check("use super::flow;", 2, &[]);
    check("use super::super::flow;", 2, &["flow"]);
    check("use crate :: sink;", 1, &["sink"]);
    check(
        "// use crate::app;\nlet text = \"crate::cli\"; /* crate::sink */",
        1,
        &[],
    );
}

/// Every source below a top-level module: its path, the module, and how deep in the module tree it is.
fn sources() -> Vec<(PathBuf, String, usize)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(&root).expect("a path below src");
            let mut parts: Vec<String> = inside
                .with_extension("")
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            // The map and the program's entry belong to no layer.
            if path.extension().is_none_or(|extension| extension != "rs")
                || parts == ["lib"]
                || parts == ["main"]
            {
                continue;
            }
            if parts.last().is_some_and(|last| last == "mod") {
                parts.pop();
            }
            found.push((path, parts[0].clone(), parts.len()));
        }
    }
    assert!(found.len() > 20, "the sources are where they are expected");
    found.sort();
    found
}

/// The top-level modules that the text names, by `crate::` or by as many `super::` as lead out of its own.
fn uses(text: &str, depth: usize) -> BTreeSet<String> {
    let code: String = code(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ::", "::")
        .replace(":: ", "::");
    let mut found = BTreeSet::new();
    for (index, _) in code.match_indices("crate::") {
        let before = code[..index].chars().next_back();
        if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            found.extend(heads(&code[index + "crate::".len()..]));
        }
    }
    for (index, _) in code.match_indices("super::") {
        let mut rest = &code[index..];
        let mut supers = 0;
        while let Some(tail) = rest.strip_prefix("super::") {
            rest = tail;
            supers += 1;
        }
        if supers >= depth {
            found.extend(heads(rest));
        }
    }
    found.retain(|name| LAYERS.iter().any(|(layer, _)| layer == name));
    found
}

/// The first names of a path, or of each path in a group: `{flow::Record, net}` has `flow` and `net`.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(name(&group[start..index]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(name(&group[start..index]));
                start = index + 1;
            }
            _ => {}
        }
    }
    heads
}

/// The text without comments and without what stands in string literals; lines stay where they are.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut previous = ' ';
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for inside in chars.by_ref() {
                    if inside == '\n' {
                        code.push('\n');
                    }
                    if last == '*' && inside == '/' {
                        break;
                    }
                    last = inside;
                }
            }
            // A character literal such as '"' or '\'' opens no string.
            '\'' => {
                let mut ahead = chars.clone();
                let literal = match (ahead.next(), ahead.next(), ahead.next()) {
                    (Some('\\'), Some(_), Some('\'')) => 3,
                    (Some(_), Some('\''), _) => 2,
                    _ => 0,
                };
                for _ in 0..literal {
                    chars.next();
                }
            }
            '"' => {
                let raw = hashes_before(&code, previous);
                skip_string(&mut chars, &mut code, raw);
            }
            c => code.push(c),
        }
        previous = c;
    }
    code
}

/// How many `#` a raw string that opens here has; none if it is no raw string.
fn hashes_before(code: &str, previous: char) -> Option<usize> {
    if previous != 'r' && previous != '#' {
        return None;
    }
    let hashes = code.chars().rev().take_while(|c| *c == '#').count();
    code.chars()
        .rev()
        .nth(hashes)
        .filter(|c| *c == 'r')
        .map(|_| hashes)
}

fn skip_string(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    code: &mut String,
    raw: Option<usize>,
) {
    while let Some(c) = chars.next() {
        match c {
            '\n' => code.push('\n'),
            '\\' if raw.is_none() => code.extend(chars.next().filter(|c| *c == '\n')),
            '"' => {
                let hashes = raw.unwrap_or(0);
                if chars.clone().take(hashes).filter(|c| *c == '#').count() == hashes {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// The text up to its unit tests, which may do what they need.
fn before_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]")
        .map_or(text, |(code, _)| code)
}

/// Whether the line names the word, not merely a longer one that holds it.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(index, _)| {
        let before = line[..index].chars().next_back();
        let after = line[index + word.len()..].chars().next();
        let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let may_go_on = word == "std::net::Tcp" || !word.ends_with(|c: char| c.is_alphanumeric());
        !part_of_word(before) && (may_go_on || !part_of_word(after))
    })
}
