//! Mutes: which findings they cover.

use super::*;

/// Whether a mute with these settings covers a finding of etl's tier to the office's VPN, or another.
fn covers(mute: &str, ask: impl Fn(&Policy, &mut MuteQuestion<'_>)) -> bool {
    let text = format!(
        "[[mute]]\nfinding = \"cross-tier-violation\"\nowner = \"alice\"\nreason = \"SEC-790\"\n{mute}\n{}",
        rules("allow a app -> data")
    );
    let policy = base(&text);
    let mut question = MuteQuestion {
        kind: "cross-tier-violation",
        client_zone: zone(&policy, "app"),
        server_zone: zone(&policy, "data"),
        protocol: 6,
        server_port: Some(443),
        rule: "default",
        at: 1_767_225_600,
    };
    ask(&policy, &mut question);
    let found = policy.mute(&question);
    if let Some(mute) = found {
        assert_eq!(
            (mute.owner.as_str(), mute.reason.as_str()),
            ("alice", "SEC-790")
        );
    }
    found.is_some()
}

fn zone(policy: &Policy, name: &str) -> Option<ZoneId> {
    (0..u16::MAX)
        .map(ZoneId)
        .find(|zone| policy.zone_name(*zone) == name)
}

#[test]
fn a_mute_covers_its_kind_of_finding() {
    assert!(covers("", |_, _| {}));
    assert!(!covers("", |_, question| question.kind = "overblocked"));
}

#[test]
fn a_mute_is_narrowed_by_from_to_service_and_rule() {
    assert!(covers(
        "from = \"app\"\nto = [\"data\", \"public\"]\nservice = \"https\"\nrule = \"default\"",
        |_, _| {}
    ));
    assert!(!covers("from = \"data\"", |_, _| {}));
    assert!(!covers("to = \"app\"", |_, _| {}));
    assert!(!covers("service = \"dns\"", |_, _| {}));
    assert!(!covers("rule = \"a\"", |_, _| {}));
}

#[test]
fn a_mute_is_in_force_until_it_expires() {
    assert!(covers("expires = 2026-01-02", |_, _| {}));
    assert!(!covers("expires = 2026-01-01", |_, _| {}));
    assert!(covers("not_before = 2026-01-01", |_, _| {}));
    assert!(!covers("not_before = 2026-01-02", |_, _| {}));
}

#[test]
fn the_words_of_a_mute_are_about_zones() {
    for (word, zones) in [
        (
            "any",
            &[
                "app",
                "unassigned",
                "repos",
                "office",
                "aws:S3",
                "aws:EC2",
                "private",
                "local",
                "internet",
            ][..],
        ),
        ("any-tier", &["app"]),
        ("inside", &["app", "unassigned"]),
        ("unassigned", &["unassigned"]),
        ("internet", &["repos", "aws:S3", "aws:EC2", "internet"]),
        ("unlisted", &["aws:EC2", "internet"]),
        ("private", &["office", "private"]),
        (
            "outside",
            &[
                "repos", "office", "aws:S3", "aws:EC2", "private", "internet",
            ],
        ),
        ("aws:*", &["aws:S3", "aws:EC2"]),
        ("aws:S3", &["aws:S3"]),
        ("repos", &["repos"]),
        ("app", &["app"]),
    ] {
        for name in [
            "app",
            "unassigned",
            "repos",
            "office",
            "aws:S3",
            "aws:EC2",
            "private",
            "local",
            "internet",
        ] {
            let found = covers(&format!("to = {word:?}"), |policy, question| {
                question.server_zone = zone(policy, name)
            });
            assert_eq!(found, zones.contains(&name), "{word} of {name}");
        }
    }
}
