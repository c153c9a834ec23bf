use std::collections::{BTreeMap, BTreeSet};

use super::*;

const NINE: u32 = 1_772_010_000;

fn object(name: &str, time: u32) -> LedgerObject {
    LedgerObject {
        url: format!("s3://logs/{name}"),
        time,
        size: 10,
        etag: "\"a\"".to_owned(),
        arrived: 0,
        state: ObjectState::Seen,
    }
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, "scope").expect("a ledger")
}

#[test]
fn objects_are_seen_once_and_late_ones_make_their_hour_due() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let first = object("first", NINE + 5);
    let see = |object: &LedgerObject| {
        ledger
            .write(|change| change.see(object, NINE + 9000))
            .expect("it is written")
    };
    assert!(see(&first));
    assert!(!see(&first));
    let hour = |state, due| LedgerHour {
        start: NINE,
        state,
        due,
    };
    let hours = || ledger.read().and_then(|view| view.hours()).expect("hours");
    assert_eq!(hours(), [hour(HourState::Open, None)]);
    ledger
        .write(|change| {
            change.slot_judged(NINE)?;
            change.judged(
                NINE,
                HourState::Committed,
                std::slice::from_ref(&first),
                &BTreeSet::new(),
                1,
                None,
            )
        })
        .expect("it is written");
    assert_eq!(hours(), [hour(HourState::Committed, None)]);
    let view = ledger.read().expect("a view");
    assert_eq!(
        view.objects(NINE..NINE + 1).expect("objects")[0].state,
        ObjectState::Judged
    );
    assert!(view.judged_slots().expect("slots").is_empty());
    // What was replaced is new, too.
    let replaced = LedgerObject {
        etag: "\"b\"".to_owned(),
        ..first.clone()
    };
    assert!(!see(&first) && see(&replaced));
    assert_eq!(hours(), [hour(HourState::Committed, Some(NINE + 9000))]);
    // Judged as it was before: it stays due.
    ledger
        .write(|change| {
            change.judged(
                NINE,
                HourState::Settled,
                std::slice::from_ref(&first),
                &BTreeSet::new(),
                NINE + 9900,
                None,
            )
        })
        .expect("it is written");
    assert_eq!(hours(), [hour(HourState::Settled, Some(NINE + 9900))]);
}

#[test]
fn an_object_that_comes_to_a_judged_slot_opens_it_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    ledger
        .write(|change| {
            change.see(&object("a", NINE + 5), 0)?;
            change.slot_judged(NINE)?;
            change.slot_judged(NINE + 300)?;
            change.see(&object("b", NINE + 6), 0)
        })
        .expect("it is written");
    let slots = ledger.read().and_then(|view| view.judged_slots());
    assert_eq!(slots.expect("slots"), [NINE + 300].into());
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let failed = ledger.write(|change| {
        change.see(&object("a", NINE), 0)?;
        change.queue("sink", "alert")?;
        Err::<(), _>(LedgerError::InUse {
            path: folder.path().to_owned(),
        })
    });
    assert!(failed.is_err());
    let view = ledger.read().expect("a view");
    assert!(view.objects(0..u32::MAX).expect("objects").is_empty());
    assert_eq!(view.outbox().expect("depths"), BTreeMap::new());
}

#[test]
fn queues_keep_their_order_and_what_was_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    ledger
        .write(|change| {
            for alert in ["one", "two", "three"] {
                change.queue("a", alert)?;
                change.queue("b", alert)?;
            }
            Ok(())
        })
        .expect("it is written");
    let waiting = |sink| {
        let waiting = ledger
            .read()
            .and_then(|view| view.waiting(sink, 10, u64::MAX));
        waiting.expect("a queue")
    };
    let [first, second, _] = waiting("a").try_into().expect("three alerts");
    ledger
        .write(|change| {
            change.sent("a", &[first.number])?;
            change.not_sent("a", &[second.number], true, 7)
        })
        .expect("it is written");
    let left: Vec<(String, u32, u64)> = waiting("a")
        .into_iter()
        .map(|alert| (alert.alert, alert.tries, alert.due))
        .collect();
    assert_eq!(left, [("two".to_owned(), 1, 7), ("three".to_owned(), 0, 0)]);
    assert_eq!(waiting("b").len(), 3);
}

#[test]
fn settled_hours_are_forgotten_and_others_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let all = [object("a", NINE), object("b", NINE + 3600)];
    ledger
        .write(|change| {
            all.iter()
                .try_for_each(|object| change.see(object, 0).map(drop))?;
            change.judged(
                NINE,
                HourState::Settled,
                &all[..1],
                &BTreeSet::new(),
                1,
                None,
            )?;
            change.forget(NINE + 7200)
        })
        .expect("it is written");
    let left = ledger.read().and_then(|view| view.objects(0..u32::MAX));
    assert_eq!(left.expect("objects"), [all[1].clone()]);
}

