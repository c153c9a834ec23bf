//! The policies of a run: one, or several of which each is in force from its `effective` day until that of the next.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::ScanError;
use super::policy_file;
use crate::net::hex;
use crate::policy::Policy;
use crate::sink::Day;

/// Changes whenever the form that several policies are hashed in does.
const FORM: &str = "tidegate policies 1";

/// A policy and the days that it judges.
pub struct Term {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its file.
    pub file: PathBuf,
    /// Midnight of its first day, seconds since 1970; none of the earliest, which also judges what was before.
    pub from: Option<u32>,
    /// Midnight of the first day that the next policy judges; none of the last.
    pub until: Option<u32>,
}

impl Term {
    /// What of a time, from since to until (none is from the beginning, to the end), it judges; none if nothing.
    pub fn within(&self, [since, until]: [Option<u32>; 2]) -> Option<[Option<u32>; 2]> {
        let since = since.max(self.from);
        let until = [until, self.until].into_iter().flatten().min();
        let is_empty = since
            .zip(until)
            .is_some_and(|(since, until)| since >= until);
        (!is_empty).then_some([since, until])
    }
}

/// The policies of a run, at least one, in the order of their time.
pub struct Terms(Vec<Term>);

impl Terms {
    /// Reads the files of policies. A single one judges all times, whatever its `effective`.
    ///
    /// # Errors
    /// As [`policy_file::load`], and when it cannot be told which of several is in force on a day.
    pub fn load(files: &[PathBuf]) -> Result<Terms, ScanError> {
        if files.is_empty() {
            return Err(ScanError::Usage {
                message: "expected a policy, got none".to_owned(),
                hint: Some("name its file with --policy".to_owned()),
            });
        }
        let mut read: Vec<(&Path, Policy)> = Vec::new();
        for file in files {
            read.push((file, policy_file::load(file)?));
        }
        // Without a date comes first.
        read.sort_by_key(|(_, policy)| policy.effective());
        for pair in read.windows(2) {
            check_follows(&pair[0], &pair[1])?;
        }
        let midnight = |policy: &Policy| {
            let effective = policy.effective().unwrap_or(0).max(0);
            u32::try_from(effective).unwrap_or(u32::MAX)
        };
        let begins: Vec<u32> = read.iter().map(|(_, policy)| midnight(policy)).collect();
        let terms = read
            .into_iter()
            .enumerate()
            .map(|(place, (file, policy))| Term {
                policy: Arc::new(policy),
                file: file.to_owned(),
                from: (place > 0).then(|| begins[place]),
                until: begins.get(place + 1).copied(),
            });
        Ok(Terms(terms.collect()))
    }

    /// All of them, in the order of their time.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Term> {
        self.0.iter()
    }

    /// The policy that was last to take effect.
    pub fn last(&self) -> &Policy {
        let last = self.0.last().expect("a run has a policy");
        &last.policy
    }

    /// Its file.
    pub fn last_file(&self) -> &Path {
        let last = self.0.last().expect("a run has a policy");
        &last.file
    }

    /// `[policy] id`; of several with different ones all of them, in the order of their time.
    pub fn policy_id(&self) -> String {
        let mut ids: Vec<&str> = self.iter().map(|term| term.policy.id()).collect();
        ids.dedup();
        ids.join(", ")
    }

    /// The policy's hash; of several one over their hashes and when each takes effect.
    pub fn policy_hash(&self) -> String {
        if let [only] = &*self.0 {
            return only.policy.hash().to_owned();
        }
        let mut digest = Sha256::new();
        digest.update(format!("{FORM}\n"));
        for term in self.iter() {
            let from = term.from.map_or("-".to_owned(), |from| from.to_string());
            digest.update(format!("{from} {}\n", term.policy.hash()));
        }
        hex(&digest.finalize())
    }

    /// Says so where what lies before the `effective` of the earliest of several policies is judged by it.
    pub fn early_note(&self, earliest: Option<Day>) -> Option<String> {
        let [first, _, ..] = &*self.0 else {
            return None;
        };
        let begins = u32::try_from(first.policy.effective()?).ok()?;
        let day = earliest.filter(|day| day.start() < begins)?;
        Some(format!(
            "no policy is in force before {}: days from {day} on were judged by {}, the earliest",
            Day::of(begins),
            first.policy.id()
        ))
    }
}

