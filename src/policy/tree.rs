//! Reading TOML with places: a file becomes a tree whose every value knows where it stands. Bounded, because files come
//! from anywhere: by size, by depth, by the number of errors.
//!
//! The tree is walked by hand rather than through serde, because serde stops at the first error of a file and loses
//! places inside flattened and untagged types.

use ::toml::Spanned;
use ::toml::de::DeTable;
use toml_parser::lexer::TokenKind;

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

/// The byte of the first dot that makes a key deeper than [`MAX_KEY_PARTS`]. Told from the parser's own tokens, so that both
/// agree on where strings and comments end.
fn too_deep(text: &str) -> Option<usize> {
    let mut num_dots = 0;
    for token in toml_parser::Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => num_dots += 1,
            TokenKind::Newline | TokenKind::Equals | TokenKind::Comma => num_dots = 0,
            _ => {}
        }
        if num_dots >= MAX_KEY_PARTS {
            return Some(token.span().start());
        }
    }
    None
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
            "x = { y = \"\"\"z\"\"\"\", ".to_owned() + &"a.".repeat(500_000) + "b = 1 }",
            "x = \"y\\\n".to_owned() + &"a.".repeat(500_000) + "b = 1",
            "# x\r".to_owned() + &"a.".repeat(500_000) + "b = 1",
            "'a'.\"b\".".repeat(250_000) + "c = 1",
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
