//! What a query's filters say of the objects that can hold its rows, before anything is listed.
//!
//! An object's key says when it was published: its records ended in the five minutes from then on, as AWS documents; but
//! AWS delivers some late, and samples end a little after (see [`EARLY_SECS`] and [`LATE_SECS`]). Its region is that of the flow
//! log, and so that of every record. Its account is the flow log's owner, which in a shared VPC need not be the
//! interface's: the `account_id` of a record prunes nothing, `key_account` does.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Operator};

use crate::source::Selection;

/// How long after its key's time a record may have ended, seconds: the publishing interval and as much again.
const EARLY_SECS: i64 = 600;
/// How much later than a record's end its object may have been published, seconds. Later ones are not found by time.
const LATE_SECS: i64 = 3600;
/// The longest capture window, seconds.
const WINDOW_SECS: i64 = 600;

/// A range of seconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) struct Span {
    pub first: i64,
    pub last: i64,
}

impl Span {
    const ALL: Span = Span {
        first: i64::MIN,
        last: i64::MAX,
    };

    fn and(self, other: Span) -> Span {
        Span {
            first: self.first.max(other.first),
            last: self.last.min(other.last),
        }
    }
}

/// The objects that may hold rows for which all of these filters hold.
pub(super) fn selection(filters: &[Expr]) -> Selection {
    // A record starts before it ends, at most a window before.
    let start = span_of(filters, "start");
    let end = span_of(filters, "end").and(Span {
        first: start.first,
        last: start.last.saturating_add(WINDOW_SECS),
    });
    let published = span_of(filters, "key_time").and(Span {
        first: end.first.saturating_sub(EARLY_SECS),
        last: end.last.saturating_add(LATE_SECS),
    });
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    let mut regions = words_of(filters, "region");
    if let Some(by_key) = words_of(filters, "key_region") {
        regions = Some(match regions {
            Some(known) => known
                .into_iter()
                .filter(|word| by_key.contains(word))
                .collect(),
            None => by_key,
        });
    }
    Selection {
        since: (published.first > 0).then(|| seconds(published.first)),
        until: (published.last < i64::from(u32::MAX)).then(|| seconds(published.last) + 1),
        accounts: words_of(filters, "key_account").map_or_else(Vec::new, or_nothing),
        regions: regions.map_or_else(Vec::new, or_nothing),
        ..Selection::default()
    }
}

/// No word at all is wanted, where an empty list would mean any.
fn or_nothing(words: Vec<String>) -> Vec<String> {
    if words.is_empty() {
        return vec![String::new()];
    }
    words
}

/// When a column of times lies, if all of these filters hold; seconds, widened to whole ones.
pub(in crate::sql) fn span_of(filters: &[Expr], column: &str) -> Span {
    let all = filters.iter().flat_map(split_conjunction);
    all.filter_map(|filter| comparison(filter, column))
        .fold(Span::ALL, Span::and)
}

fn comparison(filter: &Expr, column: &str) -> Option<Span> {
    let Expr::BinaryExpr(binary) = filter else {
        return None;
    };
    let (operator, value) = if is_column(&binary.left, column) {
        (binary.op, &binary.right)
    } else if is_column(&binary.right, column) {
        (binary.op.swap()?, &binary.left)
    } else {
        return None;
    };
    let second = second_of(value)?;
    let (first, last) = match operator {
        Operator::Eq => (second, second),
        Operator::Gt | Operator::GtEq => (second, i64::MAX),
        // Times of a fraction of a second more lie in the same whole one.
        Operator::Lt | Operator::LtEq => (i64::MIN, second),
        _ => return None,
    };
    Some(Span { first, last })
}

