//! What the inventory knows of every address at every instant, against a plain search through its files.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::net::{Addr, Prefix};
use crate::policy::fit::Truth;
use crate::policy::tests::{group_id, parse_with};
use crate::policy::{NetworkId, Policy};

/// The day on which everything begins, and how many there are.
const FIRST_DAY: i64 = 1_767_225_600;
const DAYS: i64 = 6;
const DAY: i64 = 86_400;

/// Two networks with the same prefix; a third VPC is nobody's.
const POLICY: &str = r#"
[policy]
id = "TWIN"
[networks.a]
vpcs = ["vpc-0"]
cidrs = ["10.0.0.0/24"]
[networks.b]
vpcs = ["vpc-1"]
cidrs = ["10.0.0.0/24"]
[[subnets]]
network = "a"
tier = "app"
cidrs = ["10.0.0.0/24"]
labels = { env = "subnet" }
[groups.sg-0]
security_groups = ["sg-0"]
[groups.sg-1-of-b]
network = "b"
security_groups = ["sg-1"]
[groups.x]
tags = { env = "x" }
[groups.eni-2]
interfaces = ["eni-2"]
[groups.nat]
interface_types = ["nat_gateway"]
[groups.balancer]
descriptions = ["ELB *"]
[[require]]
id = "same-env"
between = "any-tier"
same = ["env"]
"#;

#[derive(Clone, Debug)]
struct Eni {
    id: u8,
    vpc: u8,
    addrs: BTreeSet<u8>,
    instance: Option<u8>,
    /// Whether 10.0.0.0/28 is delegated to it.
    has_prefix: bool,
    public: Option<u8>,
    groups: BTreeSet<u8>,
    env: Option<char>,
    is_nat: bool,
    is_balancer: bool,
}

#[derive(Clone, Debug)]
enum File {
    /// A describe call's output, valid from a day on, or ever.
    Described(Option<i64>, Vec<Eni>),
    /// States by a history: half a day, and whether the interface is gone.
    History(Vec<(i64, bool, Eni)>),
    /// Instances and the tag `env` of each, valid from a day on, or ever.
    Instances(Option<i64>, Vec<(u8, Option<char>)>),
}

fn eni() -> impl Strategy<Value = Eni> {
    let sets = (
        proptest::collection::btree_set(0u8..4, 0..3),
        proptest::collection::btree_set(0u8..2, 0..3),
    );
    let flags = (
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
        any::<bool>(),
    );
    let ids = (0u8..4, 0u8..3, proptest::option::of(0u8..2));
    (
        ids,
        sets,
        proptest::option::weighted(0.3, 0u8..2),
        env(),
        flags,
    )
        .prop_map(
            |(
                (id, vpc, instance),
                (addrs, groups),
                public,
                env,
                (has_prefix, is_nat, is_balancer),
            )| Eni {
                id,
                vpc,
                instance,
                addrs,
                has_prefix,
                public,
                groups,
                env,
                is_nat,
                is_balancer,
            },
        )
}

fn env() -> impl Strategy<Value = Option<char>> {
    proptest::option::of(proptest::sample::select(vec!['x', 'y']))
}

fn files() -> impl Strategy<Value = Vec<File>> {
    let described = (
        proptest::option::weighted(0.7, 0..DAYS),
        proptest::collection::vec(eni(), 0..4),
    );
    let described = described.prop_map(|(day, mut enis)| {
        // Of what one call tells twice the first counts.
        let mut met = BTreeSet::new();
        enis.retain(|eni| met.insert(eni.id));
        File::Described(day.map(|day| FIRST_DAY + day * DAY), enis)
    });
    let state = (0..DAYS * 2, proptest::bool::weighted(0.3), eni());
    let states = state.prop_map(|(half, is_gone, eni)| (FIRST_DAY + half * DAY / 2, is_gone, eni));
    let history = proptest::collection::vec(states, 1..5).prop_map(File::History);
    let instances = (
        proptest::option::weighted(0.7, 0..DAYS),
        proptest::collection::btree_map(0u8..2, env(), 0..3),
    );
    let instances = instances.prop_map(|(day, tags)| {
        File::Instances(
            day.map(|day| FIRST_DAY + day * DAY),
            tags.into_iter().collect(),
        )
    });
    proptest::collection::vec(
        prop_oneof![3 => described, 2 => history, 2 => instances],
        1..5,
    )
}

