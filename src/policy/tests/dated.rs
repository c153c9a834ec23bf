//! Subnets, groups and destinations that are in force for a time only. At every instant the policy says what the same policy
//! says whose file has just the entries that are in force then, without dates.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::errors::check as check_errors;
use super::*;

/// An entry of the file, its dates, and what stands for it while it is not in force: names have to stay known.
#[derive(Clone, Debug)]
struct Entry {
    text: &'static str,
    absent: &'static str,
    from: Option<u32>,
    until: Option<u32>,
}

impl Entry {
    fn holds(&self, at: u32) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    fn dated(&self) -> String {
        let time = |seconds: u32| format!("1970-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60);
        let date = |key: &str, seconds: Option<u32>| {
            seconds.map_or(String::new(), |seconds| {
                format!("{key} = {}\n", time(seconds))
            })
        };
        let from = date("valid_from", self.from);
        format!("{}\n{from}{}", self.text, date("valid_until", self.until))
    }

    fn at(&self, at: u32) -> &str {
        if self.holds(at) {
            self.text
        } else {
            self.absent
        }
    }
}

const HEAD: &str = r#"
[policy]
id = "TEST"
[networks.prod]
vpcs = ["vpc-1"]
cidrs = ["10.0.0.0/16", "2600:1f16::/56"]
connected_to = ["shared"]
[networks.shared]
vpcs = ["vpc-2"]
cidrs = ["10.1.0.0/16", "10.0.200.0/24"]
[tiers.app]
[tiers.data]
[tiers.tools]
[[subnets]]
network = "prod"
tier = "tools"
az = "az1"
cidrs = ["10.0.1.0/24"]
labels = { env = "prod" }
"#;

/// What is in force for a time, and what stands in its place: nothing for subnets; for names what no question here is about.
const ENTRIES: [(&str, &str); 13] = [
    (
        "[[subnets]]\nnetwork = \"prod\"\ntier = \"app\"\naz = \"az1\"\ncidrs = [\"10.0.0.0/20\", \"2600:1f16::/64\"]\nlabels = { env = \"prod\" }",
        "",
    ),
    (
        "[[subnets]]\nnetwork = \"prod\"\ntier = \"data\"\naz = \"az2\"\ncidrs = [\"10.0.2.0/24\"]\nlabels = { env = \"test\" }",
        "",
    ),
    (
        "[[subnets]]\nnetwork = \"prod\"\ntier = \"data\"\ncidrs = [\"10.0.2.0/23\"]",
        "",
    ),
    (
        "[[subnets]]\nnetwork = \"shared\"\ntier = \"tools\"\naz = \"az1\"\ncidrs = [\"10.1.0.0/24\", \"10.0.200.0/25\"]",
        "",
    ),
    (
        "[groups.etl]\nnetwork = \"prod\"\ncidrs = [\"10.0.2.0/25\", \"10.0.200.0/24\"]",
        "[groups.etl]\nnetwork = \"prod\"\ninstances = [\"i-gone\"]",
    ),
    (
        "[groups.far]\nnetwork = \"shared\"\ncidrs = [\"10.1.0.0/25\"]\ninstances = [\"i-1\"]",
        "[groups.far]\nnetwork = \"shared\"\ninstances = [\"i-gone\"]",
    ),
    (
        "[groups.secured]\nsecurity_groups = [\"sg-1\"]",
        "[groups.secured]\ninstances = [\"i-gone\"]",
    ),
    (
        "[groups.tagged]\ntags = { colour = \"blue\" }",
        "[groups.tagged]\ninstances = [\"i-gone\"]",
    ),
    (
        "[groups.web]\ninstances = [\"i-1\"]",
        "[groups.web]\ninstances = [\"i-gone\"]",
    ),
    (
        "[destinations.repos]\ncidrs = [\"198.51.100.0/24\"]",
        "[destinations.repos]\ncidrs = [\"192.0.2.255/32\"]",
    ),
    (
        "[destinations.mirror]\ncidrs = [\"198.51.100.0/28\", \"2001:db8:5::/48\"]",
        "[destinations.mirror]\ncidrs = [\"192.0.2.255/32\"]",
    ),
    (
        "[destinations.store]\naws_services = [\"S3\"]",
        "[destinations.store]\ncidrs = [\"192.0.2.255/32\"]",
    ),
    (
        "[destinations.names]\ndomains = [\"packages.example\"]",
        "[destinations.names]\ncidrs = [\"192.0.2.255/32\"]",
    ),
];

const WORDS: [&str; 20] = [
    "any",
    "any-tier",
    "inside",
    "unassigned",
    "internet",
    "unlisted",
    "private",
    "aws:S3",
    "app",
    "data",
    "tools",
    "etl",
    "far",
    "secured",
    "tagged",
    "web",
    "repos",
    "mirror",
    "store",
    "names",
];

/// Words that a deny may have without evidence.
const SURE: [&str; 12] = [
    "any",
    "any-tier",
    "unassigned",
    "internet",
    "app",
    "data",
    "tools",
    "etl",
    "far",
    "web",
    "repos",
    "mirror",
];

const ADDRESSES: [&str; 14] = [
    "10.0.0.1",
    "10.0.1.1",
    "10.0.2.1",
    "10.0.2.200",
    "10.0.3.1",
    "10.0.99.1",
    "10.0.200.1",
    "10.1.0.1",
    "10.1.0.200",
    "2600:1f16::1",
    "198.51.100.1",
    "198.51.100.99",
    "2001:db8:5::1",
    "52.216.0.1",
];

const DATES: [Option<u32>; 5] = [None, None, Some(100), Some(200), Some(300)];

const INSTANTS: [u32; 10] = [0, 99, 100, 101, 199, 200, 299, 300, 301, u32::MAX];

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let dates =
        (select(&DATES[..]), select(&DATES[..])).prop_map(|(one, other)| match (one, other) {
            (Some(one), Some(other)) if one == other => (Some(one), None),
            (Some(one), Some(other)) => (Some(one.min(other)), Some(one.max(other))),
            dates => dates,
        });
    prop::collection::vec(dates, ENTRIES.len()).prop_map(|dates| {
        let dated = ENTRIES.iter().zip(dates);
        dated
            .map(|((text, absent), (from, until))| Entry {
                text,
                absent,
                from,
                until,
            })
            .collect()
    })
}

