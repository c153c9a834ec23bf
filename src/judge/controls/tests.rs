//! Controls by counts: each state, and each reason.

use super::*;
use crate::flow::Tally;

fn rule(effect: Effect, verdicts: &[(Verdict, u64)]) -> ControlRule {
    let mut checked = Checked::default();
    for (verdict, connections) in verdicts {
        checked.add(*verdict, *connections);
    }
    ControlRule {
        id: effect.as_str().to_owned(),
        effect,
        observable: true,
        in_force: true,
        checked,
    }
}

fn complete() -> Coverage {
    Coverage {
        period: (3600, 10_800),
        hours: 2,
        objects: 24,
        lines: Tally {
            lines: 1000,
            records: 1000,
            ..Tally::default()
        },
        logs: vec![LogCoverage {
            accepts: true,
            ..LogCoverage::default()
        }],
        networks: vec![("prod".to_owned(), 7)],
        ..Coverage::default()
    }
}

fn words(why: &[Why]) -> Vec<&'static str> {
    why.iter().map(Why::as_str).collect()
}

#[test]
fn a_control_is_met_violated_or_not_evidenced() {
    fn check(rules: &[ControlRule], by_default: Checked, expected: State, why: &[&str]) {
        let (found, reasons) = state(rules, &by_default, &[]);
        assert_eq!((found, &*words(&reasons)), (expected, why), "{rules:?}");
    }
    let none = Checked::default();
    let (allow, deny) = (Effect::Allow, Effect::Deny);
    // A deny that nobody tries to break is met; an allow that nobody uses says nothing.
    check(&[rule(deny, &[])], none, State::Met, &[]);
    check(&[rule(Effect::RequireZone, &[])], none, State::Met, &[]);
    check(
        &[rule(deny, &[(Verdict::Blocked, 4)])],
        none,
        State::Met,
        &[],
    );
    check(
        &[rule(allow, &[(Verdict::Compliant, 4)])],
        none,
        State::Met,
        &[],
    );
    check(
        &[rule(allow, &[(Verdict::Overblocked, 4)])],
        none,
        State::Met,
        &[],
    );
    let nothing = ["nothing-checked"];
    check(&[rule(allow, &[])], none, State::NotEvidenced, &nothing);
    let attempted = rule(deny, &[(Verdict::Attempted, 1)]);
    check(
        std::slice::from_ref(&attempted),
        none,
        State::NotEvidenced,
        &["attempts"],
    );
    let unproven = rule(allow, &[(Verdict::Unproven, 1), (Verdict::Compliant, 9)]);
    check(&[unproven], none, State::NotEvidenced, &["unproven"]);
    let broken = rule(deny, &[(Verdict::Violation, 1)]);
    check(
        std::slice::from_ref(&broken),
        none,
        State::Violated,
        &["violations"],
    );
    let both = ["violations", "attempts"];
    check(&[attempted, broken], none, State::Violated, &both);
    // What the default denies is under no control, but where it is let through the control is not shown to hold.
    for verdict in [Verdict::Violation, Verdict::Attempted] {
        let by_default = rule(Effect::Default, &[(verdict, 2)]).checked;
        let used = rule(allow, &[(Verdict::Compliant, 4)]);
        check(
            &[used],
            by_default,
            State::NotEvidenced,
            &["denied-by-default"],
        );
    }
    let stopped = rule(Effect::Default, &[(Verdict::Blocked, 2)]).checked;
    check(&[rule(deny, &[])], stopped, State::Met, &[]);
}

