//! What AWS Config recorded of network interfaces and instances, state by state; and files of any shape that tell of
//! interfaces.
//!
//! Source: AWS, *AWS Config Developer Guide*, the configuration history that Config delivers to S3, and *API Reference*,
//! `GetResourceConfigHistory`. Both have a list `configurationItems`. Of an item the history has the `configuration` as an
//! object, the call as a text of JSON; either way it is what the describe call of EC2 tells, its keys with a small letter
//! first.

use serde_json::Value;

use super::describe::place::interface_of;
use super::gather::Gathered;
use super::json::{Node, Wrong, excerpt, parse};
use super::{Config, ConfigError, Input, Instance, Interface, Tags};

/// What a file tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// How things are at one time, which the file does not say.
    Once(Box<Config>),
    /// States, each with its time.
    Over(History),
}

/// What AWS Config recorded, in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// States of interfaces.
    pub interfaces: Vec<Recorded>,
    /// Instances with their tags, each from when on: seconds since 1970, rounded up.
    pub instances: Vec<(i64, Instance)>,
}

/// A state of an interface, as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// When, seconds since 1970, rounded up.
    pub at: i64,
    /// The interface's id.
    pub id: String,
    /// The interface; none from when on it is deleted, or no longer recorded.
    pub interface: Option<Interface>,
}

/// The list that a history is recognised by.
const ITEMS: &str = "configurationItems";

/// The kinds of resources that are read of a history.
const INTERFACE: &str = "AWS::EC2::NetworkInterface";
const INSTANCE: &str = "AWS::EC2::Instance";

/// Reads a file of any shape, recognised by its keys: a history, Terraform's state or plan, or the output of describe calls.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn from_any(input: Input<'_>) -> Result<Told, ConfigError> {
    read(input).map_err(|wrong| wrong.in_file(input.name))
}

fn read(input: Input<'_>) -> Result<Told, Wrong> {
    if input.bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Wrong::new("expected JSON, got gzip").hint("unpack it first: gunzip"));
    }
    let value = parse(input)?;
    let root = Node::root(&value);
    if root.get(ITEMS)?.is_some() {
        return history(&root).map(Told::Over);
    }
    let mut gathered = Gathered::default();
    super::read_either(&root, input.name, &mut gathered)?;
    Ok(Told::Once(Box::new(gathered.finish())))
}

fn history(root: &Node<'_>) -> Result<History, Wrong> {
    if root.text("nextToken")?.is_some() {
        return Err(root
            .wrong("the output is incomplete: it ends with a nextToken")
            .hint("ask for all pages"));
    }
    let items = root.list(ITEMS)?;
    let mut history = History::default();
    for item in &items {
        match item.text("resourceType")? {
            Some(INTERFACE) => history.interfaces.push(state(item)?),
            Some(INSTANCE) if !is_gone(item)? => history.instances.push((
                time(item)?,
                Instance {
                    id: item.required("resourceId")?.to_owned(),
                    tags: tags(item)?,
                },
            )),
            _ => {}
        }
    }
    let is_empty = history.interfaces.is_empty() && history.instances.is_empty();
    if is_empty && !items.is_empty() {
        let what = format!("expected items of {INTERFACE} or {INSTANCE}, got none");
        return Err(root.wrong(what));
    }
    Ok(history)
}

fn state(item: &Node<'_>) -> Result<Recorded, Wrong> {
    let at = time(item)?;
    let id = item.required("resourceId")?.to_owned();
    let interface = match is_gone(item)? {
        true => None,
        false => Some(interface(item)?),
    };
    Ok(Recorded { at, id, interface })
}

/// Whether the item says that the resource is deleted, or no longer recorded.
fn is_gone(item: &Node<'_>) -> Result<bool, Wrong> {
    match item.required("configurationItemStatus")? {
        "OK" | "ResourceDiscovered" => Ok(false),
        "ResourceDeleted" | "ResourceDeletedNotRecorded" | "ResourceNotRecorded" => Ok(true),
        other => Err(item.wrong(format!(
            "`{}` is no configurationItemStatus that is known",
            excerpt(other)
        ))),
    }
}

