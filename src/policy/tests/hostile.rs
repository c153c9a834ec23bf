//! Files that mean harm end in an error, soon.

use super::*;

#[test]
fn hostile_input_ends_in_errors() {
    let many = |item: &str, times: usize| item.repeat(times);
    for text in [
        "\u{0}".to_owned(),
        "\u{feff}[policy]".to_owned(),
        "[policy]\nid = \"\u{202e}evil\"".to_owned(),
        "[policy]\nid = \"e\u{301}\u{200b}\"".to_owned(),
        many("[[allow]]\n", 20_000),
        many("[policy]\n", 10_000),
        format!("[policy]\nid = \"{}\"", many("x", 1_000_000)),
        format!("[[allow]]\nfrom = [{}]", many("\"x\",", 300_000)),
        many("a = \"\n", 30_000),
        format!("[destinations.d]\ncidrs = [{}]", many("\"1\",", 300_000)),
        many("=", 300_000),
        "\u{1b}[31m = 1".to_owned(),
    ] {
        let errors = parse(&text).err().expect("an error");
        assert!(!errors.errors().is_empty());
        assert!(!errors.to_string().contains('\u{1b}'));
    }
}

#[test]
fn address_space_in_too_many_pieces_is_an_error() {
    let mut text = BASE.to_owned();
    for i in 0..1000 {
        text += &format!("[destinations.d{i}]\ncidrs = [\"0.0.0.0/0\"]\n");
    }
    let lists: Vec<String> = (0..17_000u32)
        .map(|i| format!("\"{}.{}.{}.0/24\"", 11 + (i >> 16), i >> 8 & 255, i & 255))
        .collect();
    text += &format!("[destinations.many]\ncidrs = [{}]\n", lists.join(","));
    let errors = parse(&text).err().expect("too many pieces");
    assert!(
        errors.errors()[0]
            .message
            .starts_with("too many prefixes hold each other")
    );
}

mod mutated {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn no_change_to_a_policy_makes_the_parser_panic(at in 0usize..20_000, length in 0usize..200, with in "\\PC{0,20}|[\\[\\]{}=\",.#\n\\-0-9a-z]{0,30}") {
            let text = include_str!("../../../policies/sec-003.toml");
            let floor = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let (from, until) = (floor(at), floor(at + length));
            let changed = format!("{}{with}{}", &text[..from], &text[until..]);
            if let Err(errors) = parse(&changed) {
                prop_assert!(!errors.render(true).is_empty());
            }
        }
    }
}