#[test]
fn rules_that_cannot_show_or_were_not_in_force_are_no_evidence() {
    let hidden = ControlRule {
        observable: false,
        ..rule(Effect::Deny, &[(Verdict::Blocked, 1)])
    };
    let (found, why) = state(&[hidden], &Checked::default(), &[]);
    assert_eq!(found, State::NotEvidenced);
    assert_eq!(why, [Why::NotObservable(vec!["deny".to_owned()])]);
    for (effect, expected) in [
        (Effect::Deny, State::NotEvidenced),
        (Effect::RequireLabels, State::NotEvidenced),
        (Effect::Allow, State::Met),
    ] {
        let absent = ControlRule {
            in_force: false,
            ..rule(effect, &[(Verdict::Compliant, 1)])
        };
        let (found, _) = state(&[absent], &Checked::default(), &[]);
        assert_eq!(found, expected, "{effect:?}");
    }
    let unknown = ControlRule {
        checked: Checked {
            compliant: 3,
            path_unknown: 1,
            ..Checked::default()
        },
        ..rule(Effect::Allow, &[])
    };
    let (_, why) = state(&[unknown], &Checked::default(), &[]);
    assert_eq!(words(&why), ["path-unknown"]);
}

#[test]
fn nothing_is_met_while_logs_are_missing() {
    fn check(spoil: impl Fn(&mut Coverage), expected: &[&str]) {
        let mut coverage = complete();
        spoil(&mut coverage);
        let gaps = coverage.gaps(0.1);
        assert_eq!(words(&gaps), expected);
        let met = rule(Effect::Deny, &[]);
        let (found, why) = state(&[met], &Checked::default(), &gaps);
        assert_eq!(found == State::Met, expected.is_empty());
        assert_eq!(why, gaps);
        let broken = rule(Effect::Deny, &[(Verdict::Violation, 1)]);
        let (found, _) = state(&[broken], &Checked::default(), &gaps);
        assert_eq!(found, State::Violated, "missing logs excuse nothing");
    }
    check(|_| {}, &[]);
    check(|coverage| coverage.hours = 1, &["hours-missing"]);
    check(
        |coverage| coverage.logs[0].silences.push((3600, 7200)),
        &["logs-silent"],
    );
    check(|coverage| coverage.unreadable = 1, &["unreadable"]);
    check(|coverage| coverage.networks[0].1 = 0, &["networks-unseen"]);
    check(
        |coverage| coverage.effective = Some(3601),
        &["not-yet-effective"],
    );
    check(|coverage| coverage.effective = Some(3600), &[]);
    let only = |[accepts, rejects]: [bool; 2]| {
        move |coverage: &mut Coverage| {
            (coverage.logs[0].accepts, coverage.logs[0].rejects) = (accepts, rejects);
        }
    };
    check(only([false, true]), &["reject-only"]);
    check(only([true, true]), &[]);
    check(only([false, false]), &[]);
    // 1 of 1000 is 0.1 %, which may be lost; 2 of 1000 may not.
    check(|coverage| coverage.missing_field = 1, &[]);
    check(|coverage| coverage.missing_field = 2, &["lost"]);
    check(|coverage| coverage.lines.skip_data = 2, &["lost"]);
    check(|coverage| coverage.lines.malformed = 2, &["lost"]);
    let mut coverage = complete();
    coverage.lines.skip_data = 1;
    assert_eq!(words(&coverage.gaps(0.0)), ["lost"]);
    let nothing = Coverage {
        period: (0, 3600),
        networks: vec![("prod".to_owned(), 0)],
        ..Coverage::default()
    };
    assert_eq!(
        words(&nothing.gaps(100.0)),
        ["hours-missing", "networks-unseen"]
    );
}

#[test]
fn names_are_in_the_order_of_people() {
    let mut names = [
        "ISO A.8.20",
        "NIST SC-7",
        "ISO A.8.9",
        "7",
        "CIS AWS 4.10",
        "CIS AWS 4.2",
        "ISO A.8",
    ];
    names.sort_by_key(|name| in_order(name));
    let sorted = [
        "7",
        "CIS AWS 4.2",
        "CIS AWS 4.10",
        "ISO A.8",
        "ISO A.8.9",
        "ISO A.8.20",
        "NIST SC-7",
    ];
    assert_eq!(names, sorted);
}
