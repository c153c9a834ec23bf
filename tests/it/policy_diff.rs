//! `policy::diff` against brute force: random small policies, random edits, and questions asked of both policies one by
//! one. A question with another answer must be in just one change, any other question in none.
//!
//! A change is read as its reader would: by its words for zones, groups and evidence, and by its ranges.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tidegate::net::aws::Service;
use tidegate::net::{Addr, protocol};
use tidegate::policy::diff::{Change, ChangeKind, Diff, Membership, Options, Side, diff};
use tidegate::policy::{End, GroupId, InterfaceFacts, Known, NetworkId, Path, Policy, Question};

/// Pairs of policies of one run; `TIDEGATE_DIFF_CASES` asks for more.
const CASES: u32 = 60;

/// Questions for each pair of policies.
const QUESTIONS: usize = 1200;

#[test]
fn changes_hold_every_question_with_another_answer_and_no_other() {
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().expect("a number"))
    };
    let seed = number("TIDEGATE_DIFF_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let cases = number("TIDEGATE_DIFF_CASES").map_or(CASES, |cases| cases as u32);
    let met = std::cell::RefCell::new(BTreeSet::new());
    run(seed, cases, |case| {
        let found = check(&case).map_err(TestCaseError::fail)?;
        met.borrow_mut().extend(found);
        Ok(())
    });
    // Agreement over cases in which nothing ever changes would mean nothing.
    let met = met.into_inner();
    let all = [
        "newly-allowed",
        "newly-denied",
        "newly-unproven",
        "other-rule",
        "groups",
        "except",
        "addresses",
        "service",
        "facts",
        "path",
        "encrypted",
        "dates",
        "moved for a time",
        "family",
        "another zone",
    ];
    let missing: Vec<&str> = all.into_iter().filter(|word| !met.contains(word)).collect();
    assert!(
        missing.is_empty(),
        "TIDEGATE_DIFF_SEED={seed}: never met {missing:?}"
    );
}

fn run(seed: u64, cases: u32, test: impl Fn(Case) -> Result<(), TestCaseError>) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    if let Err(failure) = TestRunner::new_with_rng(config, rng).run(&case(), test) {
        panic!("TIDEGATE_DIFF_SEED={seed}\n{failure}");
    }
}

/// Two policies, what is asked for, and a seed for questions.
#[derive(Clone)]
struct Case {
    old: World,
    new: World,
    options: Options,
    seed: u64,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?} seed {}", self.options, self.seed)?;
        writeln!(f, "# old\n{}", self.old.to_toml())?;
        writeln!(f, "# new\n{}", self.new.to_toml())
    }
}

/// What is varied of a policy file, part by part.
#[derive(Clone, Debug)]
struct World {
    /// Whether there is a second network, connected to the first.
    has_shared: bool,
    /// The text of pinned ranges.
    ranges: Option<&'static str>,
    effective: bool,
    subnets: Vec<String>,
    groups: Vec<String>,
    rules: Vec<String>,
    requires: Vec<String>,
}

impl World {
    fn to_toml(&self) -> String {
        let mut toml = String::from("[policy]\nid = \"P\"\n");
        if self.effective {
            toml += "effective = 1970-01-01T00:10:00Z\n";
        }
        toml += "[tiers.a]\n[tiers.b]\n[tiers.c]\n";
        toml +=
            "[networks.prod]\nvpcs = [\"vpc-1\"]\ncidrs = [\"10.0.0.0/28\", \"2600:1f16::/124\"]\n";
        if self.has_shared {
            toml += "connected_to = [\"shared\"]\n";
            toml += "[networks.shared]\nvpcs = [\"vpc-2\"]\ncidrs = [\"10.0.1.0/30\"]\n";
            toml += "[[subnets]]\nnetwork = \"shared\"\ntier = \"a\"\naz = \"x\"\ncidrs = [\"10.0.1.0/31\"]\n";
        }
        toml += "[[subnets]]\nnetwork = \"prod\"\ntier = \"c\"\naz = \"x\"\nlabels = { env = \"p\" }\ncidrs = [\"10.0.0.14/31\"]\n";
        toml += &self.subnets.concat();
        toml += &self.groups.concat();
        for (at, rule) in self.rules.iter().enumerate() {
            let (effect, rest) = rule.split_once('\n').expect("an effect and the rest");
            let _ = write!(toml, "[[{effect}]]\nid = \"rule-{at}\"\n{rest}");
        }
        for (at, require) in self.requires.iter().enumerate() {
            let _ = write!(toml, "[[require]]\nid = \"require-{at}\"\n{require}");
        }
        if self.ranges.is_some() {
            toml += "[data]\nip_ranges = \"ranges.json\"\n";
        }
        toml
    }