/// The values that a column of text must have one of, if all of these filters hold; none if they do not say.
fn words_of(filters: &[Expr], column: &str) -> Option<Vec<String>> {
    let mut all = filters
        .iter()
        .flat_map(split_conjunction)
        .filter_map(|filter| match filter {
            Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
                let value = if is_column(&binary.left, column) {
                    &binary.right
                } else if is_column(&binary.right, column) {
                    &binary.left
                } else {
                    return None;
                };
                Some(vec![word_of(value)?])
            }
            // A null among them finds nothing.
            Expr::InList(list) if !list.negated && is_column(&list.expr, column) => {
                list.list.iter().map(word_of).collect()
            }
            _ => None,
        });
    let first = all.next()?;
    Some(all.fold(first, |known: Vec<String>, words| {
        known
            .into_iter()
            .filter(|word| words.contains(word))
            .collect()
    }))
}

fn is_column(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Column(column) if column.name == name)
}

fn word_of(expression: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = expression else {
        return None;
    };
    value.try_as_str()?.map(str::to_owned)
}

fn second_of(expression: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expression else {
        return None;
    };
    match value {
        ScalarValue::TimestampSecond(Some(time), _) => Some(*time),
        ScalarValue::TimestampMillisecond(Some(time), _) => Some(time.div_euclid(1_000)),
        ScalarValue::TimestampMicrosecond(Some(time), _) => Some(time.div_euclid(1_000_000)),
        ScalarValue::Date32(Some(day)) => Some(i64::from(*day) * 86_400),
        ScalarValue::TimestampNanosecond(Some(time), _) => Some(time.div_euclid(1_000_000_000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn at(second: i64) -> Expr {
        let time = ScalarValue::TimestampMicrosecond(Some(second * 1_000_000), Some("UTC".into()));
        Expr::Literal(time, None)
    }

    #[test]
    fn times_leave_what_was_published_around_them() {
        fn check(filters: &[Expr], since: Option<u32>, until: Option<u32>) {
            let found = selection(filters);
            assert_eq!((found.since, found.until), (since, until), "{filters:?}");
        }
        check(&[], None, None);
        check(&[col("start").gt_eq(at(100_000))], Some(99_400), None);
        check(&[at(100_000).lt(col("end"))], Some(99_400), None);
        // A window and an hour after the start of the last one that is wanted; an object at that very second is.
        check(&[col("start").lt(at(100_000))], None, Some(104_201));
        check(&[col("end").lt_eq(at(100_000))], None, Some(103_601));
        check(
            &[col("key_time").eq(at(100_000))],
            Some(100_000),
            Some(100_001),
        );
        let both = col("start")
            .gt_eq(at(100_000))
            .and(col("end").lt(at(200_000)));
        check(&[both], Some(99_400), Some(203_601));
        check(
            &[col("start").gt(at(5)), col("start").gt(at(100_000))],
            Some(99_400),
            None,
        );
        // What leaves other rows, too.
        check(
            &[col("start").gt(at(100_000)).or(col("bytes").gt(lit(5i64)))],
            None,
            None,
        );
        check(&[!col("start").gt(at(100_000))], None, None);
        check(&[col("start").not_eq(at(100_000))], None, None);
        check(&[col("start").gt(col("end"))], None, None);
    }

    #[test]
    fn words_leave_their_folders() {
        fn check(filters: &[Expr], regions: &[&str], accounts: &[&str]) {
            let found = selection(filters);
            assert_eq!(found.regions, regions, "{filters:?}");
            assert_eq!(found.accounts, accounts, "{filters:?}");
        }
        check(&[col("region").eq(lit("a"))], &["a"], &[]);
        check(
            &[col("key_region").in_list(vec![lit("a"), lit("b")], false)],
            &["a", "b"],
            &[],
        );
        check(
            &[col("region").eq(lit("a")), col("key_region").eq(lit("b"))],
            &[""],
            &[],
        );
        check(
            &[col("key_account").eq(lit("123456789012"))],
            &[],
            &["123456789012"],
        );
        // The interface's owner need not be the flow log's.
        check(&[col("account_id").eq(lit("123456789012"))], &[], &[]);
        check(&[col("region").in_list(vec![lit("a")], true)], &[], &[]);
        check(
            &[col("region").eq(lit("a")).or(col("region").eq(lit("b")))],
            &[],
            &[],
        );
    }
}
