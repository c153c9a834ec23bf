//! What `policy check` finds as JSON: a list with an object for each error and lint, and for each file that cannot be
//! read.

use serde_json::{Value, json};

use super::Checked;
use crate::policy::{ERROR, LintLevel};

pub(super) fn render(checked: &[Checked<'_>]) -> String {
    let list: Vec<Value> = checked.iter().flat_map(of_file).collect();
    format!("{:#}\n", Value::Array(list))
}

fn of_file(checked: &Checked<'_>) -> Vec<Value> {
    let file = checked.file.display().to_string();
    if let Some(error) = checked.unread() {
        return vec![json!({
            "code": ERROR.code,
            "name": ERROR.name,
            "level": LintLevel::Error.as_str(),
            "message": error.to_string(),
            "file": file,
            "line": null,
            "column": null,
            "hint": error.hint(),
        })];
    }
    let remarks = checked.remarks().into_iter();
    remarks
        .map(|(kind, level, remark)| {
            json!({
                "code": kind.code,
                "name": kind.name,
                "level": level.as_str(),
                "message": remark.message,
                "file": file,
                "line": remark.line,
                "column": remark.column,
                "hint": remark.hint,
            })
        })
        .collect()
}
