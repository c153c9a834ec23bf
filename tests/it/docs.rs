//! What the manual shows works: its commands run, its options exist, its JSON parses, its links lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::cli_program::run;

#[test]
fn commands_of_the_documentation_run() {
    let mut seen = 0;
    for page in pages() {
        let folder = prepared_folder();
        for command in commands(&page) {
            let arguments = words(&command);
            let ran = run(folder.path(), &arguments);
            // 1 is an answer too: findings at or above --fail-on.
            assert!(
                matches!(ran.code, 0 | 1),
                "{}: `{command}` ended with {}:\n{}",
                page.display(),
                ran.code,
                ran.stderr
            );
            seen += 1;
        }
    }
    assert!(
        seen >= 10,
        "the documentation shows commands, {seen} of them"
    );
}

#[test]
fn options_in_the_documentation_exist_and_every_option_is_documented() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut known = BTreeSet::new();
    for command in [
        vec!["scan"],
        vec!["watch"],
        vec!["sql"],
        vec!["generate"],
        vec!["policy", "check"],
        vec!["policy", "test"],
        vec!["policy", "explain"],
        vec!["policy", "fix"],
        vec!["policy", "replay"],
        vec!["policy", "usage"],
        vec!["policy", "import", "terraform"],
        vec!["policy", "import", "aws"],
        vec!["policy", "diff"],
        vec!["policy", "drift"],
        vec!["policy", "controls"],
        vec!["policy", "suggest"],
        vec!["detect", "list"],
        vec!["detect", "learn"],
    ] {
        let help = run(folder.path(), &[command, vec!["--help"]].concat());
        known.extend(options(&help.stdout));
    }
    let mut documented = BTreeSet::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a readable page");
        for option in options(&text) {
            let of_others = [
                "--release",
                "--path",
                "--bench",
                "--locked",
                "--repeat",
                "--ours",
                "--seconds",
                "--group-id",
                "--ip-permissions",
                "--region",
            ];
            let of_another_program = of_others.contains(&option.as_str());
            assert!(
                known.contains(&option) || of_another_program,
                "{}: {option}",
                page.display()
            );
            documented.insert(option);
        }
    }
    known.remove("--help");
    known.remove("--version");
    let missing: Vec<_> = known.difference(&documented).collect();
    assert!(
        missing.is_empty(),
        "options that no page explains: {missing:?}"
    );
}

#[test]
fn output_in_the_readme_is_what_the_program_prints() {
    let readme = root().join("README.md");
    let shown = blocks(&readme, "text")
        .into_iter()
        .find(|block| block.contains("Coverage"));
    let ran = run(
        root(),
        &[
            "scan",
            "sample-logs/logs",
            "--policy",
            "policies/sec-003.toml",
        ],
    );
    let printed: Vec<&str> = ran.stdout.lines().collect();
    let (mut at, mut is_cut) = (0, false);
    for line in shown.expect("the README shows a report").lines() {
        // Behind a cut the next line that says something may be anywhere further on.
        if line == "…" || is_cut && line.is_empty() {
            is_cut = true;
            continue;
        }
        let rest = &printed[at..];
        let found = rest.iter().position(|printed| *printed == line);
        let found = found.filter(|skipped| is_cut || *skipped == 0);
        at += found.unwrap_or_else(|| panic!("the program does not print `{line}` there")) + 1;
        is_cut = false;
    }
}

#[test]
fn every_word_of_an_answer_is_explained() {
    use tidegate::judge::{Confidence, Kind, Orientation, Outcome, Reason, Verdict};
    use tidegate::policy::Severity;
    fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().copied().map(word).collect()
    }
    let vocabularies = [
        words(Orientation::ALL, Orientation::as_str),
        words(Outcome::ALL, Outcome::as_str),
        words(Verdict::ALL, Verdict::as_str),
        words(Reason::ALL, Reason::as_str),
        words(Kind::ALL, Kind::as_str),
    ];
    let page = fs::read_to_string(root().join("docs/verdicts.md")).expect("a readable page");
    for word in vocabularies.concat() {
        assert!(
            page.contains(&format!("`{word}`")),
            "docs/verdicts.md does not explain `{word}`"
        );
    }
    for word in [
        words(Confidence::ALL, Confidence::as_str),
        words(Severity::ALL, Severity::as_str),
    ]
    .concat()
    {
        assert!(page.contains(word), "docs/verdicts.md does not name {word}");
    }
}

#[test]
fn json_in_the_documentation_parses() {
    for page in pages() {
        for block in blocks(&page, "json") {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block);
            assert!(parsed.is_ok(), "{}: {parsed:?} in\n{block}", page.display());
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a readable page");
        for (_, rest) in text
            .match_indices("](")
            .map(|(index, _)| text.split_at(index + 2))
        {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = page.parent().expect("a page lies in a folder").join(target);
            assert!(path.exists(), "{}: {target}", page.display());
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and every page of the manual.
fn pages() -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(root().join("docs"));
    let mut pages: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| entry.expect("a readable folder").into_path())
        .collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

/// A folder in which the commands find what they name.
fn prepared_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["sample-logs", "policies", "docs"] {
        std::os::unix::fs::symlink(root().join(name), folder.path().join(name)).expect("a link");
    }
    // The next issue of a policy, as a reader would have it.
    let policy = fs::read_to_string(root().join("policies/sec-003.toml")).expect("a policy");
    let next = policy.replace("effective = 2025-11-15", "effective = 2026-02-25");
    fs::write(folder.path().join("sec-003-2026.toml"), next).expect("written");
    // What the describe calls would print of the sample's network.
    let network = root().join("tests/fix/network.json");
    std::os::unix::fs::symlink(network, folder.path().join("network.json")).expect("a link");
    folder
}

/// Code blocks of a language.
fn blocks(page: &Path, language: &str) -> Vec<String> {
    let text = fs::read_to_string(page).expect("a readable page");
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(found)) if found == language => open = Some(String::new()),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

/// Commands of the program that need nothing beyond this machine and the repository.
fn commands(page: &Path) -> Vec<String> {
    let text = blocks(page, "sh").concat().replace("\\\n", " ");
    let lines = text
        .lines()
        .map(|line| line.replace("cargo run --release -- ", "tidegate "));
    let ours = lines.filter_map(|line| line.strip_prefix("tidegate ").map(str::to_owned));
    // A policy of the reader's own is nothing to run; `policies/` has ours.
    ours.filter(|command| !command.contains("s3://") && !command.ends_with(" policy.toml"))
        .collect()
}

/// Words of a command as a shell splits them; single quotes only.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        match index % 2 {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    words
}

/// Long options that a text names.
fn options(text: &str) -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    for (index, _) in text.match_indices("--") {
        let before = text[..index].chars().next_back();
        let name: String = text[index + 2..]
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        let starts = before.is_none_or(|c| c.is_whitespace() || "`([/".contains(c));
        if starts && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            options.insert(format!("--{}", name.trim_end_matches('-')));
        }
    }
    options
}
