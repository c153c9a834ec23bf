//! A policy file with more words in a list of one of its rules: all the rest stays as it is written.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

/// The text with these words added to a list of the rule with this id, and the list as it is then. The list is made if the
/// rule has none. None if the file has no such rule, or the list is something else than words.
pub(super) fn with_words(
    text: &str,
    section: &str,
    id: &str,
    key: &str,
    words: &[String],
) -> Option<(String, Vec<String>)> {
    let tree = DeTable::parse(text).ok()?;
    let rules = tree.get_ref().get(section)?.get_ref().as_array()?;
    let rule = rules.iter().find_map(|rule| {
        let table = rule.get_ref().as_table()?;
        let own = table.get("id")?.get_ref().as_str()?;
        (own == id).then_some(table)
    })?;
    let listed = rule.get(key);
    let mut list = match listed.map(Spanned::get_ref) {
        None => Vec::new(),
        Some(DeValue::String(one)) => vec![one.to_string()],
        Some(DeValue::Array(several)) => several
            .iter()
            .map(|word| word.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>()?,
        Some(_) => return None,
    };
    for word in words {
        if !list.contains(word) {
            list.push(word.clone());
        }
    }
    let written = super::words::list(&list);
    if let Some(value) = listed {
        let mut text = text.to_owned();
        text.replace_range(value.span(), &written);
        return Some((text, list));
    }
    // Behind the value of a key that every rule has; as the next line, or within the braces of a rule on one line.
    let behind = rule.get("id")?.span().end;
    let line = text[behind..]
        .find('\n')
        .map_or(text.len(), |end| behind + end);
    let rest = text[behind..line].trim_start();
    let is_alone = rest.is_empty() || rest.starts_with('#') || rest.starts_with('\r');
    let mut changed = text.to_owned();
    if is_alone {
        changed.insert_str(line, &format!("\n{key} = {written}"));
    } else {
        changed.insert_str(behind, &format!(", {key} = {written}"));
    }
    Some((changed, list))
}

#[cfg(test)]
mod tests {
    use super::with_words;

    fn check(text: &str, key: &str, expected: &str) {
        let words = ["app".to_owned(), "db".to_owned()];
        let (changed, _) = with_words(text, "deny", "d", key, &words).expect("a rule");
        assert_eq!(changed, expected);
        let read: toml::Table = changed.parse().expect("TOML");
        let rules = read["deny"].as_array().expect("rules");
        let rule = rules.iter().find(|rule| rule["id"].as_str() == Some("d"));
        let list = rule.expect("the rule")[key].as_array().expect("a list");
        for word in words {
            assert!(list.iter().any(|known| known.as_str() == Some(&word)));
        }
    }

    #[test]
    fn words_come_into_the_rule_and_all_else_stays() {
        check(
            "# head\n[[deny]]\nid = \"x\"\n\n[[deny]]\nid = \"d\" # this one\nfrom = \"any\"\n",
            "from_except",
            "# head\n[[deny]]\nid = \"x\"\n\n[[deny]]\nid = \"d\" # this one\nfrom_except = [\"app\", \"db\"]\nfrom = \"any\"\n",
        );
        check(
            "[[deny]]\nid = \"d\"\nto_except = \"app\" # why\n",
            "to_except",
            "[[deny]]\nid = \"d\"\nto_except = [\"app\", \"db\"] # why\n",
        );
        check(
            "[[deny]]\nid = \"d\"\nto_except = [\n  \"é\", # é\n]\n",
            "to_except",
            "[[deny]]\nid = \"d\"\nto_except = [\"é\", \"app\", \"db\"]\n",
        );
        check(
            "deny = [{ id = \"d\", from = \"any\" }]\n",
            "from_except",
            "deny = [{ id = \"d\", from_except = [\"app\", \"db\"], from = \"any\" }]\n",
        );
        check(
            "[[deny]]\nid = \"d\"",
            "from_except",
            "[[deny]]\nid = \"d\"\nfrom_except = [\"app\", \"db\"]",
        );
    }

    #[test]
    fn what_is_not_there_is_not_changed() {
        let words = ["app".to_owned()];
        for text in [
            "",
            "a = 1",
            "[[deny]]\nid = \"e\"\n",
            "[[deny]]\nid = \"d\"\nfrom_except = 1\n",
            "deny = 1",
        ] {
            assert_eq!(with_words(text, "deny", "d", "from_except", &words), None);
        }
    }
}