/// The tags of an item, beside those in its configuration.
fn tags(item: &Node<'_>) -> Result<Tags, Wrong> {
    let mut tags = Tags::new();
    if let Some(node) = item.get("tags")? {
        for (key, _) in node.entries()? {
            let value = node.owned(key)?.unwrap_or_default();
            tags.insert(key.to_owned(), value);
        }
    }
    Ok(tags)
}

/// When an item was captured: a text, or seconds as older command lines print them.
fn time(item: &Node<'_>) -> Result<i64, Wrong> {
    const KEY: &str = "configurationItemCaptureTime";
    let Some(node) = item.get(KEY)? else {
        return Err(item.wrong(format!("expected `{KEY}`, which is not there")));
    };
    let seconds = match node.value {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|time| {
            let rest = i64::from(time.subsec_nanosecond() > 0);
            time.as_second() + rest
        }),
        // Seconds of any date of a calendar are exact in this type.
        Value::Number(number) => number.as_f64().map(|seconds| seconds.ceil() as i64),
        _ => None,
    };
    seconds.ok_or_else(|| node.wrong("expected a time like 2026-01-01T00:00:00Z"))
}

fn interface(item: &Node<'_>) -> Result<Interface, Wrong> {
    const KEY: &str = "configuration";
    let Some(node) = item.get(KEY)? else {
        return Err(item.wrong(format!("expected `{KEY}`, which is not there")));
    };
    let written = match node.value {
        Value::String(text) => serde_json::from_str(text)
            .map_err(|error| node.wrong(format!("expected JSON in the text: {error}")))?,
        value => value.clone(),
    };
    let described = in_ec2s_words(written);
    let mut interface = interface_of(&Node::at(&described, node.path().to_owned()))?;
    let account = match item.owned("awsAccountId")? {
        Some(account) => Some(account),
        None => item.owned("accountId")?,
    };
    interface.account = interface.account.or(account);
    if let Some(region) = item.owned("awsRegion")? {
        interface.region = Some(region);
    }
    interface.tags.extend(tags(item)?);
    interface.sort();
    Ok(interface)
}