    fn parse(&self) -> Policy {
        let ranges = |_: &str| Ok(self.ranges.unwrap_or_default().as_bytes().to_vec());
        let toml = self.to_toml();
        Policy::parse("policy.toml", &toml, &ranges)
            .unwrap_or_else(|errors| panic!("{errors}\n{toml}"))
    }

    /// Whether a rule or require has this word.
    fn names(&self, word: &str) -> bool {
        let quoted = format!("\"{word}\"");
        self.rules
            .iter()
            .chain(&self.requires)
            .any(|text| text.contains(&quoted))
    }
}

const RANGES: [&str; 2] = [
    r#"{"prefixes": [{"ip_prefix": "52.0.0.0/31", "region": "us-east-2", "service": "S3"}, {"ip_prefix": "52.0.0.0/30", "region": "us-east-2", "service": "AMAZON"}], "ipv6_prefixes": []}"#,
    r#"{"prefixes": [{"ip_prefix": "52.0.0.1/32", "region": "us-east-2", "service": "DYNAMODB"}, {"ip_prefix": "52.0.0.0/31", "region": "us-east-2", "service": "EC2"}], "ipv6_prefixes": []}"#,
];

fn case() -> impl Strategy<Value = Case> {
    let at = prop_oneof![4 => Just(None), 1 => select(vec![0u32, 1500, 5000]).prop_map(Some)];
    (
        world(),
        world(),
        vec(prop::bool::weighted(0.2), 32),
        at,
        prop::bool::weighted(0.7),
        any::<u64>(),
    )
        .prop_map(|(old, other, takes, at, with_rules, seed)| {
            let mut takes = takes.into_iter().cycle();
            let mut pick = |mine: &[String], others: &[String]| -> Vec<String> {
                let most = mine.len().max(others.len());
                let picked = (0..most).filter_map(|at| {
                    if takes.next() == Some(true) {
                        others.get(at)
                    } else {
                        mine.get(at)
                    }
                });
                picked.cloned().collect()
            };
            let new = World {
                subnets: pick(&old.subnets, &other.subnets),
                groups: pick(&old.groups, &other.groups),
                rules: pick(&old.rules, &other.rules),
                requires: pick(&old.requires, &other.requires),
                has_shared: if seed % 8 == 0 {
                    other.has_shared
                } else {
                    old.has_shared
                },
                ranges: if seed % 5 == 0 {
                    other.ranges
                } else {
                    old.ranges
                },
                effective: other.effective,
            };
            Case {
                old,
                new,
                options: Options { at, with_rules },
                seed,
            }
        })
}

fn world() -> impl Strategy<Value = World> {
    let ranges = prop_oneof![
        3 => Just(None),
        1 => select(RANGES.to_vec()).prop_map(Some),
    ];
    (
        prop::bool::weighted(0.3),
        ranges,
        prop::bool::weighted(0.2),
        (
            subnet("10.0.0.0/30"),
            subnet("10.0.0.4/30"),
            subnet("10.0.0.4/31"),
            subnet("10.0.0.8/32"),
            subnet("2600:1f16::/126"),
        ),
        groups(),
        vec(rule(), 0..8),
        vec(require(), 0..3),
    )
        .prop_map(
            |(has_shared, ranges, effective, subnets, groups, rules, requires)| World {
                has_shared,
                ranges,
                effective,
                subnets: vec![subnets.0, subnets.1, subnets.2, subnets.3, subnets.4],
                groups,
                rules,
                requires,
            },
        )
}

