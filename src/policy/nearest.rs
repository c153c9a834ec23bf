//! The name that was probably meant.

/// The known name that takes the fewest edits to reach, if that is few for its length, or that begins with what was
/// written. Of several the one with the same first letter, then the first by name.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let wanted: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let bound = (wanted.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| {
            let begins_so = wanted.len() >= 3 && candidate.starts_with(name);
            let num_edits = edits(&wanted, candidate);
            let other_letter = candidate.chars().next() != name.chars().next();
            (
                if begins_so {
                    num_edits.min(bound)
                } else {
                    num_edits
                },
                other_letter,
                candidate,
            )
        })
        .filter(|(num_edits, ..)| *num_edits <= bound)
        .min()
        .map(|(.., candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours that lead from one name to the other (optimal string
/// alignment).
fn edits(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, from_char) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to_char) in to.iter().enumerate() {
            let substituted = above[j] + usize::from(from_char != to_char);
            let mut least = substituted.min(above[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && from[i - 1] == *to_char && to[j - 1] == *from_char;
            if swapped {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_few_edits_away() {
        let known = ["weaviate", "public", "app", "data", "same-az"];
        for (name, expected) in [
            ("weavaite", Some("weaviate")),
            ("pubilc", Some("public")),
            ("ap", Some("app")),
            ("dta", Some("data")),
            ("SAME-AZ", Some("same-az")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
