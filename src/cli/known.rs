//! The file of `--known`: ids of findings that were accepted earlier.

use std::collections::BTreeSet;

/// Hex digits of a finding id.
const ID_LENGTH: usize = 16;

/// Reads the file's text: an id a line with whatever comment behind it, or what `--format ndjson` wrote. Blank lines and
/// lines that begin with `#` are skipped.
///
/// # Errors
/// Every line that holds no id: its number and what was expected.
pub(super) fn parse(text: &str) -> Result<BTreeSet<String>, Vec<(usize, String)>> {
    let mut ids = BTreeSet::new();
    let mut errors = Vec::new();
    // Editors of Windows begin a file with a mark of its byte order.
    let text = text.trim_start_matches('\u{feff}');
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match id_of(line) {
            Ok(id) => {
                ids.insert(id);
            }
            Err(why) => errors.push((index + 1, why)),
        }
    }
    if errors.is_empty() {
        Ok(ids)
    } else {
        Err(errors)
    }
}

fn id_of(line: &str) -> Result<String, String> {
    let word = if line.starts_with('{') {
        let finding: serde_json::Value = serde_json::from_str(line)
            .map_err(|_| "expected a JSON object on one line".to_owned())?;
        match finding.get("finding_id").and_then(|id| id.as_str()) {
            Some(id) => id.to_owned(),
            None => return Err("expected `finding_id` in the JSON object".to_owned()),
        }
    } else {
        line.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    if word.len() == ID_LENGTH && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(word);
    }
    let shown: String = word.chars().take(40).collect();
    Err(format!(
        "expected a finding id of {ID_LENGTH} hex digits, got `{shown}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match parse(text) {
            Ok(ids) => ids.into_iter().collect::<Vec<_>>().join(" "),
            Err(errors) => errors
                .iter()
                .map(|(line, why)| format!("{line}: {why}"))
                .collect::<Vec<_>>()
                .join("; "),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn ids_stand_alone_with_comments_or_in_ndjson() {
        check(
            "\u{feff}# accepted on 2026-02-25\n\n00112233445566AA  SEC-790\r\n{\"finding_id\":\"ffeeddccbbaa9988\",\"kind\":\"x\"}\n",
            "00112233445566aa ffeeddccbbaa9988",
        );
    }

    #[test]
    fn every_wrong_line_is_named() {
        check(
            "hello world\n{\"id\":1}\n0011223344556677\n",
            "1: expected a finding id of 16 hex digits, got `hello`; 2: expected `finding_id` in the JSON object",
        );
    }
}