impl Eni {
    fn kind(&self) -> &'static str {
        match self.is_nat {
            true => "nat_gateway",
            false => "interface",
        }
    }

    /// As the describe call prints it.
    fn json(&self) -> String {
        let addrs = self.addrs.iter();
        let addrs = addrs.map(|addr| format!("{{\"PrivateIpAddress\": \"10.0.0.{addr}\"}}"));
        let groups = self.groups.iter();
        let groups = groups.map(|group| format!("{{\"GroupId\": \"sg-{group}\"}}"));
        let tags = self.env.iter();
        let tags = tags.map(|env| format!("{{\"Key\": \"env\", \"Value\": \"{env}\"}}"));
        let association = self.public.map_or(String::new(), |public| {
            format!("\"Association\": {{\"PublicIp\": \"198.51.100.{public}\"}},")
        });
        let attachment = self.instance.map_or(String::new(), |instance| {
            format!("\"Attachment\": {{\"InstanceId\": \"i-{instance}\"}},")
        });
        let prefixes = match self.has_prefix {
            true => "{\"Ipv4Prefix\": \"10.0.0.0/28\"}",
            false => "",
        };
        let join = |texts: Vec<String>| texts.join(",");
        format!(
            "{{\"NetworkInterfaceId\": \"eni-{}\", \"VpcId\": \"vpc-{}\", \"InterfaceType\": \"{}\", {association} {attachment}
               \"Description\": \"{}\", \"PrivateIpAddresses\": [{}], \"Ipv4Prefixes\": [{prefixes}],
               \"Groups\": [{}], \"TagSet\": [{}]}}",
            self.id,
            self.vpc,
            self.kind(),
            if self.is_balancer { "ELB app/a" } else { "" },
            join(addrs.collect()),
            join(groups.collect()),
            join(tags.collect()),
        )
    }

    fn prefixes(&self) -> Vec<Prefix> {
        let addrs = self.addrs.iter().map(|addr| format!("10.0.0.{addr}/32"));
        let delegated = self.has_prefix.then(|| "10.0.0.0/28".to_owned());
        let texts = addrs.chain(delegated);
        texts.map(|text| text.parse().expect("a prefix")).collect()
    }

    /// Its tag at an instant: its own, else that of its instance, and whether that is not told.
    fn env(&self, files: &[File], at: i64) -> (Option<char>, bool) {
        let of_instance = self.instance.map(|id| instance_env(files, id, at));
        let lacks = of_instance == Some(None);
        (self.env.or(of_instance.flatten().flatten()), lacks)
    }

    /// The names of its groups as a member of a network, if this is its tag.
    fn members(&self, network: u8, env: Option<char>) -> BTreeSet<&'static str> {
        let groups = [
            ("sg-0", self.groups.contains(&0)),
            ("sg-1-of-b", self.groups.contains(&1) && network == 1),
            ("x", env == Some('x')),
            ("eni-2", self.id == 2),
            ("nat", self.is_nat),
            ("balancer", self.is_balancer),
        ];
        let held = groups.into_iter().filter(|(_, is)| *is);
        held.map(|(name, _)| name).collect()
    }
}

/// The first letter of every key small, as AWS Config writes them.
fn in_configs_words(json: &str) -> String {
    let mut words = String::new();
    let mut is_first = false;
    for letter in json.chars() {
        words.push(if is_first {
            letter.to_ascii_lowercase()
        } else {
            letter
        });
        is_first = letter == '"';
    }
    // Of values only one begins with a capital letter.
    words.replace("\"eLB", "\"ELB")
}

/// An entry of `inventory`.
fn entry(name: &str, from: Option<i64>) -> String {
    let date = from.map(|from| jiff::Timestamp::from_second(from).expect("a time"));
    match date {
        Some(date) => format!("{{ file = \"{name}\", valid_from = {date} }}"),
        None => format!("\"{name}\""),
    }
}