fn subnet(cidr: &'static str) -> impl Strategy<Value = String> {
    let tier = select(vec!["a", "a", "b", "c", "-"]);
    let az = select(vec!["x", "x", "y", "-"]);
    let env = select(vec!["p", "p", "q", "-"]);
    (tier, az, env, validity()).prop_map(move |(tier, az, env, validity)| {
        if tier == "-" {
            return String::new();
        }
        let mut text =
            format!("[[subnets]]\nnetwork = \"prod\"\ntier = \"{tier}\"\ncidrs = [\"{cidr}\"]\n");
        if az != "-" {
            text += &format!("az = \"{az}\"\n");
        }
        if env != "-" {
            text += &format!("labels = {{ env = \"{env}\" }}\n");
        }
        text + validity
    })
}

/// When an entry is in force; mostly at all times.
fn validity() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        "",
        "",
        "",
        "valid_from = 1970-01-01T00:16:40Z\n",
        "valid_until = 1970-01-01T00:33:20Z\n",
        "valid_from = 1970-01-01T00:10:00Z\nvalid_until = 1970-01-01T00:16:40Z\n",
    ])
}

/// Every group and destination that rules name exists; what is in it varies, and when it is in force.
fn groups() -> impl Strategy<Value = Vec<String>> {
    let cidrs = || {
        subsequence(
            vec![
                "10.0.0.0/31",
                "10.0.0.3/32",
                "10.0.0.4/31",
                "10.0.0.8/29",
                "2600:1f16::1/128",
            ],
            1..3,
        )
    };
    let interfaces = || subsequence(vec!["eni-1", "eni-2"], 1..=2);
    (
        cidrs(),
        cidrs(),
        interfaces(),
        select(vec!["blue", "green"]),
        select(vec!["etl", "web"]),
        vec(validity(), 9),
    )
        .prop_map(|(g, h, interfaces, colour, service, validities)| {
            let all = vec![
                format!("[groups.g]\nnetwork = \"prod\"\ncidrs = {g:?}\n"),
                format!("[groups.h]\nnetwork = \"prod\"\ncidrs = {h:?}\n"),
                format!("[groups.by-interface]\ninterfaces = {interfaces:?}\n"),
                format!("[groups.by-tag]\ntags = {{ colour = \"{colour}\" }}\n"),
                format!("[groups.by-service]\necs_services = [\"{service}\"]\n"),
                "[groups.secured]\nsecurity_groups = [\"sg-1\"]\n".to_owned(),
                "[destinations.office]\ncidrs = [\"203.0.113.0/24\"]\n".to_owned(),
                "[destinations.store]\naws_services = [\"S3\"]\n".to_owned(),
                "[destinations.names]\ndomains = [\"packages.example\"]\n".to_owned(),
            ];
            let dated = all.into_iter().zip(validities);
            dated.map(|(text, validity)| text + validity).collect()
        })
}

fn words(deny: bool) -> impl Strategy<Value = Vec<&'static str>> {
    let mut all = vec![
        "any",
        "any-tier",
        "inside",
        "unassigned",
        "internet",
        "private",
        "outside",
        "a",
        "a",
        "b",
        "c",
        "g",
        "g",
        "h",
        "by-interface",
        "by-service",
        "office",
    ];
    if !deny {
        all.extend([
            "unlisted", "aws:*", "aws:S3", "aws:EC2", "store", "names", "by-tag", "secured",
        ]);
    }
    vec(select(all), 1..3)
}

fn rule() -> impl Strategy<Value = String> {
    let ports = select(vec![
        "",
        "",
        "ports = [\"tcp/443\"]",
        "ports = [\"tcp/80-443\", \"icmp\"]",
        "ports = [\"tcp/*\", \"udp/53\"]",
        "ports_except = [\"tcp/443\", \"50\"]",
    ]);
    let via = select(vec![
        "",
        "",
        "",
        "via = [\"nat\"]",
        "via = [\"local\", \"peering\"]",
    ]);
    let family = select(vec!["", "", "", "family = \"ipv4\"", "family = \"ipv6\""]);
    let except = select(vec!["", "", "same-subnet", "h", "a"]);
    (
        prop::bool::weighted(0.3),
        ports,
        via,
        family,
        dates(),
        except.clone(),
        except,
    )
        .prop_flat_map(
            |(deny, ports, via, family, dates, from_except, to_except)| {
                (
                    words(deny),
                    words(deny),
                    Just((deny, [ports, via, family, dates], from_except, to_except)),
                )
            },
        )
        .prop_map(|(from, to, (deny, more, from_except, to_except))| {
            let effect = if deny { "deny" } else { "allow" };
            let mut text = format!("{effect}\nfrom = {from:?}\nto = {to:?}\n");
            for (key, except) in [("from_except", from_except), ("to_except", to_except)] {
                if !except.is_empty() {
                    text += &format!("{key} = \"{except}\"\n");
                }
            }
            for line in more.into_iter().filter(|line| !line.is_empty()) {
                text += &format!("{line}\n");
            }
            text
        })
}

