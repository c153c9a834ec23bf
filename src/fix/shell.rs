//! Words of a command as a POSIX shell takes them apart, whatever stands in them.

/// A word as it has to be typed: as it is if it is plain, else in single quotes. Control characters and characters that turn
/// the direction of text, which could make a command look like another on a terminal, are left out: no id, prefix or
/// option has one.
pub(super) fn word(text: &str) -> String {
    let text: String = text.chars().filter(|c| !is_unseen(*c)).collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether a character shows nothing itself and may change how others show.
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn no_text_leaves_its_word() {
        fn check(text: &str, expected: &str) {
            assert_eq!(word(text), expected, "{text:?}");
        }
        check("sg-0a1b", "sg-0a1b");
        check("", "''");
        check("a b", "'a b'");
        check("$(rm -rf ~)", "'$(rm -rf ~)'");
        check("a'; reboot; '", r"'a'\''; reboot; '\'''");
        check("`id`", "'`id`'");
        check("a\nreboot\u{1b}[2J", "'areboot[2J'");
        check("\u{202e}gs", "gs");
        check("~root", "'~root'");
    }

    /// What a shell makes of such a word is the text.
    #[test]
    fn a_shell_reads_what_was_meant() {
        let hostile = [
            "a'b\"c\\d $HOME `x` $(y) ; | & < > ( ) { } * ? [ ] ! # ~ %",
            "'''",
            "\\'",
            "-rf",
        ];
        for text in hostile {
            let typed = word(text);
            let mut read = String::new();
            let mut is_quoted = false;
            let mut chars = typed.chars();
            while let Some(c) = chars.next() {
                match c {
                    '\'' => is_quoted = !is_quoted,
                    '\\' if !is_quoted => read.extend(chars.next()),
                    c => {
                        assert!(is_quoted || c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c));
                        read.push(c);
                    }
                }
            }
            assert_eq!((read.as_str(), is_quoted), (text, false));
        }
    }
}