fn written(files: &[File]) -> (String, Vec<(String, String)>) {
    let mut entries = Vec::new();
    let mut texts = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let name = format!("{at}.json");
        let text = match file {
            File::Described(from, enis) => {
                entries.push(entry(&name, *from));
                let enis: Vec<String> = enis.iter().map(Eni::json).collect();
                format!("{{\"NetworkInterfaces\": [{}]}}", enis.join(","))
            }
            File::Instances(from, tags) => {
                entries.push(entry(&name, *from));
                let instances = tags.iter().map(|(id, env)| {
                    let tags = env.iter();
                    let tags =
                        tags.map(|env| format!("{{\"Key\": \"env\", \"Value\": \"{env}\"}}"));
                    let tags: Vec<String> = tags.collect();
                    format!(
                        "{{\"InstanceId\": \"i-{id}\", \"Tags\": [{}]}}",
                        tags.join(",")
                    )
                });
                let instances: Vec<String> = instances.collect();
                format!(
                    "{{\"Reservations\": [{{\"Instances\": [{}]}}]}}",
                    instances.join(",")
                )
            }
            File::History(states) => {
                entries.push(format!("\"{name}\""));
                let items = states.iter().map(|(from, is_gone, eni)| {
                    let time = jiff::Timestamp::from_second(*from).expect("a time");
                    let (status, state) = match is_gone {
                        true => ("ResourceDeleted", "null".to_owned()),
                        false => ("OK", in_configs_words(&eni.json())),
                    };
                    format!(
                        "{{\"resourceType\": \"AWS::EC2::NetworkInterface\", \"resourceId\": \"eni-{}\",
                           \"configurationItemStatus\": \"{status}\", \"configurationItemCaptureTime\": \"{time}\",
                           \"configuration\": {state}}}",
                        eni.id
                    )
                });
                let items: Vec<String> = items.collect();
                format!("{{\"configurationItems\": [{}]}}", items.join(","))
            }
        };
        texts.push((name, text));
    }
    let data = format!("[data]\ninventory = [{}]\n", entries.join(", "));
    (format!("{POLICY}\n{data}"), texts)
}

fn policy(files: &[File]) -> Policy {
    let (text, texts) = written(files);
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    parse_with(&text, &texts).unwrap_or_else(|errors| panic!("{}", errors.render(false)))
}

/// Everything that any file says of an interface up to an instant, with the time from which it says so.
fn said(files: &[File], id: u8, at: i64) -> Vec<(i64, Option<&Eni>)> {
    let mut said = Vec::new();
    for file in files {
        match file {
            File::Described(from, enis) => {
                let own = enis.iter().filter(|eni| eni.id == id);
                said.extend(own.map(|eni| (from.unwrap_or(i64::MIN), Some(eni))));
            }
            File::History(states) => {
                let own = states.iter().filter(|(_, _, eni)| eni.id == id);
                said.extend(own.map(|(from, gone, eni)| (*from, Some(eni).filter(|_| !gone))));
            }
            File::Instances(..) => {}
        }
    }
    said.retain(|(from, _)| *from <= at);
    said
}

/// The tag of an instance at an instant; none if nothing is told of its tags then.
fn instance_env(files: &[File], id: u8, at: i64) -> Option<Option<char>> {
    let mut said = Vec::new();
    for file in files {
        if let File::Instances(from, tags) = file {
            let own = tags.iter().filter(|(of, _)| *of == id);
            said.extend(own.map(|(_, env)| (from.unwrap_or(i64::MIN), *env)));
        }
    }
    said.retain(|(from, _)| *from <= at);
    let newest = said.iter().map(|(from, _)| *from).max()?;
    let values: BTreeSet<char> = said
        .into_iter()
        .filter(|(from, _)| *from == newest)
        .filter_map(|(_, env)| env)
        .collect();
    Some(match values.iter().collect::<Vec<_>>().as_slice() {
        [only] => Some(**only),
        _ => None,
    })
}

/// Whether a describe call after `from`, up to an instant, tells all interfaces of the VPC.
fn is_told_all(files: &[File], vpc: u8, from: i64, at: i64) -> bool {
    files.iter().any(|file| match file {
        File::Described(Some(since), enis) => {
            from < *since && *since <= at && enis.iter().any(|eni| eni.vpc == vpc)
        }
        _ => false,
    })
}

/// The states of interfaces that hold at an instant, with the time of their statements.
fn living(files: &[File], at: i64) -> Vec<(i64, &Eni)> {
    let mut living = Vec::new();
    for id in 0..4 {
        let said = said(files, id, at);
        let Some(newest) = said.iter().map(|(from, _)| *from).max() else {
            continue;
        };
        let states = said.into_iter().filter(|(from, _)| *from == newest);
        let states = states.filter_map(|(from, eni)| Some((from, eni?)));
        living.extend(states.filter(|(from, eni)| !is_told_all(files, eni.vpc, *from, at)));
    }
    living
}