fn dates() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        "",
        "not_before = 1970-01-01T00:16:40Z",
        "expires = 1970-01-01T00:33:20Z\nowner = \"o\"\nticket = \"t\"",
    ])
}

fn require() -> impl Strategy<Value = String> {
    let between = subsequence(
        vec!["any-tier", "a", "b", "inside", "g", "by-interface"],
        1..3,
    );
    let what = select(vec![
        "same = [\"az\"]",
        "same = [\"env\"]",
        "same = [\"az\", \"env\"]",
        "encrypted = true",
    ]);
    (between, what, dates())
        .prop_map(|(between, what, dates)| format!("between = {between:?}\n{what}\n{dates}\n"))
}

const ADDRESSES: [&str; 25] = [
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.4",
    "10.0.0.5",
    "10.0.0.6",
    "10.0.0.8",
    "10.0.0.9",
    "10.0.0.14",
    "10.0.0.15",
    "10.0.1.0",
    "10.0.1.2",
    "10.0.2.0",
    "52.0.0.0",
    "52.0.0.1",
    "52.0.0.3",
    "203.0.113.7",
    "8.8.8.8",
    "2600:1f16::",
    "2600:1f16::1",
    "2600:1f16::5",
    "2600::1",
    "fc00::1",
    "169.254.1.1",
];

/// What records say of a service: the field is missing, `-`, or a code.
const SERVICES: [Option<&str>; 7] = [
    None,
    Some("-"),
    Some("S3"),
    Some("EC2"),
    Some("CLOUDFRONT"),
    Some("DYNAMODB"),
    Some("CODE-OF-TOMORROW"),
];

const FACTS: [&[&str]; 9] = [
    &[],
    &["interface eni-1"],
    &["interface eni-2"],
    &["tags blue"],
    &["tags green"],
    &["ECS service etl"],
    &["ECS service web"],
    &["interface eni-1", "tags blue"],
    &["interface eni-2", "ECS service etl"],
];

const PORTS: [(u8, u16); 9] = [
    (6, 0),
    (6, 80),
    (6, 443),
    (6, 444),
    (6, 65535),
    (17, 53),
    (1, 0),
    (50, 0),
    (47, 0),
];

const DATES: [u32; 6] = [0, 600, 999, 1000, 2000, u32::MAX];

/// One end of a question.
#[derive(Clone, Debug)]
struct Asked {
    addr: Addr,
    service: Option<&'static str>,
    facts: &'static [&'static str],
}

/// A question, network aside.
#[derive(Clone, Debug)]
struct Ask {
    ends: [Asked; 2],
    protocol: u8,
    port: u16,
    at: u32,
    path: Option<Path>,
    encrypted: Option<bool>,
}

/// A small generator: the questions of a case follow from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn end(&mut self) -> Asked {
        Asked {
            addr: self.of(&ADDRESSES).parse().expect("an address"),
            service: self.of(&SERVICES),
            facts: self.of(&FACTS),
        }
    }

    fn ask(&mut self) -> Ask {
        let (protocol, port) = self.of(&PORTS);
        let paths: Vec<Option<Path>> = Path::ALL
            .iter()
            .map(|path| Some(*path))
            .chain([None])
            .collect();
        Ask {
            ends: [self.end(), self.end()],
            protocol,
            port,
            at: self.of(&DATES),
            path: self.of(&paths),
            encrypted: self.of(&[None, Some(false), Some(true)]),
        }
    }
}

