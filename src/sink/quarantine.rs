//! The `quarantine` table: lines that could not be decoded.

use super::columns::table;

/// How much of a line is kept, bytes: enough to recognise it; a line may be a mebibyte long.
const TEXT_BYTES: usize = 4096;

/// A line that could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineRow<'a> {
    /// The object.
    pub source: &'a str,
    /// The line, 1-based; the row of a Parquet object.
    pub line: u64,
    /// Why it could not be decoded.
    pub reason: &'a str,
    /// The line as it stands there; the table keeps its first 4096 bytes, what is no UTF-8 replaced.
    pub text: &'a [u8],
}

table! {
    /// Rows of `quarantine`.
    pub(super) QuarantineBatch, row: &QuarantineRow<'_> {
        source: Text = row.source;
        line: Count = row.line;
        reason: Text = row.reason;
        text: Text = &excerpt(row.text);
    }
}

fn excerpt(text: &[u8]) -> std::borrow::Cow<'_, str> {
    if text.len() <= TEXT_BYTES {
        return String::from_utf8_lossy(text);
    }
    // A character that the cut goes through is left out rather than replaced.
    let mut end = TEXT_BYTES;
    while end > TEXT_BYTES - 4 && text[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    String::from_utf8_lossy(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        fn check(text: &[u8], expected: &str) {
            assert_eq!(excerpt(text), expected);
        }
        check(b"a\xffb", "a\u{fffd}b");
        let long = format!("{}ä{}", "x".repeat(TEXT_BYTES - 1), "y".repeat(10));
        check(long.as_bytes(), &"x".repeat(TEXT_BYTES - 1));
        let long = format!("{}ä{}", "x".repeat(TEXT_BYTES - 2), "y".repeat(10));
        check(long.as_bytes(), &long[..TEXT_BYTES]);
    }
}
