//! Files that are large, or that mean harm.

use proptest::prelude::*;

use super::*;

/// A policy of as many rules and prefixes, in which the last rule is shadowed by the first.
pub(super) fn large(num_rules: usize, num_prefixes: usize) -> String {
    let mut text = "[policy]\nid = \"LARGE\"\n[networks.n]\ncidrs = [\"10.0.0.0/8\"]\n".to_owned();
    for tier in 0..20 {
        let subnets = format!("cidrs = [\"10.{tier}.0.0/16\"]\n");
        text += &format!(
            "[[subnets]]\ntier = \"tier-{tier}\"\naz = \"az{}\"\n{subnets}",
            tier % 3
        );
    }
    let num_groups = 200;
    for group in 0..num_groups {
        let prefixes = (group..num_prefixes).step_by(num_groups).map(|number| {
            format!(
                "\"10.{}.{}.{}/28\"",
                number % 20,
                number / 320 % 256,
                number / 20 % 16 * 16
            )
        });
        let list = prefixes.collect::<Vec<_>>().join(", ");
        text += &format!("[groups.group-{group}]\ncidrs = [{list}]\n");
    }
    text += "[[require]]\nid = \"same-az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\n";
    text += &rules("allow first any-tier -> tier-0,tier-1 ports=[\"tcp/1-9999\"]");
    for rule in 0..num_rules.saturating_sub(2) {
        let (from, to) = (rule % num_groups, (rule * 7 + 1) % num_groups);
        let effect = if rule % 10 == 0 { "deny" } else { "allow" };
        let port = 10_000 + rule;
        text += &rules(&format!(
            "{effect} rule-{rule} group-{from} -> group-{to} ports=[\"tcp/{port}\"]"
        ));
    }
    text + &rules("allow last tier-3 -> tier-1 ports=[\"tcp/443\"]")
}

#[test]
fn a_large_policy_is_checked_whole() {
    let text = large(1000, 5000);
    let found = of_code("P001", &text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("allow `last` permits nothing that allow `first`"),
        "{found:?}"
    );
    assert_eq!(of_code("P018", &text), [""; 0]);
}

#[test]
fn a_file_too_large_for_comparing_says_so_and_has_its_other_lints() {
    let text = large(9000, 200);
    let found = of_code("P018", &text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("9000 allows and denies, expected at most "),
        "{found:?}"
    );
    assert_eq!(of_code("P001", &text), [""; 0]);
    assert!(!of_code("P011", &text.replace("group-199\"", "group-0\"")).is_empty());
}

#[test]
fn lints_on_one_long_line_are_placed_in_one_pass_and_bounded() {
    let domains = "\"a.cloudfront.net\",".repeat(100_000);
    let text = format!(
        "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n[destinations.d]\ndomains = [{domains}]\n"
    );
    let lints = lints_of(&text);
    assert_eq!(lints.lints().len(), MAX_LINTS);
    assert_eq!(lints.left_out(), 100_001 - MAX_LINTS);
    assert_eq!(lints.worst(), Some(LintLevel::Warning));
    assert!(lints.render(false).ends_with("and 90001 more not shown\n"));
    let last = &lints.lints()[MAX_LINTS - 1].remark;
    assert_eq!((last.line, last.column), (6, 12 + (MAX_LINTS - 2) * 19));
}

#[test]
fn names_of_any_script_are_lint_as_they_are() {
    let text = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n[groups.\"größe-名前\"]\ncidrs = [\"10.0.0.0/28\"]\n";
    assert_eq!(
        of_code("P011", text),
        ["note \"größe-名前\": no rule and no require names group `größe-名前`"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_change_to_a_policy_makes_the_lints_panic(at in 0usize..20_000, length in 0usize..200, with in "\\PC{0,20}|[\\[\\]{}=\",.#\n\\-0-9a-z]{0,30}", now in any::<i64>()) {
        let text = include_str!("../../../../policies/sec-003.toml");
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (from, until) = (floor(at), floor(at + length));
        let changed = format!("{}{with}{}", &text[..from], &text[until..]);
        let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
        if let Ok((_, lints)) = Policy::check("p.toml", &changed, &no_files, now) {
            prop_assert_eq!(lints.render(true).is_empty(), lints.lints().is_empty());
            prop_assert!(lints.lints().len() < 1000);
        }
    }
}
