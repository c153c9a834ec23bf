//! Names: what people called things, in the letters that a policy takes, each once.

use std::collections::BTreeSet;

use crate::config::is_known;
use crate::policy::reserved_words;

/// The longest name that is made, bytes; rules' ids hold two of them.
const MAX_NAME: usize = 44;

/// Names that are taken.
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// Nothing is taken but the words of the language.
    pub(super) fn new() -> Names {
        Names {
            taken: reserved_words().map(str::to_owned).collect(),
        }
    }

    /// The wanted name, or if that is taken, with the suffix, or with a number.
    pub(super) fn claim(&mut self, wanted: &str, suffix: &str) -> String {
        let candidates = [wanted.to_owned(), format!("{wanted}-{suffix}")];
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let free = candidates
            .into_iter()
            .chain(numbered)
            .find(|name| !self.taken.contains(name))
            .expect("numbers do not end");
        self.taken.insert(free.clone());
        free
    }
}

/// A text in the letters of names: lower case, `-` for runs of what names do not have. Empty if nothing is left.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() || "._/@+".contains(c) {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX_NAME {
            break;
        }
    }
    slug.trim_matches('-').to_owned()
}

/// The name of a thing: the first of these texts that has one, else its id, or what its resource is called.
pub(super) fn of(texts: &[Option<&str>], id: &str) -> String {
    let named = texts.iter().flatten().map(|text| slug(text));
    let by_id = if is_known(id) {
        slug(id)
    } else {
        of_address(id)
    };
    let mut all = named.chain([by_id]).filter(|name| !name.is_empty());
    all.next().unwrap_or_else(|| "unnamed".to_owned())
}

/// Whether the text is an id of AWS as the language takes it.
pub(super) fn is_id(text: &str, start: &str) -> bool {
    let rest = text.strip_prefix(start);
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// What stands for the id of something that does not exist yet, until people put in its own.
pub(super) fn planned_id(start: &str, address: &str) -> String {
    let name = of(&[], address);
    let plain = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!("{start}planned-{plain}")
}

/// `net-web-a` of `module.net.aws_security_group.web["a"]`.
fn of_address(address: &str) -> String {
    let parts = address.split('.');
    let telling: Vec<&str> = parts
        .filter(|part| *part != "module" && !part.starts_with("aws_"))
        .collect();
    slug(&telling.join("-").replace(['[', ']', '"'], "-"))
}

/// `kms` of `com.amazonaws.us-east-2.kms`.
pub(super) fn service(name: &str) -> String {
    let of_aws = name.strip_prefix("com.amazonaws.");
    let short = of_aws
        .and_then(|rest| rest.split_once('.'))
        .map(|(_, short)| short);
    let found = slug(short.unwrap_or(name));
    if found.is_empty() {
        "service".to_owned()
    } else {
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_people_wrote() {
        fn check(text: &str, expected: &str) {
            assert_eq!(slug(text), expected, "{text}");
        }
        check("Web Servers (prod)", "web-servers-prod");
        check("web_sg.1", "web_sg.1");
        check("--", "");
        check("日本", "");
        check(&"x".repeat(99), &"x".repeat(MAX_NAME));
        assert_eq!(
            of(&[None], "module.net[\"a\"].aws_security_group.web"),
            "net-a-web"
        );
        assert_eq!(of(&[Some("!!")], "sg-0a1b"), "sg-0a1b");
        assert_eq!(service("com.amazonaws.us-east-2.ecr.dkr"), "ecr.dkr");
        assert_eq!(
            service("com.amazonaws.vpce.us-east-1.vpce-svc-1"),
            "us-east-1.vpce-svc-1"
        );
    }

    #[test]
    fn a_name_is_given_once_and_never_a_word_of_the_language() {
        let mut names = Names::new();
        let all = ["app", "app", "app", "app", "default", "private"];
        let given: Vec<String> = all.iter().map(|name| names.claim(name, "sg")).collect();
        assert_eq!(
            given,
            [
                "app",
                "app-sg",
                "app-2",
                "app-3",
                "default-sg",
                "private-sg"
            ]
        );
    }
}
