//! Conditions on a row that are tested before it is built: those that mean exactly what SQL means by them.
//!
//! A row passes where a condition is true. Where SQL says unknown (a null is compared) it does not pass, as in `WHERE`;
//! there is no negation here, so that nothing else can come of an unknown.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
};

use crate::flow::field::Kind;
use crate::flow::{Field, Record, Texts};

/// A condition on a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// The field's text is one of these (`true`) or none of these.
    Text(Field, bool, Vec<Box<[u8]>>),
    /// The field's number stands so to this.
    Number(Field, Compare, i64),
    /// The field's number is one of these (`true`) or none of these.
    Numbers(Field, bool, Vec<i64>),
    /// The field has no value (`true`), or has one.
    Null(Field, bool),
    /// One of these holds.
    Any(Vec<Condition>),
    /// All of these hold.
    All(Vec<Condition>),
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// The condition of a filter over the columns of `flows`; none if it is none of those that can be tested here.
    pub fn of(filter: &Arc<dyn PhysicalExpr>) -> Option<Condition> {
        if let Some(binary) = filter.downcast_ref::<BinaryExpr>() {
            return Condition::of_binary(binary);
        }
        if let Some(list) = filter.downcast_ref::<InListExpr>() {
            let field = field_of(list.expr())?;
            let values = list
                .list()
                .iter()
                .map(literal)
                .collect::<Option<Vec<_>>>()?;
            // A null in the list makes what is not found unknown.
            if list.negated() && values.iter().any(|value| value.is_null()) {
                return None;
            }
            let values = values.into_iter().filter(|value| !value.is_null());
            if field.kind() == Kind::Text {
                let texts = values.map(text).collect::<Option<_>>()?;
                return Some(Condition::Text(field, !list.negated(), texts));
            }
            let numbers = values
                .map(|value| number(field, value))
                .collect::<Option<_>>()?;
            return Some(Condition::Numbers(field, !list.negated(), numbers));
        }
        if let Some(null) = filter.downcast_ref::<IsNullExpr>() {
            return Some(Condition::Null(field_of(null.arg())?, true));
        }
        if let Some(not_null) = filter.downcast_ref::<IsNotNullExpr>() {
            return Some(Condition::Null(field_of(not_null.arg())?, false));
        }
        None
    }

    fn of_binary(binary: &BinaryExpr) -> Option<Condition> {
        let (left, right) = (binary.left(), binary.right());
        if matches!(binary.op(), Operator::And | Operator::Or) {
            let both = vec![Condition::of(left)?, Condition::of(right)?];
            return Some(match binary.op() {
                Operator::And => Condition::All(both),
                _ => Condition::Any(both),
            });
        }
        let (field, value, compare) = match (field_of(left), literal(right)) {
            (Some(field), Some(value)) => (field, value, Compare::of(*binary.op())?),
            _ => {
                let compare = Compare::of(*binary.op())?.turned();
                (field_of(right)?, literal(left)?, compare)
            }
        };
        if value.is_null() {
            return None;
        }
        if field.kind() != Kind::Text {
            return Some(Condition::Number(field, compare, number(field, value)?));
        }
        let is = match compare {
            Compare::Equal => true,
            Compare::NotEqual => false,
            _ => return None,
        };
        Some(Condition::Text(field, is, vec![text(value)?]))
    }

    /// Whether it is true of a row.
    pub fn holds(&self, record: &Record, texts: &impl Texts) -> bool {
        match self {
            Condition::Text(field, is, words) => texts.text(*field).is_some_and(|text| {
                // Text that is no UTF-8 is shown otherwise than it stands there.
                match std::str::from_utf8(text) {
                    Ok(_) => words.iter().any(|word| **word == *text) == *is,
                    Err(_) => {
                        let shown = String::from_utf8_lossy(text);
                        words.iter().any(|word| **word == *shown.as_bytes()) == *is
                    }
                }
            }),
            Condition::Number(field, compare, value) => {
                number_of(*field, record, texts).is_some_and(|number| compare.holds(number, *value))
            }
            Condition::Numbers(field, is, values) => number_of(*field, record, texts)
                .is_some_and(|number| values.contains(&number) == *is),
            Condition::Null(field, is) => {
                let is_null = match field.kind() {
                    Kind::Text => texts.text(*field).is_none(),
                    _ => number_of(*field, record, texts).is_none(),
                };
                is_null == *is
            }
            Condition::Any(some) => some.iter().any(|one| one.holds(record, texts)),
            Condition::All(all) => all.iter().all(|one| one.holds(record, texts)),
        }
    }

    /// Whether it looks at this field.
    pub fn reads(&self, field: Field) -> bool {
        match self {
            Condition::Text(own, ..)
            | Condition::Number(own, ..)
            | Condition::Numbers(own, ..)
            | Condition::Null(own, _) => *own == field,
            Condition::Any(some) | Condition::All(some) => some.iter().any(|one| one.reads(field)),
        }
    }
}

impl Compare {
    fn of(operator: Operator) -> Option<Compare> {
        Some(match operator {
            Operator::Eq => Compare::Equal,
            Operator::NotEq => Compare::NotEqual,
            Operator::Lt => Compare::Less,
            Operator::LtEq => Compare::LessOrEqual,
            Operator::Gt => Compare::Greater,
            Operator::GtEq => Compare::GreaterOrEqual,
            _ => return None,
        })
    }

    /// The same with the sides exchanged.
    fn turned(self) -> Compare {
        match self {
            Compare::Less => Compare::Greater,
            Compare::LessOrEqual => Compare::GreaterOrEqual,
            Compare::Greater => Compare::Less,
            Compare::GreaterOrEqual => Compare::LessOrEqual,
            same => same,
        }
    }

    fn holds(self, number: i64, value: i64) -> bool {
        match self {
            Compare::Equal => number == value,
            Compare::NotEqual => number != value,
            Compare::Less => number < value,
            Compare::LessOrEqual => number <= value,
            Compare::Greater => number > value,
            Compare::GreaterOrEqual => number >= value,
        }
    }
}

/// The number that the field's column shows; of times, microseconds.
fn number_of(field: Field, record: &Record, texts: &impl Texts) -> Option<i64> {
    match field.kind() {
        Kind::Text => None,
        Kind::Int64 => texts.integer(field),
        Kind::Int32 => texts
            .integer(field)
            .filter(|number| i32::try_from(*number).is_ok()),
        Kind::Time => {
            let seconds = if field == Field::Start {
                record.start
            } else {
                record.end
            };
            (seconds != 0).then(|| i64::from(seconds) * 1_000_000)
        }
    }
}

fn field_of(expression: &Arc<dyn PhysicalExpr>) -> Option<Field> {
    let column = expression.downcast_ref::<Column>()?;
    // Other columns (extra, source, line) have no field.
    Field::ALL
        .iter()
        .copied()
        .find(|field| field.column() == column.name())
}

fn literal(expression: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    Some(expression.downcast_ref::<Literal>()?.value())
}

fn text(value: &ScalarValue) -> Option<Box<[u8]>> {
    Some(value.try_as_str()??.as_bytes().into())
}

fn number(field: Field, value: &ScalarValue) -> Option<i64> {
    match (field.kind(), value) {
        (Kind::Int32, ScalarValue::Int32(Some(number))) => Some(i64::from(*number)),
        (Kind::Int64, ScalarValue::Int64(Some(number))) => Some(*number),
        (Kind::Time, ScalarValue::TimestampMicrosecond(Some(time), _)) => Some(*time),
        _ => None,
    }
}
