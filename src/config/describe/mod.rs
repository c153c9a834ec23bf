//! The shapes of EC2's describe calls, as `aws ec2 describe-… --output json` prints them.
//!
//! Source: AWS, *Amazon EC2 API Reference*, the response elements of each call.

mod acl;
mod group;
pub(super) mod place;

use serde_json::Value;

use super::gather::{Gathered, region_of_arn};
use super::json::{Node, Wrong, excerpt};
use super::{Config, ConfigError, Input, PrefixList, Tags};

/// Reads one element of a call's list.
type Read = fn(&Node<'_>, &mut Gathered) -> Result<(), Wrong>;

/// The lists that are read, with what reads an element.
const LISTS: [(&str, Read); 10] = [
    ("NatGateways", place::nat_gateway),
    ("NetworkAcls", acl::network_acl),
    ("NetworkInterfaces", place::interface),
    ("PrefixLists", prefix_list),
    ("Reservations", place::reservation),
    ("SecurityGroupRules", group::group_rule),
    ("SecurityGroups", group::security_group),
    ("Subnets", place::subnet),
    ("VpcEndpoints", place::endpoint),
    ("Vpcs", place::vpc),
];

/// The key of `get-managed-prefix-list-entries`, which does not say whose entries they are.
const ENTRIES: &str = "Entries";

/// Reads what describe calls print: any number of files, each with one list or several, recognised by their keys. The file
/// of a prefix list's entries has to have the list's id in its name, because nothing in it does.
///
/// # Errors
/// What is wrong, one error for each file.
pub fn from_describe(inputs: &[Input<'_>]) -> Result<Config, Vec<ConfigError>> {
    Gathered::from_files(inputs, file)
}

/// Reads what a call printed.
pub(super) fn file(root: &Node<'_>, name: &str, gathered: &mut Gathered) -> Result<(), Wrong> {
    if let Some(token) = root.get("NextToken")?
        && token.value.as_str() != Some("")
    {
        return Err(root
            .wrong("the output is incomplete: it ends with a NextToken")
            .hint("ask for all pages, or give the other pages' content too and remove NextToken"));
    }
    let mut num_lists = 0;
    for (key, _) in root.entries()? {
        if matches!(key, "NextToken" | "ResponseMetadata") {
            continue;
        }
        num_lists += 1;
        if key == ENTRIES {
            entries(root, name, gathered)?;
            continue;
        }
        let Some((_, read)) = LISTS.iter().find(|(known, _)| *known == key) else {
            return Err(unknown(root, &format!("unknown key `{}`", excerpt(key))));
        };
        for node in root.list(key)? {
            read(&node, gathered)?;
        }
        gathered.has_all_interfaces |= key == "NetworkInterfaces";
    }
    if num_lists == 0 {
        return Err(unknown(root, "nothing to read"));
    }
    Ok(())
}

fn unknown(root: &Node<'_>, what: &str) -> Wrong {
    let known: Vec<&str> = LISTS.iter().map(|(key, _)| *key).collect();
    let wrong = root.wrong(format!("{what}: expected {}, {ENTRIES}", known.join(", ")));
    if matches!(root.value, Value::Object(object) if object.contains_key("format_version")) {
        return wrong.hint("this looks like Terraform's: use `policy import terraform`");
    }
    wrong.hint("docs/import.md lists the calls whose output is read")
}

fn region(
    node: &Node<'_>,
    key: &str,
    vpc: Option<&str>,
    gathered: &mut Gathered,
) -> Result<(), Wrong> {
    if let (Some(vpc), Some(region)) = (vpc, node.text(key)?.and_then(region_of_arn)) {
        gathered.regions.push((vpc.to_owned(), region));
    }
    Ok(())
}

fn prefix_list(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = node.required("PrefixListId")?.to_owned();
    if node.get(ENTRIES)?.is_some() {
        list_entries(node, &id, gathered)?;
    }
    // What describe-prefix-lists tells of the lists of gateway endpoints.
    for prefix in node.prefixes("Cidrs")? {
        gathered.list_entries.push((id.clone(), prefix));
    }
    let list = PrefixList {
        id: id.clone(),
        name: node.owned("PrefixListName")?,
        entries: None,
    };
    gathered.prefix_lists.entry(id).or_insert(list);
    Ok(())
}

/// The entries of the prefix list that the file's name names.
fn entries(root: &Node<'_>, file: &str, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = file.rfind("pl-").map(|at| {
        let rest = file[at + "pl-".len()..].chars();
        let id: String = rest.take_while(char::is_ascii_alphanumeric).collect();
        format!("pl-{id}")
    });
    let Some(id) = id.filter(|id| id.len() > "pl-".len()) else {
        return Err(root
            .wrong(format!("`{ENTRIES}` do not say whose they are"))
            .hint("name the file after the prefix list: pl-0a1b2c3d.json"));
    };
    list_entries(root, &id, gathered)
}

fn list_entries(node: &Node<'_>, id: &str, gathered: &mut Gathered) -> Result<(), Wrong> {
    gathered.told_lists.insert(id.to_owned());
    for entry in node.list(ENTRIES)? {
        if let Some(prefix) = entry.prefix("Cidr")? {
            gathered.list_entries.push((id.to_owned(), prefix));
        }
    }
    Ok(())
}

fn tags(node: &Node<'_>, key: &str) -> Result<Tags, Wrong> {
    let mut tags = Tags::new();
    for tag in node.list(key)? {
        let value = tag.owned("Value")?.unwrap_or_default();
        tags.insert(tag.required("Key")?.to_owned(), value);
    }
    Ok(tags)
}
