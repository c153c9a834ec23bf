//! Flow logs: those that fall silent, and those that do not tell everything.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_flow_log_that_stops_while_others_go_on_is_told_of() {
    let detect = |logs: &[LogHour<'static>]| detect_with(&policy(""), None, &[], logs);
    let found = detect(&[log("fl-1", 0..6), log("fl-2", 0..4)].concat());
    check(
        &found,
        &[
            "silent-source: flow log fl-2 delivered nothing for 2 hours: no object for 2 hours in which others delivered, of account 111111111111 in eu-west-1; the limit is 2",
        ],
    );
    assert_eq!(found[0].severity, Severity::Critical);
    assert_eq!(
        (found[0].client.subject.as_str(), found[0].protocol),
        ("flow log fl-2", None)
    );
    check(
        &detect(&[log("fl-1", 0..6), log("fl-2", 0..5)].concat()),
        &[],
    );
    // So is a pause that is over; new ones are none of it.
    let pause = [log("fl-1", 0..6), log("fl-2", 0..3), log("fl-2", 5..6)].concat();
    assert_eq!(detect(&pause).len(), 1);
    check(
        &detect(&[log("fl-1", 0..6), log("fl-2", 0..2)].concat()),
        &[],
    );
}

#[test]
fn what_delivers_now_and_then_is_not_silent() {
    let now_and_then = [log("fl-2", 0..2), log("fl-2", 4..6), log("fl-2", 8..9)].concat();
    let with = |hours| [log("fl-1", 0..hours), now_and_then.clone()].concat();
    check(&detect_with(&policy(""), None, &[], &with(13)), &[]);
    assert_eq!(detect_with(&policy(""), None, &[], &with(14)).len(), 1);
    // One object an hour may be one by chance, but not twelve times in a row.
    let few = |hours| -> Vec<_> {
        let one = |log| LogHour { objects: 1, ..log };
        let few = log("fl-2", 0..hours).into_iter().map(one);
        few.chain(log("fl-1", 0..hours + 2)).collect()
    };
    check(&detect_with(&policy(""), None, &[], &few(11)), &[]);
    assert_eq!(detect_with(&policy(""), None, &[], &few(12)).len(), 1);
}

#[test]
fn logs_that_are_silent_at_different_times_are_two_findings() {
    let one = [log("fl-1", 0..5), log("fl-1", 9..20)].concat();
    let other = [log("fl-2", 0..12), log("fl-2", 16..20)].concat();
    let found = detect_with(&policy(""), None, &[], &[one, other].concat());
    let named: Vec<&str> = found
        .iter()
        .map(|finding| finding.client.subject.as_str())
        .collect();
    assert_eq!(
        BTreeSet::from_iter(named),
        BTreeSet::from(["flow log fl-1", "flow log fl-2"])
    );
}

#[test]
fn a_whole_account_that_stops_is_one_finding() {
    let elsewhere: Vec<_> = log("fl-9", 0..8)
        .into_iter()
        .map(|log| LogHour {
            account: Some("222222222222"),
            ..log
        })
        .collect();
    let logs = [elsewhere, log("fl-1", 0..4), log("fl-2", 0..4)].concat();
    let found = detect_with(&policy(""), None, &[], &logs);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].client.subject, "account 111111111111 in eu-west-1");
}

#[test]
fn a_baseline_knows_who_should_have_spoken() {
    let policy = policy("");
    let known = [log("fl-1", 0..1), log("fl-2", 0..1)].concat();
    let baseline = learned(&policy, &[edge()], &known);
    let found = detect_with(&policy, Some(&baseline), &[], &log("fl-1", 0..2));
    let named: Vec<&str> = found
        .iter()
        .map(|finding| finding.client.subject.as_str())
        .collect();
    assert_eq!(named, ["flow log fl-2"]);
    // An interface that was never silent for a week, and now is.
    let other = EdgeRow {
        inside: Inside::default(),
        ..edge()
    };
    let edges = [edge(), later(1, other), later(2, other)];
    let found = detect_with(&policy, Some(&baseline), &edges, &[]);
    let silent: Vec<_> = found
        .iter()
        .filter(|finding| finding.client.subject == "eni-1")
        .collect();
    assert_eq!(silent.len(), 1);
    assert_eq!(silent[0].severity, Severity::Medium);
}

#[test]
fn gaps_are_records_that_aws_lost_and_actions_that_nobody_asked_for() {
    let with = |change: fn(LogHour<'static>) -> LogHour<'static>, hours: u32| -> Vec<_> {
        log("fl-1", 0..hours).into_iter().map(change).collect()
    };
    let detect = |logs: &[LogHour<'static>]| detect_with(&policy(""), None, &[], logs);
    check(
        &detect(&with(
            |log| LogHour {
                skip_data: 60,
                ..log
            },
            6,
        )),
        &[
            "coverage-gap: flow log fl-1 lacks records that AWS could not capture (SKIPDATA): 360 of 6360 lines are SKIPDATA; the limit is 5 %",
        ],
    );
    check(
        &detect(&with(
            |log| LogHour {
                rejects: false,
                ..log
            },
            6,
        )),
        &[
            "coverage-gap: flow log fl-1 tells of ACCEPT only: 6000 records in 6 hours, all of them ACCEPT: its traffic type seems not to be ALL",
        ],
    );
    check(
        &detect(&with(
            |log| LogHour {
                skip_data: 50,
                ..log
            },
            6,
        )),
        &[],
    );
    check(
        &detect(&with(
            |log| LogHour {
                rejects: false,
                ..log
            },
            5,
        )),
        &[],
    );
    let inside = |log| LogHour {
        rejects: false,
        is_exposed: false,
        ..log
    };
    check(&detect(&with(inside, 24)), &[]);
    let rejects_only = |log| LogHour {
        accepts: false,
        is_exposed: false,
        ..log
    };
    assert_eq!(detect(&with(rejects_only, 6)).len(), 1);
}