fn rule() -> impl Strategy<Value = String> {
    let dates = select(vec!["", "", "not_before = 1970-01-01T00:01:40Z\n"]);
    let ports = select(vec!["", "ports = [\"tcp/443\"]\n"]);
    let any = (select(&WORDS[..]), select(&WORDS[..]));
    let sure = (select(&SURE[..]), select(&SURE[..]));
    (prop::bool::weighted(0.25), any, sure, ports, dates).prop_map(
        |(is_deny, any, sure, ports, dates)| {
            let (effect, (from, to)) = if is_deny {
                ("deny", sure)
            } else {
                ("allow", any)
            };
            format!("[[{effect}]]\nfrom = [{from:?}]\nto = [{to:?}]\n{ports}{dates}")
        },
    )
}

fn whole(entries: impl Iterator<Item = String>, rules: &[String]) -> Policy {
    let mut text = HEAD.to_owned();
    entries.for_each(|entry| text += &format!("{entry}\n"));
    for (number, rule) in rules.iter().enumerate() {
        text += &format!("{rule}id = \"r{number}\"\n");
    }
    text += "[[require]]\nid = \"env\"\nbetween = \"any-tier\"\nsame = [\"env\", \"az\"]\n";
    parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// An end of a question, as records tell it.
#[derive(Clone, Copy, Debug)]
struct Told {
    addr: Addr,
    service: Option<&'static str>,
    facts: InterfaceFacts<'static>,
}

fn told(addr: &Index, more: &Index) -> Told {
    let facts = |instance: Option<&'static str>, tag: Option<&'static str>| InterfaceFacts {
        instance,
        tags: [tag, None, None, None, None, None],
        ..InterfaceFacts::default()
    };
    let known = [
        (None, facts(None, None)),
        (Some("S3"), facts(Some("i-1"), None)),
        (Some("-"), facts(None, Some("blue"))),
        (Some("EC2"), facts(Some("i-1"), Some("blue"))),
    ];
    let (service, facts) = *more.get(&known);
    Told {
        addr: addr.get(&ADDRESSES).parse().expect("an address"),
        service,
        facts,
    }
}

/// What a policy says of a connection: zones, groups by name, and the decision.
fn said(policy: &Policy, network: NetworkId, ends: &[Told; 2], at: u32) -> (Vec<String>, Decision) {
    let mut words = Vec::new();
    let groups = ends.each_ref().map(|end| {
        let home = policy.home(network, end.addr);
        home.map_or(Vec::new(), |home| policy.groups_by_facts(home, &end.facts))
    });
    let mut seen = [0, 1].map(|which| {
        let end = &ends[which];
        let place = policy.place(network, end.addr, at);
        assert_eq!(place.home, policy.home(network, end.addr));
        let services = end
            .service
            .map(|text| Service::from_text(text.as_bytes()).bits());
        let seen = End {
            home: place.home,
            class: place.class,
            groups: &groups[which],
            known: Known::default(),
            services: services.filter(|_| place.home.is_none()).unwrap_or(0),
            services_known: services.is_some(),
            domains: Default::default(),
        };
        words.push(policy.zone_name(policy.zone(&seen)).to_owned());
        let mut names: Vec<&str> = policy
            .groups_of_end(seen.class, seen.groups, seen.known)
            .map(|group| policy.group_name(group))
            .collect();
        names.sort_unstable();
        words.extend(names.into_iter().map(str::to_owned));
        seen
    });
    let [client, server] = &mut seen;
    let decision = policy.decide(&Question {
        client: *client,
        server: *server,
        protocol: protocol::TCP,
        server_port: 443,
        ipv4: ends.iter().all(|end| end.addr.is_v4()),
        at,
        path: None,
        encrypted: None,
    });
    (words, decision)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn at_every_instant_the_entries_in_force_then_decide(
        entries in entries(),
        rules in prop::collection::vec(rule(), 1..8),
        asked in prop::collection::vec(any::<[Index; 4]>(), 40),
    ) {
        let dated = whole(entries.iter().map(Entry::dated), &rules);
        for at in INSTANTS {
            let plain = whole(entries.iter().map(|entry| entry.at(at).to_owned()), &rules);
            prop_assert!(!plain.has_dated_places());
            for [client, server, of_client, of_server] in &asked {
                let ends = [told(client, of_client), told(server, of_server)];
                for network in [NetworkId(0), NetworkId(1)] {
                    prop_assert_eq!(
                        said(&dated, network, &ends, at),
                        said(&plain, network, &ends, at),
                        "{:?} at {} from {:?}", ends, at, network
                    );
                }
            }
        }
    }

    #[test]
    fn a_class_that_returns_has_its_old_number(entries in entries()) {
        let policy = whole(entries.iter().map(Entry::dated), &[]);
        let in_force = |at: u32| -> Vec<bool> { entries.iter().map(|entry| entry.holds(at)).collect() };
        for (one, other) in INSTANTS.iter().flat_map(|one| INSTANTS.map(|other| (*one, other))) {
            if in_force(one) != in_force(other) {
                continue;
            }
            for addr in ADDRESSES {
                let addr: Addr = addr.parse().expect("an address");
                let place = |at| policy.place(NetworkId(0), addr, at);
                prop_assert_eq!(place(one), place(other));
            }
        }
    }

    #[test]
    fn the_decider_remembers_nothing_of_another_time(
        entries in entries(),
        rules in prop::collection::vec(rule(), 1..8),
        asked in prop::collection::vec((any::<[Index; 2]>(), select(&INSTANTS[..])), 60),
    ) {
        let policy = whole(entries.iter().map(Entry::dated), &rules);
        let mut decider = Decider::new(&policy);
        for ([client, server], at) in &asked {
            let addr = |index: &Index| -> Addr { index.get(&ADDRESSES).parse().expect("an address") };
            let flow = Flow {
                client: addr(client),
                server: addr(server),
                protocol: protocol::TCP,
                server_port: 443,
                at: i64::from(*at),
            };
            let question = policy.question_of(NetworkId(0), &flow);
            prop_assert_eq!(decider.decide(&question), policy.decide(&question));
        }
    }
}

#[test]
fn one_prefix_may_change_hands() {
    let policy = base(
        "[[subnets]]\nid = \"subnet-1\"\ntier = \"old\"\ncidrs = [\"10.0.128.0/24\"]\nvalid_until = 2026-01-01\n\
         [[subnets]]\nid = \"subnet-1\"\ntier = \"new\"\ncidrs = [\"10.0.128.0/24\"]\nvalid_from = 2026-01-01\n",
    );
    let zone = |at: i64| policy.zone_of("10.0.128.7".parse().expect("an address"), at);
    const NEW_YEAR: i64 = 1_767_225_600;
    assert_eq!(zone(NEW_YEAR - 1), "old");
    assert_eq!(zone(NEW_YEAR), "new");
    assert_eq!(zone(0), "old");
    assert_eq!(zone(i64::MAX), "new");
}

#[test]
fn a_prefix_and_an_id_are_claimed_once_at_a_time() {
    let subnet = |tier: &str, dates: &str| {
        format!(
            "[[subnets]]\nid = \"s\"\ntier = \"{tier}\"\ncidrs = [\"10.0.128.0/24\"]\n{dates}\n"
        )
    };
    let until = subnet("a", "valid_until = 2026-02-02");
    check_errors(
        &format!("{until}{}", subnet("b", "valid_from = 2026-02-01")),
        &[
            "7:6 duplicate subnet id `s`",
            "9:10 tiers `a` and `b` have the same prefix `10.0.128.0/24`",
        ],
    );
    check_errors(
        &format!("{until}{}", subnet("b", "valid_from = 2026-02-02")),
        &[],
    );
    // The third overlaps the first, not the second.
    let short = subnet("b", "valid_from = 2025-01-01\nvalid_until = 2025-01-02");
    let long = subnet("a", "valid_until = 2025-01-01");
    let third = subnet("c", "valid_from = 2025-03-01");
    check_errors(&format!("{long}{short}{third}"), &[]);
    let errors = [
        "14:6 duplicate subnet id `s`",
        "16:10 tiers `c` and `a` have the same prefix `10.0.128.0/24`",
    ];
    let third = "[[subnets]]\nid = \"s\"\ntier = \"c\"\ncidrs = [\"10.0.128.0/24\"]\nvalid_from = 2024-03-01\nvalid_until = 2024-04-01\n";
    check_errors(&format!("{third}{short}{long}"), &errors);
}

#[test]
fn what_is_never_in_force_is_an_error() {
    const NEVER: &str = "`valid_until` is not after `valid_from`: this is never in force (valid_from is the first instant that \
                         counts, valid_until the first that does not; a bare date is 00:00 UTC)";
    for what in [
        "[groups.g]\ncidrs = [\"10.0.1.0/24\"]",
        "[destinations.d]\ncidrs = [\"192.0.2.0/24\"]",
    ] {
        let text = format!("{what}\nvalid_from = 2026-01-01\nvalid_until = 2026-01-01T00:00:00Z\n");
        check_errors(&text, &[&format!("4:15 {NEVER}")]);
    }
}

#[test]
fn too_many_dates_are_refused() {
    let mut text = BASE.to_owned();
    for number in 0..2000 {
        let (day, hour) = (number / 24, number % 24);
        let (month, day) = (day / 28 + 1, day % 28 + 1);
        text += &format!(
            "[destinations.d{number}]\ncidrs = [\"198.51.100.0/24\"]\nvalid_from = 2026-{month:02}-{day:02}T{hour:02}:00:00Z\n"
        );
    }
    let Err(errors) = parse(&text) else {
        panic!("expected an error");
    };
    assert!(errors.to_string().contains("too many dates"), "{errors}");
}

#[test]
fn dates_change_the_hash() {
    let group = |dates: &str| {
        let text = format!("{BASE}[groups.g]\ncidrs = [\"10.0.1.0/24\"]\n{dates}\n");
        parse(&text)
            .unwrap_or_else(|errors| panic!("{errors}"))
            .hash()
            .to_owned()
    };
    let all = [
        "",
        "valid_from = 2026-01-01",
        "valid_until = 2026-01-01",
        "valid_from = 2026-01-02",
    ];
    let hashes = all.map(group);
    for (at, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..at].contains(hash), "{}", all[at]);
    }
    assert_eq!(
        group("valid_from = 2026-01-01"),
        group("valid_from = 2026-01-01T01:00:00+01:00")
    );
}