#[test]
fn one_process_writes_and_others_look() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(
        Ledger::look(folder.path())
            .expect("it is looked for")
            .is_none()
    );
    let ledger = open(folder.path());
    ledger
        .write(|change| change.set("newest", 5))
        .expect("it is written");
    let view = Ledger::look(folder.path())
        .expect("it is looked at")
        .expect("a ledger");
    assert_eq!(view.counter("newest").expect("a counter"), 5);
    let second = Ledger::open(folder.path(), "scope");
    assert!(matches!(second, Err(LedgerError::InUse { .. })));
    drop((ledger, view));
    assert!(Ledger::open(folder.path(), "scope").is_ok());
}

#[test]
fn other_ledgers_are_refused_and_stay_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    let other = Ledger::open(folder.path(), "another scope");
    let message = other.err().expect("it is refused").to_string();
    assert!(
        message.contains("belongs to another scope: scope; this is another scope"),
        "{message}"
    );

    let path = folder.path().join(FILE);
    let ledger = open(folder.path());
    ledger
        .write(|change| change.about_for_tests("format", "0"))
        .expect("it is written");
    drop(ledger);
    let message = Ledger::open(folder.path(), "scope")
        .err()
        .expect("it is refused")
        .to_string();
    assert!(message.contains("is of format 0"), "{message}");
    assert!(Ledger::look(folder.path()).is_err());

    for damage in [&b"not a ledger"[..], &[0; 4096]] {
        std::fs::write(&path, damage).expect("it is written");
        let message = Ledger::open(folder.path(), "scope")
            .err()
            .expect("it is refused")
            .to_string();
        assert!(message.contains("move it away"), "{message}");
        assert_eq!(std::fs::read(&path).expect("it is there"), damage);
    }
}

#[test]
fn what_is_set_aside_is_no_object_before_it_is_taken_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let ahead = object("a", NINE + 90_000);
    ledger
        .write(|change| change.set_aside(&ahead))
        .expect("it is written");
    let view = ledger.read().expect("a view");
    assert_eq!(view.aside().expect("objects"), std::slice::from_ref(&ahead));
    assert!(view.objects(0..u32::MAX).expect("objects").is_empty());
    ledger
        .write(|change| {
            change.see(&ahead, 0)?;
            change.take_up(&ahead.url)
        })
        .expect("it is written");
    let view = ledger.read().expect("a view");
    assert!(view.aside().expect("objects").is_empty());
    assert_eq!(view.objects(0..u32::MAX).expect("objects"), [ahead]);
}

#[test]
fn an_object_that_could_not_be_read_leaves_its_hour_due() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let all = [object("a", NINE), object("b", NINE)];
    let lacked = BTreeSet::from([all[1].url.clone()]);
    ledger
        .write(|change| {
            all.iter()
                .try_for_each(|object| change.see(object, 0).map(drop))?;
            change.judged(NINE, HourState::Settled, &all, &lacked, NINE + 900, None)
        })
        .expect("it is written");
    let view = ledger.read().expect("a view");
    let states: Vec<ObjectState> = view
        .objects(0..u32::MAX)
        .expect("objects")
        .iter()
        .map(|object| object.state)
        .collect();
    assert_eq!(states, [ObjectState::Judged, ObjectState::Looked]);
    assert_eq!(view.hours().expect("hours")[0].due, Some(NINE + 900));
}

#[test]
fn a_settled_hour_is_due_when_what_else_it_goes_by_is_there_or_something_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let first = object("a", NINE);
    let judged = |state, whole_at| {
        let judged = ledger.write(|change| {
            change.see(&first, 0)?;
            let all = std::slice::from_ref(&first);
            change.judged(NINE, state, all, &BTreeSet::new(), 1, whole_at)
        });
        judged.expect("it is written");
        let view = ledger.read().expect("a view");
        view.hours().expect("hours")[0].due
    };
    // It is settled in any case.
    assert_eq!(judged(HourState::Committed, Some(NINE + 90_000)), None);
    assert_eq!(judged(HourState::Settled, None), None);
    assert_eq!(
        judged(HourState::Settled, Some(NINE + 90_000)),
        Some(NINE + 90_000)
    );
    let came = ledger.write(|change| change.see(&object("b", NINE), NINE + 9000));
    came.expect("it is written");
    let view = ledger.read().expect("a view");
    assert_eq!(view.hours().expect("hours")[0].due, Some(NINE + 9000));
}