/// Who has an address in a network at an instant: those with the longest prefix around it, of these the newest.
fn holders(files: &[File], network: u8, addr: Addr, at: i64) -> Vec<&Eni> {
    let mut holders: Vec<(u8, i64, &Eni)> = Vec::new();
    for (from, eni) in living(files, at) {
        if eni.vpc != network {
            continue;
        }
        let around = eni.prefixes().into_iter();
        let around = around.filter(|prefix| prefix.contains(addr));
        if let Some(longest) = around.map(|prefix| prefix.len()).max() {
            holders.push((longest, from, eni));
        }
    }
    let best = holders.iter().map(|(len, from, _)| (*len, *from)).max();
    let best = holders
        .into_iter()
        .filter(|(len, from, _)| Some((*len, *from)) == best);
    best.map(|(.., eni)| eni).collect()
}

fn check(files: &[File]) -> Result<(), TestCaseError> {
    let policy = policy(files);
    for half in -1..=DAYS * 2 + 1 {
        let at = FIRST_DAY + half * DAY / 2;
        for (network, last) in [0, 1].into_iter().flat_map(|n| (0..6).map(move |l| (n, l))) {
            let addr: Addr = format!("10.0.0.{last}").parse().expect("an address");
            let id = NetworkId(u16::from(network));
            let known = policy.known(Some(id), addr, at as u32);
            let holders = holders(files, network, addr, at);
            prop_assert_eq!(known.is_told(), !holders.is_empty(), "{} at {}", addr, half);
            let groups: BTreeSet<&str> = policy
                .groups_by_inventory(known)
                .iter()
                .map(|group| policy.group_name(*group))
                .collect();
            let expected: BTreeSet<&str> = holders
                .iter()
                .flat_map(|eni| eni.members(network, eni.env(files, at).0))
                .collect();
            let is_unknown = !expected.contains("x")
                && (holders.is_empty() || holders.iter().any(|eni| eni.env(files, at).1));
            let truth = policy.inventory.is_in_group(known, group_id(&policy, "x"));
            prop_assert_eq!(truth == Truth::Unknown, is_unknown, "{} at {}", addr, half);
            prop_assert_eq!(groups, expected, "{} at {}", addr, half);
            let values: BTreeSet<char> = holders
                .iter()
                .filter_map(|eni| eni.env(files, at).0)
                .collect();
            let label = match values.iter().collect::<Vec<_>>().as_slice() {
                [only] => Some(only.to_string()),
                _ => None,
            };
            prop_assert_eq!(
                policy.inventory.label(known, "env"),
                label.as_deref(),
                "{} at {}",
                addr,
                half
            );
            let carries = holders.iter().any(|eni| eni.is_nat);
            prop_assert_eq!(policy.carries_others(known), carries);
            let mut shown: Vec<String> = policy
                .interfaces_at(Some(id), addr, at as u32)
                .iter()
                .map(|story| story.id.to_owned())
                .collect();
            let mut expected: Vec<String> = holders
                .iter()
                .map(|eni| format!("eni-{}", eni.id))
                .collect();
            shown.sort();
            expected.sort();
            shown.dedup();
            expected.dedup();
            prop_assert_eq!(shown, expected, "{} at {}", addr, half);
        }
        for last in 0..2u8 {
            let addr: Addr = format!("198.51.100.{last}").parse().expect("an address");
            let living = living(files, at);
            let mut public = living.iter().filter_map(|(_, eni)| eni.public);
            let is_own = public.any(|public| public == last);
            prop_assert_eq!(policy.is_own_public(addr, at as u32), is_own);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_known_of_an_address_is_what_a_search_through_the_files_finds(files in files()) {
        check(&files)?;
    }

    #[test]
    fn the_order_of_files_means_nothing(files in files()) {
        let mut backwards = files.clone();
        backwards.reverse();
        let (one, other) = (policy(&files), policy(&backwards));
        prop_assert_eq!(one.hash(), other.hash());
        check(&backwards)?;
    }

    #[test]
    fn between_changes_nothing_else_is_known(files in files()) {
        let policy = policy(&files);
        for (network, last) in [0, 1].into_iter().flat_map(|n| (0..6).map(move |l| (n, l))) {
            let addr: Addr = format!("10.0.0.{last}").parse().expect("an address");
            let home = Some(NetworkId(network));
            let (first, last) = (FIRST_DAY - DAY, FIRST_DAY + (DAYS + 1) * DAY);
            let changes = policy.changes_of(home, addr, (first as u32, last as u32));
            let mut known = policy.known(home, addr, first as u32);
            for at in (first..=last).step_by(DAY as usize / 4) {
                let now = policy.known(home, addr, at as u32);
                if changes.contains(&(at as u32)) {
                    known = now;
                }
                prop_assert_eq!(known, now, "{} at {}", addr, at);
            }
        }
    }
}
