//! Numbers as bars beside their labels.

use super::{Answer, MOST_DRAWN, fitted, longest, right};
use crate::cli::report::words;

/// Eighths of a cell, from the left.
const ACROSS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Each row's number as a bar behind its label; measures one below the other.
pub(super) fn bars(answer: &Answer, width: usize) -> String {
    let drawn = answer.labels.len().min(MOST_DRAWN);
    let mut text = String::new();
    for measure in &answer.measures {
        let labels = &answer.labels[..drawn];
        let label = longest(labels.iter()).min(width * 2 / 5);
        let number = longest(measure.texts[..drawn].iter());
        let room = width.saturating_sub(label + number + 3).max(8);
        let greatest = measure.values[..drawn].iter().flatten();
        let greatest = greatest.fold(0.0, |most: f64, value| most.max(value.abs()));
        text.push_str(&format!("{}\n", measure.name));
        for (row, name) in labels.iter().enumerate() {
            let bar =
                measure.values[row].map_or_else(String::new, |value| bar(value, greatest, room));
            let line = format!(
                "{} {} {bar}",
                fitted(name, label),
                right(&measure.texts[row], number)
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    let left = answer.labels.len() - drawn;
    if left > 0 {
        text.push_str(&format!(
            "{} are not drawn: order by what matters, and limit\n",
            words::counted(left as u64, "more row")
        ));
    }
    text
}

/// A bar of so many cells at most; one of a negative number is hatched.
fn bar(value: f64, greatest: f64, room: usize) -> String {
    if value == 0.0 || greatest == 0.0 {
        return String::new();
    }
    let eighths = ((value.abs() / greatest * room as f64 * 8.0).round() as usize).max(1);
    if value < 0.0 {
        return "░".repeat(eighths.div_ceil(8));
    }
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(ACROSS[eighths % 8]);
    }
    bar
}