/// The same with every key's first letter a capital one. The parser has bounded how deep it is.
fn in_ec2s_words(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(in_ec2s_words).collect(),
        Value::Object(object) => {
            let entries = object.into_iter().map(|(mut key, value)| {
                if let Some(first) = key.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                (key, in_ec2s_words(value))
            });
            Value::Object(entries.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = from_any(Input {
            name: "a.json",
            bytes: text.as_bytes(),
        });
        let found = match told {
            Err(error) => error.to_string(),
            Ok(Told::Once(config)) => format!("once {}", config.interfaces.len()),
            Ok(Told::Over(history)) => {
                let instances = history
                    .instances
                    .iter()
                    .map(|(at, instance)| format!("{at} {} {:?}", instance.id, instance.tags));
                let states = history.interfaces.iter().map(|state| {
                    let interface = state.interface.as_ref();
                    let shown = interface.map_or("gone".to_owned(), |one| {
                        let list = |prefixes: &[crate::net::Prefix]| {
                            let texts: Vec<String> =
                                prefixes.iter().map(ToString::to_string).collect();
                            texts.join(",")
                        };
                        format!(
                            "{} {} {} {} {} {:?}",
                            one.vpc.as_deref().unwrap_or("-"),
                            list(&one.addrs),
                            list(&one.public),
                            one.groups.join(","),
                            one.kind.as_deref().unwrap_or("-"),
                            one.tags
                        )
                    });
                    format!("{} {} {shown}", state.at, state.id)
                });
                instances.chain(states).collect::<Vec<_>>().join("\n")
            }
        };
        assert!(found.starts_with(expected), "{found}");
    }

    fn item(status: &str, time: &str, configuration: &str) -> String {
        format!(
            r#"{{"configurationItems": [{{"resourceType": "AWS::EC2::NetworkInterface", "resourceId": "eni-1",
                "awsRegion": "us-east-2", "configurationItemStatus": "{status}",
                "configurationItemCaptureTime": {time}, "tags": {{"env": "prod"}}, "configuration": {configuration}}}]}}"#
        )
    }

    const STATE: &str = r#"{"networkInterfaceId": "eni-1", "vpcId": "vpc-1", "interfaceType": "natGateway",
        "privateIpAddress": "10.0.0.5", "association": {"publicIp": "198.51.100.5"},
        "privateIpAddresses": [{"privateIpAddress": "10.0.0.6", "association": {"publicIp": "198.51.100.6"}}],
        "ipv6Addresses": [{"ipv6Address": "2001:db8::5"}], "ipv4Prefixes": [{"ipv4Prefix": "10.0.0.16/28"}],
        "groups": [{"groupId": "sg-2"}, {"groupId": "sg-1"}], "tagSet": [{"key": "team", "value": "a"}]}"#;

    #[test]
    fn a_history_tells_states_with_their_times_in_both_forms() {
        let expected = "1767225601 eni-1 vpc-1 10.0.0.5/32,10.0.0.6/32,10.0.0.16/28,2001:db8::5/128 \
            198.51.100.5/32,198.51.100.6/32 sg-1,sg-2 nat_gateway {\"env\": \"prod\", \"team\": \"a\"}";
        check(&item("OK", "\"2026-01-01T00:00:00.250Z\"", STATE), expected);
        let text = serde_json::to_string(STATE).expect("a text of JSON");
        let time = "\"2026-01-01T01:00:01.000+01:00\"";
        check(&item("ResourceDiscovered", time, &text), expected);
        check(&item("OK", "1767225600.25", &text), expected);
        check(
            &item("ResourceDeleted", "1767225600", "null"),
            "1767225600 eni-1 gone",
        );
        check(
            r#"{"configurationItems": [{"resourceType": "AWS::EC2::Instance", "resourceId": "i-1", "configurationItemStatus": "OK",
                "configurationItemCaptureTime": 5, "tags": {"env": "prod"}, "configuration": {}}]}"#,
            "5 i-1 {\"env\": \"prod\"}",
        );
        check(r#"{"configurationItems": []}"#, "");
        check(r#"{"NetworkInterfaces": []}"#, "once 0");
    }

    #[test]
    fn what_is_wrong_with_a_history_is_named_with_its_place() {
        let time = "\"2026-01-01T00:00:00Z\"";
        check(
            &item("Lost", time, STATE),
            "a.json: at `configurationItems[0]`: `Lost` is no configurationItemStatus",
        );
        check(
            &item("OK", "\"noon\"", STATE),
            "a.json: at `configurationItems[0].configurationItemCaptureTime`: expected a time",
        );
        check(
            &item("OK", time, r#"{"privateIpAddress": "10.0.0.5"}"#),
            "a.json: at `configurationItems[0].configuration`: expected `NetworkInterfaceId`",
        );
        check(
            &item("OK", time, "\"{\""),
            "a.json: at `configurationItems[0].configuration`: expected JSON in the text",
        );
        check(
            r#"{"configurationItems": [{"resourceType": "AWS::EC2::Volume"}]}"#,
            "a.json: at `the file`: expected items of AWS::EC2::NetworkInterface or AWS::EC2::Instance, got none",
        );
        check(
            r#"{"configurationItems": [], "nextToken": "x"}"#,
            "a.json: at `the file`: the output is incomplete",
        );
        check("\u{1f}", "a.json: expected JSON");
        check(
            r#"{"lineage": "x", "terraform_version": "1"}"#,
            "a.json: at `the file`: this is Terraform's own",
        );
        check(
            "[]",
            "a.json: at `the file`: expected an object, got a list",
        );
    }
}
