//! Reading TOML with places: a file becomes a tree whose every value knows where it stands. Bounded, because files come
//! from anywhere: by size, by depth, by the number of errors.
//!
//! The tree is walked by hand rather than through serde, because serde stops at the first error of a file and loses
//! places inside flattened and untagged types.

use ::toml::Spanned;
use ::toml::de::DeTable;

use super::problem::Problems;

/// The largest policy file, bytes. Parsing takes some sixty times that in the worst case; long address lists belong into
/// pinned prefix lists.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The deepest key, `a.b.c`, in parts. The parser bounds brackets but not dots, and a tree too deep ends the stack.
const MAX_KEY_PARTS: usize = 16;

/// Files up to this size get all of their syntax errors, larger ones the first: each error costs some hundred bytes.
const MAX_BYTES_FOR_ALL_SYNTAX_ERRORS: usize = 256 << 10;

/// Reads the tree; syntax errors are noted, and what could be read in spite of them is returned. None if nothing can be
/// said of the rest.
pub(super) fn read<'t>(text: &'t str, problems: &mut Problems) -> Option<DeTable<'t>> {
    if text.len() > MAX_BYTES {
        let size = format!("{} MiB", MAX_BYTES >> 20);
        problems.add_with_hint(
            &(0..0),
            format!("the file has {} bytes: expected at most {size}", text.len()),
            "keep long address lists in files of their own and name them in [data] prefix_list_files",
        );
        return None;
    }
    if let Some(at) = too_deep(text) {
        problems.add(
            &(at..at + 1),
            format!("expected a key of at most {MAX_KEY_PARTS} parts"),
        );
        return None;
    }
    let (tree, errors) = if text.len() <= MAX_BYTES_FOR_ALL_SYNTAX_ERRORS {
        let (tree, errors) = DeTable::parse_recoverable(text);
        (Some(tree), errors)
    } else {
        match DeTable::parse(text) {
            Ok(tree) => (Some(tree), Vec::new()),
            Err(error) => (None, vec![error]),
        }
    };
    for error in errors {
        problems.add(
            &error.span().unwrap_or(text.len()..text.len()),
            error.message(),
        );
    }
    tree.map(Spanned::into_inner)
}

/// The byte of the first dot that makes a key deeper than [`MAX_KEY_PARTS`]; dots in strings and comments do not count.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut dots = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = behind_string(bytes, at);
                continue;
            }
            b'#' => {
                at += bytes[at..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(bytes.len() - at);
                continue;
            }
            b'.' => {
                dots += 1;
                if dots >= MAX_KEY_PARTS {
                    return Some(at);
                }
            }
            b'\n' | b'=' | b',' | b'[' | b'{' | b'}' => dots = 0,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The first byte behind the string that begins here; an unclosed one ends with its line (or the file, if of many).
fn behind_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let many_lines = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if many_lines { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !many_lines => return at,
            _ if byte == quote && !many_lines => return at + 1,
            _ if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str) -> String {
        let mut problems = Problems::default();
        let tree = read(text, &mut problems);
        drop(tree);
        problems
            .finish("p.toml", text)
            .errors()
            .iter()
            .map(|error| format!("{}:{} {}\n", error.line, error.column, error.message))
            .collect()
    }

    #[test]
    fn a_key_deeper_than_the_bound_is_an_error_not_a_stack_overflow() {
        for hostile in [
            "a.".repeat(500_000) + "b = 1",
            "[".to_owned() + &"a.".repeat(500_000) + "b]",
            "x = { ".to_owned() + &"a . ".repeat(100_000) + "b = 1 }",
        ] {
            assert!(problems_of(&hostile).ends_with("expected a key of at most 16 parts\n"));
        }
    }

    #[test]
    fn brackets_deeper_than_the_bound_are_an_error_not_a_stack_overflow() {
        for hostile in [
            "a = ".to_owned() + &"[".repeat(500_000),
            "a = ".to_owned() + &"{a=".repeat(50_000),
            "a = ".to_owned() + &"[".repeat(100_000) + &"]".repeat(100_000),
        ] {
            assert!(!problems_of(&hostile).is_empty());
        }
    }

    #[test]
    fn dots_in_strings_comments_and_numbers_are_no_depth() {
        let dots = ".".repeat(100);
        let text = format!(
            "a = \"{dots}\"\nb = '{dots}' # {dots}\nc = \"\"\"\n{dots}\"\\\"\"{dots}\"\"\"\nd = '''{dots}'{dots}'''\ne = [{}]\n",
            "1.5, ".repeat(100)
        );
        assert_eq!(problems_of(&text), "");
    }

    #[test]
    fn a_file_that_is_too_large_is_an_error() {
        assert!(problems_of(&"#".repeat(50_000_000)).contains("expected at most 4 MiB"));
    }

    #[test]
    fn all_syntax_errors_are_named() {
        assert_eq!(
            problems_of("a = \nb = 1\nb = 2\nc = 'x\n").lines().count(),
            3
        );
    }
}