/// One policy with its text, as one of its networks sees it at an instant.
#[derive(Clone, Copy)]
struct Seer<'c> {
    world: &'c World,
    policy: &'c Policy,
    network: NetworkId,
    at: u32,
}

/// Facts in the words of [`FACTS`], which are those of the changes.
fn facts_of<'w>(words: &[&'w str]) -> InterfaceFacts<'w> {
    let mut facts = InterfaceFacts::default();
    for word in words {
        if let Some(value) = word.strip_prefix("interface ") {
            facts.interface = Some(value);
        } else if let Some(values) = word.strip_prefix("tags ") {
            for (tag, value) in facts.tags.iter_mut().zip(values.split(" and ")) {
                *tag = Some(value);
            }
        } else if let Some(value) = word.strip_prefix("ECS service ") {
            facts.ecs_service = Some(value);
        }
    }
    facts
}

impl Seer<'_> {
    fn home(&self, addr: Addr) -> Option<NetworkId> {
        self.policy.home(self.network, addr)
    }

    fn is_public(&self, addr: Addr) -> bool {
        self.home(addr).is_none() && !addr.is_private()
    }

    fn groups(&self, addr: Addr, facts: &[&str]) -> Vec<GroupId> {
        match self.home(addr) {
            Some(home) => self.policy.groups_by_facts(home, &facts_of(facts)),
            None => Vec::new(),
        }
    }

    fn end<'g>(&self, end: &Asked, groups: &'g [GroupId]) -> End<'g> {
        let place = self.policy.place(self.network, end.addr, self.at);
        End {
            home: place.home,
            class: place.class,
            groups,
            known: Known::default(),
            services: end
                .service
                .map_or(0, |code| Service::from_text(code.as_bytes()).bits()),
            services_known: end.service.is_some(),
            domains: Default::default(),
        }
    }

    fn decide(&self, ask: &Ask) -> (&'static str, String) {
        let groups = ask
            .ends
            .each_ref()
            .map(|end| self.groups(end.addr, end.facts));
        let decision = self.policy.decide(&Question {
            client: self.end(&ask.ends[0], &groups[0]),
            server: self.end(&ask.ends[1], &groups[1]),
            protocol: ask.protocol,
            server_port: ask.port,
            ipv4: ask.ends[0].addr.is_v4(),
            at: ask.at,
            path: ask.path,
            encrypted: ask.encrypted,
        });
        (
            decision.answer.as_str(),
            self.policy.rule(decision.rule).id.clone(),
        )
    }

    fn zone(&self, end: &Asked) -> String {
        let zone = self.policy.zone(&self.end(end, &[]));
        self.policy.zone_name(zone).to_owned()
    }

    /// All groups of an end, by prefix and by facts, by their names.
    fn group_names(&self, addr: Addr, facts: &[&str]) -> BTreeSet<String> {
        let place = self.policy.place(self.network, addr, self.at);
        let by_facts = self.groups(addr, facts);
        let known = self.policy.known(place.home, addr, self.at);
        let all = self.policy.groups_of_end(place.class, &by_facts, known);
        all.map(|group| self.policy.group_name(group).to_owned())
            .collect()
    }
}

/// Asks both policies, and looks whether the changes say so. Says what kinds of changes and conditions there were.
fn check(case: &Case) -> Result<Vec<&'static str>, String> {
    let policies = [case.old.parse(), case.new.parse()];
    let diff =
        diff(&policies[0], &policies[1], &case.options).map_err(|error| error.to_string())?;
    let networks = policies[0].networks().filter_map(|network| {
        let name = policies[0].network_name(network);
        let mut others = policies[1].networks();
        let other = others.find(|other| policies[1].network_name(*other) == name)?;
        Some([network, other])
    });
    let mut random = Random(case.seed);
    for networks in networks {
        let seers = [0, 1].map(|at| Seer {
            world: [&case.old, &case.new][at],
            policy: &policies[at],
            network: networks[at],
            at: 0,
        });
        for _ in 0..QUESTIONS {
            check_one(&seers, &diff, case, random.ask())?;
        }
    }
    for change in &diff.changes {
        let ends = [
            (change.example.client, &change.client),
            (change.example.server, &change.server),
        ];
        for (addr, side) in ends {
            if !holds(side, addr) {
                return Err(format!("the example is none: {change:#?}"));
            }
        }
    }
    Ok(met(&diff))
}

