//! A policy file without some of its sections, as text: all the rest stays as it is written, comments included.

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// The text without the sections under these names, each with the comment lines directly above it. What is written on one
/// line (`name = [{ … }]`) stays. The text has to be TOML.
pub fn without_sections(text: &str, names: &[&str]) -> String {
    let mut kept = String::new();
    let mut at = 0;
    for section in sections(text) {
        if !names.contains(&section.name) {
            continue;
        }
        kept.push_str(&text[at..section.start]);
        at = text.len() - text[section.end..].trim_start_matches(['\n', '\r']).len();
    }
    kept.push_str(&text[at..]);
    kept.truncate(kept.trim_end().len());
    kept.push('\n');
    kept
}

struct Section<'t> {
    /// The first part of its name.
    name: &'t str,
    /// Where it begins, the comments directly above it included.
    start: usize,
    /// Behind the last that is no comment.
    end: usize,
}

/// What a line is, as far as it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Blank,
    Comment,
    Content,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut line = Line::Blank;
    // Where the comment lines directly above this one begin.
    let mut comments: Option<usize> = None;
    let mut depth = 0usize;
    for token in Source::new(text).lex() {
        let span = token.span();
        match token.kind() {
            TokenKind::Whitespace => continue,
            TokenKind::Newline => {
                if line != Line::Comment {
                    comments = None;
                }
                line = Line::Blank;
                continue;
            }
            TokenKind::Comment => {
                if line == Line::Blank {
                    line = Line::Comment;
                    comments.get_or_insert(span.start());
                }
                continue;
            }
            _ if span.is_empty() => continue,
            TokenKind::LeftSquareBracket if depth == 0 && line == Line::Blank => {
                sections.push(Section {
                    name: name(&text[span.start()..]),
                    start: comments.unwrap_or(span.start()),
                    end: span.end(),
                });
                depth += 1;
            }
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        line = Line::Content;
        if let Some(section) = sections.last_mut() {
            section.end = span.end();
            // A comment behind the last value goes with it.
            let rest = &text[span.end()..];
            let behind = rest.trim_start_matches([' ', '\t']);
            if depth == 0 && behind.starts_with('#') {
                let comment = behind.find('\n').unwrap_or(behind.len());
                section.end = text.len() - behind.len() + comment;
            }
        }
    }
    sections
}

/// The first part of the name in a head, `[name.…]` or `[[name]]`.
fn name(head: &str) -> &str {
    let inside = head.trim_start_matches(['[', ' ', '\t']);
    let part = inside.split([']', '.']).next().unwrap_or_default();
    part.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(without_sections(text, &["allow", "test"]), expected);
    }

    #[test]
    fn sections_go_and_all_else_stays_as_written() {
        check(
            "# the file\n\n[policy] # its head\nid = 'P'\n\n# about this rule\n[[allow]] # first\nid = \"a\"\nto = [\n  \"x\", # y\n] # z\n\n# Next chapter\n\n[[deny]]\nid='d'\n",
            "# the file\n\n[policy] # its head\nid = 'P'\n\n# Next chapter\n\n[[deny]]\nid='d'\n",
        );
        check(
            "[[ \"allow\" ]]\na = 1\n[[test]]\nb = 2\n[x]\nc = 3\n[[allow]]",
            "[x]\nc = 3\n",
        );
    }

    #[test]
    fn what_only_looks_like_a_head_is_none() {
        let text = "[a]\nb = [\n[\"allow\"],\n[\n1],\n]\nc = \"\"\"\n[[allow]]\nd = 1\n\"\"\"\n# [[allow]]\n[[allows]]\ne = 1\n";
        check(text, text);
        check(
            "[[allow]]\nreason = '''\n\n[policy]\n#'''\n\n[policy]\nid = 1\n",
            "[policy]\nid = 1\n",
        );
    }

    #[test]
    fn what_is_left_is_a_policy() {
        let text = include_str!("../../policies/sec-003.toml");
        let without = without_sections(text, &["allow", "test", "mute"]);
        let read = |text: &str| {
            crate::policy::Policy::parse("p.toml", text, &|_| unreachable!("it pins nothing"))
                .unwrap_or_else(|errors| panic!("{}", errors.render(false)))
        };
        let ids = |policy: &crate::policy::Policy, allows: bool| {
            let rows = policy.rule_rows();
            let rows = rows
                .into_iter()
                .filter(|row| allows || row.rule.effect != crate::policy::Effect::Allow);
            rows.map(|row| row.rule.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&read(&without), true), ids(&read(text), false));
        assert!(read(&without).tests().is_empty());
    }
}
