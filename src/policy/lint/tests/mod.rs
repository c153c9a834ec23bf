//! Each lint: what it finds, what it leaves alone, and what its page shows.

mod acl;
mod large;
mod pointless;
mod single;
mod twin;

use super::*;
use crate::policy::tests::{BASE, parse, rules};

/// 2026-02-25, seconds since 1970.
const NOW: i64 = 1_771_977_600;

fn lints_of(text: &str) -> PolicyLints {
    let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    match Policy::check("policy.toml", text, &no_files, NOW) {
        Ok((_, lints)) => lints,
        Err(errors) => panic!("{errors}"),
    }
}

/// The lints of one code, each as the marked text and the message.
fn of_code(code: &str, text: &str) -> Vec<String> {
    let lints = lints_of(text);
    let wanted = lints.lints().iter().filter(|lint| lint.kind.code == code);
    wanted
        .map(|lint| {
            let Remark {
                line,
                column,
                message,
                ..
            } = &lint.remark;
            let rest: String = text
                .lines()
                .nth(line - 1)
                .unwrap_or_default()
                .chars()
                .skip(column - 1)
                .collect();
            let marked = rest.split([' ', ',', ']']).next().unwrap_or_default();
            format!("{} {marked}: {message}", lint.level.as_str())
        })
        .collect()
}

/// The lints of one code in [`BASE`] and more.
fn check_more(code: &str, more: &str, expected: &[&str]) {
    assert_eq!(
        of_code(code, &format!("{BASE}\n{more}")),
        expected,
        "{more}"
    );
}

/// The lints of one code in [`BASE`] and rules; lines of other rules are left out.
fn check(code: &str, lines: &str, expected: &[&str]) {
    let found = of_code(code, &format!("{BASE}\n{}", rules(lines)));
    let without_lines: Vec<String> = found
        .iter()
        .map(|message| {
            let mut parts = message.split(" (line ");
            let mut text = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                text.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
            }
            text
        })
        .collect();
    assert_eq!(without_lines, expected, "{lines}");
}

#[test]
fn codes_and_names_are_unique_and_codes_in_order() {
    let codes: Vec<&str> = LINTS.iter().map(|kind| kind.code).collect();
    assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    let names: std::collections::BTreeSet<&str> = LINTS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), LINTS.len());
}

#[test]
fn every_lint_has_a_page_whose_example_shows_it() {
    for kind in LINTS {
        let title = format!("# {} {}\n", kind.code, kind.name);
        assert!(kind.page.starts_with(&title), "{}", kind.name);
        for heading in [
            "What it finds",
            "Why it matters",
            "How it decides",
            "What to do",
            "Blind spots",
        ] {
            let heading = format!("## {heading}\n");
            assert!(kind.page.contains(&heading), "{}: {heading}", kind.name);
        }
        // A file too large for comparing does not go onto a page.
        if *kind == NOT_COMPARED {
            continue;
        }
        let example = kind
            .page
            .split_once("```toml\n")
            .map_or("", |(_, rest)| rest);
        let (example, _) = example.split_once("```").expect("an example");
        if *kind == ERROR {
            assert!(parse(example).is_err(), "{}", kind.name);
        } else {
            assert!(!of_code(kind.code, example).is_empty(), "{}", kind.name);
        }
    }
}

#[test]
fn a_lint_is_shown_with_its_code_place_source_and_hint() {
    let text = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n[tiers.app]\n";
    let expected = "\
warning[P012]: tier `app` has no subnets, so no address is in it
 --> policy.toml:5:8
  |
5 | [tiers.app]
  |        ^^^
  |
  = hint: add [[subnets]] with this tier, or remove it

policy.toml: 1 warning
";
    assert_eq!(lints_of(text).render(false), expected);
    assert!(lints_of(text).render(true).contains('\u{1b}'));
    assert_eq!(lints_of(text).worst(), Some(LintLevel::Warning));
}

#[test]
fn a_policy_without_lints_shows_nothing() {
    let text = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n";
    assert_eq!(lints_of(text).render(false), "");
    assert_eq!(lints_of(text).worst(), None);
}