fn check_one(seers: &[Seer<'_>; 2], diff: &Diff, case: &Case, mut ask: Ask) -> Result<(), String> {
    if let Some(at) = case.options.at {
        ask.at = at;
    }
    let seers = &seers.map(|seer| Seer { at: ask.at, ..seer });
    // What is no question: beside the times asked for, between families, of an address with itself, outside.
    let [client, server] = ask.ends.each_ref().map(|end| end.addr);
    let is_home = |addr| {
        seers
            .iter()
            .any(|seer| seer.home(addr) == Some(seer.network))
    };
    if ask.at < diff.from
        || client.is_v4() != server.is_v4()
        || client == server
        || client.is_local()
        || server.is_local()
        || !(is_home(client) || is_home(server))
    {
        return Ok(());
    }
    for end in &mut ask.ends {
        if !seers.iter().any(|seer| seer.is_public(end.addr)) {
            end.service = None;
        }
        if seers.iter().all(|seer| seer.home(end.addr).is_none()) {
            end.facts = &[];
        }
    }
    if !protocol::has_ports(ask.protocol) {
        ask.port = 0;
    }
    let [old, new] = seers.each_ref().map(|seer| seer.decide(&ask));
    let is_expected = old.0 != new.0 || case.options.with_rules && old.1 != new.1;
    let ends = ask.ends.each_ref().map(|end| Shown::of(end, seers));
    let holding: Vec<&Change> = diff
        .changes
        .iter()
        .filter(|change| {
            change.network == seers[1].policy.network_name(seers[1].network)
                && is_in(change, &ask)
                && is_side(&change.client, &ends[0], seers)
                && is_side(&change.server, &ends[1], seers)
        })
        .collect();
    let is_right = match holding.as_slice() {
        [] => !is_expected,
        [change] => {
            let before = (change.before.answer.as_str(), change.before.rule.clone());
            let now = (change.now.answer.as_str(), change.now.rule.clone());
            let kind = match new.0 {
                _ if old.0 == new.0 => ChangeKind::OtherRule,
                "allow" => ChangeKind::NewlyAllowed,
                "deny" => ChangeKind::NewlyDenied,
                _ => ChangeKind::NewlyUnproven,
            };
            is_expected && before == old && now == new && change.kind == kind
        }
        _ => false,
    };
    if is_right {
        return Ok(());
    }
    let network = seers[0].policy.network_name(seers[0].network);
    Err(format!(
        "from {network}, {ask:?}: {old:?}, now {new:?}; changes that hold it: {holding:#?}"
    ))
}

fn holds(side: &Side, addr: Addr) -> bool {
    side.ranges
        .iter()
        .any(|(first, last)| *first <= addr && addr <= *last)
}

/// Whether the conditions of a change, its ends aside, are those of a question.
fn is_in(change: &Change, ask: &Ask) -> bool {
    let is_then = |(from, until): &(u32, Option<u32>)| {
        *from <= ask.at && until.is_none_or(|until| ask.at < until)
    };
    change.ports.contains(ask.protocol, ask.port)
        && (change.paths.is_empty() || change.paths.contains(&ask.path))
        && (change.encrypted.is_empty() || change.encrypted.contains(&ask.encrypted))
        && (change.dates.is_empty() || change.dates.iter().any(is_then))
        && change
            .ipv4
            .is_none_or(|ipv4| ipv4 == ask.ends[0].addr.is_v4())
}

/// An end in the words that changes have for it, old and new.
struct Shown<'a> {
    end: &'a Asked,
    zones: [String; 2],
    elsewhere: Option<String>,
    groups: [BTreeSet<String>; 2],
}