/// Whether the days of one policy and of the one that takes effect next can be told from each other.
fn check_follows(
    (file, policy): &(&Path, Policy),
    (next_file, next): &(&Path, Policy),
) -> Result<(), ScanError> {
    const HINT: &str = "of several policies each judges from its `effective` until that of the next: \
                        give it to all but the earliest, as a date under [policy]: effective = 2026-01-01";
    let wrong = |message: String| ScanError::Usage {
        message,
        hint: Some(HINT.to_owned()),
    };
    let (file, next_file) = (file.display(), next_file.display());
    let Some(effective) = next.effective() else {
        return Err(wrong(format!(
            "cannot tell which policy is in force when: `{file}` and `{next_file}` both lack `effective`"
        )));
    };
    if policy.effective() == Some(effective) {
        return Err(wrong(format!(
            "cannot tell which policy is in force when: `{file}` and `{next_file}` take effect at the same time"
        )));
    }
    for (file, effective) in [(file, policy.effective()), (next_file, Some(effective))] {
        if effective.is_some_and(|effective| effective.rem_euclid(86_400) != 0) {
            return Err(ScanError::Usage {
                message: format!(
                    "`{file}` takes effect within a day: expected 00:00 UTC of its `effective` where several policies are given"
                ),
                hint: Some(
                    "findings are made per day, so a day is judged by one policy: write a bare date, effective = 2026-01-01"
                        .to_owned(),
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files with these lines under `[policy]`, read together.
    fn load(policies: &[&str]) -> Result<Terms, ScanError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = policies.iter().enumerate().map(|(number, lines)| {
            let file = folder.path().join(format!("{number}.toml"));
            let text = format!("[policy]\n{lines}\n[networks.prod]\ncidrs = [\"10.0.0.0/16\"]\n");
            std::fs::write(&file, text).expect("written");
            file
        });
        let files: Vec<PathBuf> = files.collect();
        Terms::load(&files)
    }

    fn check(policies: &[&str], expected: &[(&str, Option<u32>, Option<u32>)]) -> Terms {
        let terms = load(policies).unwrap_or_else(|error| panic!("{error}"));
        let found: Vec<_> = terms
            .iter()
            .map(|term| (term.policy.id(), term.from, term.until))
            .collect();
        assert_eq!(found, expected);
        terms
    }

    const DAY: u32 = 86_400;

    #[test]
    fn a_policy_is_in_force_until_the_next_takes_effect() {
        let a = "id = \"a\"\neffective = 1970-01-02";
        let b = "id = \"b\"\neffective = 1970-01-03T00:00:00Z";
        let c = "id = \"c\"";
        check(&[a], &[("a", None, None)]);
        check(&[c], &[("c", None, None)]);
        let all = [
            ("c", None, Some(DAY)),
            ("a", Some(DAY), Some(2 * DAY)),
            ("b", Some(2 * DAY), None),
        ];
        check(&[a, b, c], &all);
        let terms = check(&[c, b, a], &all);
        assert_eq!(terms.policy_id(), "c, a, b");
        check(
            &[b, a],
            &[("a", None, Some(2 * DAY)), ("b", Some(2 * DAY), None)],
        );
    }

    #[test]
    fn the_hash_of_several_covers_their_hashes_and_dates() {
        let a = "id = \"a\"\neffective = 1970-01-02";
        let b = |day: u32| format!("id = \"a\"\neffective = 1970-01-0{day}");
        let hash = |policies: &[&str]| {
            let terms = load(policies).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(terms.policy_id(), "a");
            terms.policy_hash()
        };
        let lone = load(&[a]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(lone.policy_hash(), lone.last().hash());
        let hashes = [
            hash(&[a]),
            hash(&[a, &b(3)]),
            hash(&[a, &b(4)]),
            hash(&[a, &b(3), &b(4)]),
        ];
        for (place, one) in hashes.iter().enumerate() {
            assert!(!hashes[..place].contains(one));
        }
        assert_eq!(hash(&[a, &b(3)]), hash(&[&b(3), a]));
        // When the earliest took effect decides nothing.
        assert_eq!(hash(&["id = \"a\"", &b(3)]), hash(&[a, &b(3)]));
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        let error = |policies: &[&str]| match load(policies) {
            Ok(_) => panic!("expected an error"),
            Err(error) => error.to_string(),
        };
        let dated = "id = \"a\"\neffective = 1970-01-02";
        let undated = "id = \"b\"";
        assert!(error(&[undated, undated, dated]).contains("both lack `effective`"));
        assert!(
            error(&[dated, "id = \"b\"\neffective = 1970-01-02T00:00:00Z"])
                .contains("at the same time")
        );
        for policies in [
            [undated, "id = \"c\"\neffective = 1970-01-03T12:00:00Z"],
            ["id = \"c\"\neffective = 1970-01-01T00:00:01Z", dated],
        ] {
            assert!(error(&policies).contains("within a day"), "{policies:?}");
        }
    }

    #[test]
    fn days_before_the_earliest_of_several_are_told_of() {
        let a = "id = \"a\"\neffective = 1970-01-03";
        let b = "id = \"b\"\neffective = 1970-01-04";
        let note = |policies: &[&str], day: Option<u32>| {
            let terms = load(policies).unwrap_or_else(|error| panic!("{error}"));
            terms.early_note(day.map(Day::of))
        };
        let told = note(&[a, b], Some(DAY)).unwrap_or_default();
        assert!(
            told.contains("before 1970-01-03: days from 1970-01-02 on were judged by a"),
            "{told}"
        );
        assert_eq!(note(&[a, b], Some(2 * DAY)), None);
        assert_eq!(note(&[a, b], None), None);
        assert_eq!(note(&[a], Some(DAY)), None);
        assert_eq!(note(&["id = \"a\"", b], Some(DAY)), None);
    }
}
