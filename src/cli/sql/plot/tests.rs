use std::sync::Arc;

use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

use super::*;

fn drawn(columns: Vec<(&str, ArrayRef)>) -> String {
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    );
    let rows = rows.expect("columns of one length");
    let mut plot = Plot::new(&rows.schema(), 60);
    // In two parts, as answers come.
    let half = rows.num_rows() / 2;
    plot.add(&rows.slice(0, half));
    plot.add(&rows.slice(half, rows.num_rows() - half));
    plot.render().expect("it is drawn")
}

fn numbers(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Int64Array>())
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn labels_have_bars() {
    let port = numbers(&[Some(443), Some(22), Some(53), Some(80)]);
    let tier = texts(&[
        "app",
        "data",
        "a tier with a name that is longer than most",
        "app",
    ]);
    let count = numbers(&[Some(1000), Some(1), None, Some(-500)]);
    insta::assert_snapshot!(drawn(vec![
        ("tier", tier),
        ("server_port", port),
        ("records", count)
    ]));
}

#[test]
fn of_numbers_alone_the_first_is_the_label() {
    let counts = numbers(&[Some(3), Some(6)]);
    insta::assert_snapshot!(drawn(vec![
        ("day", numbers(&[Some(1), Some(2)])),
        ("records", counts)
    ]));
}

#[test]
fn time_goes_from_left_to_right_with_gaps_where_nothing_is() {
    let hour = 3_600_000_000;
    let times = TimestampMicrosecondArray::from(vec![0, 5 * hour, hour, 2 * hour]);
    let counts = numbers(&[Some(1), Some(80), Some(40), Some(20)]);
    insta::assert_snapshot!(drawn(vec![("at", Arc::new(times)), ("records", counts)]));
}

#[test]
fn several_series_have_a_line_each() {
    let day = 24 * 3_600_000_000;
    let times = TimestampMicrosecondArray::from(vec![0, 0, day, day, 2 * day]);
    let counts = numbers(&[Some(1), Some(8), Some(2), Some(4), Some(3)]);
    let tiers = texts(&["app", "data", "app", "data", "app"]);
    insta::assert_snapshot!(drawn(vec![
        ("day", Arc::new(times)),
        ("tier", tiers),
        ("records", counts)
    ]));
}

#[test]
fn what_cannot_be_drawn_says_so() {
    assert!(drawn(vec![("tier", texts(&["app"]))]).contains("no column of numbers"));
    assert!(drawn(vec![("tier", texts(&[])), ("records", numbers(&[]))]).contains("0 rows"));
    let nothing = TimestampMicrosecondArray::from(vec![None]);
    let count = numbers(&[Some(1)]);
    assert!(
        drawn(vec![("at", Arc::new(nothing)), ("records", count)]).contains("no row has a time")
    );
}

#[test]
fn times_far_apart_and_many_are_drawn() {
    let times: Vec<i64> = (0..5000)
        .map(|n| n * n * 1_000_003)
        .chain([i64::MIN / 2, i64::MAX / 2])
        .collect();
    let count = numbers(&vec![Some(1); times.len()]);
    let drawn = drawn(vec![
        ("at", Arc::new(TimestampMicrosecondArray::from(times))),
        ("n", count),
    ]);
    assert!(
        drawn.lines().all(|line| line.chars().count() <= 140),
        "{drawn}"
    );
}