impl Shown<'_> {
    fn of<'a>(end: &'a Asked, seers: &[Seer<'_>; 2]) -> Shown<'a> {
        let names = |word: &str| seers.iter().any(|seer| seer.world.names(word));
        let mut seen = end.clone();
        if !["aws:*", "aws:S3", "aws:EC2", "unlisted", "store"]
            .into_iter()
            .any(names)
        {
            // No rule can tell: it is shown as if nothing were known.
            seen.service = None;
        }
        let zone = |seer: &Seer<'_>| {
            let zone = seer.zone(&seen);
            if zone.starts_with("aws:") && !names(&zone) {
                "aws:*".to_owned()
            } else {
                zone
            }
        };
        let elsewhere = |at: usize| {
            let seer: &Seer<'_> = &seers[at];
            let home = seer.home(end.addr).filter(|home| *home != seer.network)?;
            Some(seer.policy.network_name(home).to_owned())
        };
        Shown {
            end,
            zones: seers.each_ref().map(zone),
            elsewhere: elsewhere(1).or_else(|| elsewhere(0)),
            groups: seers
                .each_ref()
                .map(|seer| seer.group_names(end.addr, end.facts)),
        }
    }
}

fn is_side(side: &Side, shown: &Shown<'_>, seers: &[Seer<'_>; 2]) -> bool {
    let [before, now] = &shown.groups;
    let is_member = |membership: &Membership| {
        before.contains(&membership.group) == membership.before
            && now.contains(&membership.group) == membership.now
    };
    let says = |text: &String| says(text, shown.end, seers);
    let part = &side.part;
    shown.zones[1] == side.zone
        && shown.zones[0] == *side.zone_before.as_ref().unwrap_or(&side.zone)
        && side.network == shown.elsewhere
        && holds(side, shown.end.addr)
        && (part.groups.is_empty() || part.groups.iter().any(is_member))
        && !part.except_groups.iter().any(is_member)
        && (part.evidence.is_empty() || part.evidence.iter().any(says))
        && !part.evidence_except.iter().any(says)
}

/// Whether a text of evidence is about what records say of this end.
fn says(text: &str, end: &Asked, seers: &[Seer<'_>; 2]) -> bool {
    let mut words: Vec<&str> = text.split(", ").collect();
    let service = words
        .iter()
        .position(|word| word.starts_with("service "))
        .map(|at| words.remove(at));
    let is_service = service.is_none_or(|service| {
        let listed: Vec<&str> = service["service ".len()..].split(" or ").collect();
        match end.service {
            None => listed == ["unknown"],
            Some("-") => listed == ["none"],
            Some(code @ ("S3" | "EC2" | "CLOUDFRONT")) => listed.contains(&code),
            Some(_) => listed == ["another"],
        }
    });
    if words.is_empty() || !is_service {
        return is_service;
    }
    // Facts that put an interface into the same groups, of those that rules name, are told by one of them.
    seers.iter().all(|seer| {
        let named = |facts: &[&str]| -> BTreeSet<String> {
            let mut names = seer.group_names(end.addr, facts);
            names.retain(|name| seers.iter().any(|seer| seer.world.names(name)));
            names
        };
        named(&words) == named(end.facts)
    })
}

fn met(diff: &Diff) -> Vec<&'static str> {
    let mut met = Vec::new();
    if diff.moved.iter().any(|moved| !moved.dates.is_empty()) {
        met.push("moved for a time");
    }
    for change in &diff.changes {
        met.push(change.kind.as_str());
        let conditions = [
            ("path", !change.paths.is_empty()),
            ("encrypted", !change.encrypted.is_empty()),
            ("dates", !change.dates.is_empty()),
            ("family", change.ipv4.is_some()),
        ];
        met.extend(
            conditions
                .into_iter()
                .filter(|(_, is)| *is)
                .map(|(word, _)| word),
        );
        for side in [&change.client, &change.server] {
            let texts = || side.part.evidence.iter().chain(&side.part.evidence_except);
            let says = |word: &str| texts().any(|text| text.contains(word));
            let parts = [
                ("groups", !side.part.groups.is_empty()),
                ("except", !side.part.except_groups.is_empty()),
                ("addresses", side.part.is_by_address),
                ("service", says("service ")),
                ("facts", says("interface") || says("tags")),
                ("another zone", side.zone_before.is_some()),
            ];
            met.extend(
                parts
                    .into_iter()
                    .filter(|(_, is)| *is)
                    .map(|(word, _)| word),
            );
        }
    }
    met
}
