//! The policy reference: its examples are policies, and its tables are complete.

use std::fs;
use std::path::Path;

use tidegate::policy::{Path as Route, Policy, Severity};

fn reference() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policy.md");
    fs::read_to_string(path).expect("the policy reference")
}

/// The TOML blocks of the page, with the line that each begins at.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in page.lines().enumerate() {
        match &mut open {
            None if line == "```toml" => open = Some((at + 2, String::new())),
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// The examples that are whole files.
pub fn whole_examples() -> Vec<String> {
    let blocks = blocks(&reference()).into_iter().map(|(_, text)| text);
    blocks.filter(|text| text.starts_with("[policy]")).collect()
}

fn parse(line: usize, text: &str) -> Policy {
    let name = format!("docs/policy.md, the block at line {line}");
    let no_files = |file: &str| Err(std::io::Error::other(format!("examples pin no {file}")));
    Policy::parse(&name, text, &no_files).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_example_that_is_a_whole_file_is_a_policy_whose_tests_hold() {
    let page = reference();
    let mut num_tests = 0;
    for (line, text) in blocks(&page) {
        if !text.starts_with("[policy]") {
            assert!(
                text.starts_with("# a part of a file"),
                "the block at line {line}"
            );
            continue;
        }
        let policy = parse(line, &text);
        for test in policy.tests() {
            let decision = policy.run_test(test);
            assert_eq!(decision.answer, test.expect, "{}", test.name);
            if let Some(rule) = &test.rule {
                assert_eq!(policy.rule(decision.rule).id, *rule, "{}", test.name);
            }
            num_tests += 1;
        }
    }
    assert!(num_tests > 0);
}

#[test]
fn every_word_of_the_language_is_explained() {
    let page = reference();
    let paths = Route::ALL.iter().map(|path| path.as_str());
    let severities = Severity::ALL.iter().map(|severity| severity.as_str());
    let reserved = [
        "any",
        "any-tier",
        "inside",
        "unassigned",
        "internet",
        "unlisted",
        "private",
        "outside",
        "same-subnet",
        "aws:*",
    ];
    for word in reserved.into_iter().chain(paths).chain(severities) {
        assert!(
            page.contains(&format!("`{word}`")),
            "`{word}` is not explained"
        );
    }
}

#[test]
fn every_key_of_the_language_is_explained() {
    let page = reference();
    let blocks: String = blocks(&page).into_iter().map(|(_, text)| text).collect();
    for key in [
        "id",
        "title",
        "owner",
        "effective",
        "vpcs",
        "accounts",
        "regions",
        "cidrs",
        "connected_to",
        "criticality",
        "network",
        "tier",
        "az",
        "labels",
        "interfaces",
        "instances",
        "security_groups",
        "tags",
        "ecs_services",
        "interface_types",
        "descriptions",
        "endpoints",
        "domains",
        "prefix_lists",
        "aws_services",
        "ports",
        "symmetric",
        "from",
        "to",
        "from_except",
        "to_except",
        "service",
        "ports_except",
        "via",
        "family",
        "not_before",
        "expires",
        "severity",
        "exempt",
        "reason",
        "ticket",
        "controls",
        "observable",
        "between",
        "same",
        "encrypted",
        "nat",
        "inventory",
        "ip_ranges",
        "prefix_list_files",
        "resolver_logs",
        "resolver_grace",
        "domain_snapshots",
        "name",
        "flow",
        "at",
        "expect",
        "rule",
        "finding",
    ] {
        let in_text = page.contains(&format!("`{key}`")) || page.contains(&format!("`{key} "));
        let in_example = blocks
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("{key} =")));
        assert!(in_text || in_example, "`{key}` is not explained");
    }
}

#[test]
fn what_the_reference_says_of_missing_evidence_in_a_deny_is_so() {
    let page = reference();
    let (line, text) = blocks(&page).into_iter().next().expect("an example");
    let with = |more: &str| format!("{text}\n{more}");
    let deny = |to: &str| {
        with(&format!(
            "[[deny]]\nid = \"d\"\nfrom = \"app\"\nto = \"{to}\"\n"
        ))
    };
    for refused in ["unlisted", "aws:S3", "aws:*"] {
        let errors = Policy::parse("p", &deny(refused), &|_| {
            Err(std::io::ErrorKind::NotFound.into())
        });
        assert!(errors.is_err(), "{refused}");
    }
    for fine in ["internet", "private", "outside", "data"] {
        parse(line, &deny(fine));
    }
}
