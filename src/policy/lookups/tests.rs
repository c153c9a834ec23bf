//! Lookups against a plain search through all queries, and what stays of them within a bound.

use proptest::prelude::*;

use super::*;
use crate::flow::resolver::ResolverQuery;
use crate::policy::Policy;

/// Ten minutes: the shortest grace.
const GRACE: u32 = 600;
const START: u32 = 1_771_999_200;

/// Two networks that may hold the same addresses, and destinations by domain: `repos` (bit 0), `unused` (bit 1), of which
/// no allow speaks, and `vendor` (bit 2).
const POLICY: &str = r#"
[policy]
id = "P"
[networks.one]
vpcs = ["vpc-1"]
cidrs = ["10.0.0.0/16"]
[networks.two]
vpcs = ["vpc-2"]
cidrs = ["10.0.0.0/16"]
[[subnets]]
network = "one"
tier = "app"
cidrs = ["10.0.0.0/24"]
[destinations.repos]
domains = ["Packages.example", "*.docker.example"]
[destinations.unused]
domains = ["*.unused.example"]
[destinations.vendor]
domains = ["vendor.example", "*.docker.example"]
[[allow]]
id = "a"
from = "app"
to = ["repos", "vendor"]
[data]
resolver_logs = ["logs/"]
resolver_grace = "10m"
"#;

/// Names with the bits of their destinations.
const NAMES: [(&str, u64); 7] = [
    ("packages.example", 1),
    ("a.docker.example", 5),
    ("b.c.docker.example", 5),
    ("docker.example", 0),
    ("x.unused.example", 2),
    ("vendor.example", 4),
    ("evil.example", 0),
];

fn policy() -> Policy {
    let read = |_: &str| unreachable!("it pins nothing");
    Policy::parse("p.toml", POLICY, &read)
        .unwrap_or_else(|errors| panic!("{}", errors.render(false)))
}

fn client(number: u8) -> Addr {
    Addr::from_v4(0x0a00_0000 + u32::from(number))
}

fn server(number: u8) -> Addr {
    Addr::from_v4(0xc000_0200 + u32::from(number))
}

/// A query in numbers: VPC, client, name, alias, servers as bits, seconds after the start.
type Numbers = (u8, u8, usize, Option<usize>, u8, u32);

fn numbers() -> impl Strategy<Value = Numbers> {
    let alias = prop::option::of(0..NAMES.len());
    (0..3u8, 0..3u8, 0..NAMES.len(), alias, 0..8u8, 0..4 * GRACE)
}

fn query(&(vpc, who, name, alias, servers, after): &Numbers) -> ResolverQuery {
    let addresses = (0..3u8).filter(|bit| servers >> bit & 1 == 1);
    ResolverQuery {
        at: START + after,
        // The third is of no network.
        vpc: Some(format!("vpc-{}", vpc + 1)),
        account: None,
        region: None,
        client: client(who),
        name: NAMES[name].0.to_owned(),
        aliases: alias
            .iter()
            .map(|alias| NAMES[*alias].0.to_owned())
            .collect(),
        addresses: addresses.map(server).collect(),
    }
}

fn gathered(policy: &Policy, queries: &[Numbers], most: usize) -> (Lookups, Gathered) {
    let mut builder = LookupsBuilder::new(policy, most);
    queries
        .iter()
        .for_each(|numbers| builder.add(&query(numbers)));
    builder.finish()
}

/// What is known, by looking through all queries.
fn searched(queries: &[Numbers], network: u8, who: u8, whom: u8, at: u32) -> Domains {
    let of_network = || queries.iter().filter(move |query| query.0 == network);
    let time = |query: &Numbers| START + query.5;
    let before = of_network().any(|query| (time(query)..=time(query) + GRACE).contains(&at));
    let after = of_network().any(|query| (at..=at + GRACE).contains(&time(query)));
    let mut domains = Domains {
        known: before && after,
        ..Domains::default()
    };
    let speaking = of_network().filter(|query| {
        query.4 >> whom & 1 == 1 && (time(query)..=time(query) + GRACE).contains(&at)
    });
    for (_, by, name, alias, ..) in speaking {
        let bits = NAMES[*name].1 | alias.map_or(0, |alias| NAMES[alias].1);
        domains.by_network |= bits;
        domains.by_client |= if *by == who { bits } else { 0 };
        // Of `unused` no allow speaks.
        domains.shared |= bits & 5 == 0;
    }
    domains
}

proptest! {
    #[test]
    fn what_is_known_is_what_a_search_through_all_queries_finds(
        queries in prop::collection::vec(numbers(), 0..40),
        asked in prop::collection::vec((0..2u8, 0..3u8, 0..3u8, 0..6 * GRACE), 1..60),
    ) {
        let policy = policy();
        let (lookups, told) = gathered(&policy, &queries, usize::MAX / 4);
        prop_assert_eq!(told.queries + told.out_of_scope, queries.len() as u64);
        prop_assert_eq!(told.let_go, 0);
        for (network, who, whom, after) in asked {
            let at = START - GRACE + after;
            let found = lookups.domains(NetworkId(network.into()), client(who), server(whom), at);
            prop_assert_eq!(found, searched(&queries, network, who, whom, at), "{} {} {} {}", network, who, whom, after);
        }
    }

    #[test]
    fn names_are_those_that_a_search_finds(
        queries in prop::collection::vec(numbers(), 0..40),
        asked in prop::collection::vec((0..2u8, prop::option::of(0..3u8), 0..3u8, 0..6 * GRACE, 0..2 * GRACE), 1..40),
    ) {
        let policy = policy();
        let (lookups, _) = gathered(&policy, &queries, usize::MAX / 4);
        for (network, who, whom, after, length) in asked {
            let (first, last) = (START - GRACE + after, START - GRACE + after + length);
            let network_id = NetworkId(network.into());
            let found = lookups.names(network_id, who.map(client), server(whom), [first, last]);
            let found: Vec<(String, Vec<String>)> = found
                .iter()
                .map(|lookup| (lookup.name.to_owned(), lookup.aliases.iter().map(|alias| (*alias).to_owned()).collect()))
                .collect();
            let speaks = |query: &&Numbers| {
                let time = START + query.5;
                query.0 == network && who.is_none_or(|who| query.1 == who) && query.4 >> whom & 1 == 1
                    && (first..=last).any(|at| time <= at && at <= time + GRACE)
            };
            let mut expected: Vec<(String, Vec<String>)> = queries
                .iter()
                .filter(speaks)
                .map(|numbers| (query(numbers).name, query(numbers).aliases))
                .collect();
            expected.sort();
            expected.dedup();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_stays_within_a_bound_does_not_depend_on_order_or_on_how_it_came(
        queries in prop::collection::vec(numbers(), 1..60),
        most in 0..8000usize,
        cut in 0..60usize,
    ) {
        let policy = policy();
        let (lookups, told) = gathered(&policy, &queries, most);
        let mut other = LookupsBuilder::new(&policy, most);
        let (one, two) = queries.split_at(cut.min(queries.len()));
        for part in [two, one] {
            let mut aside = other.aside();
            part.iter().rev().for_each(|numbers| aside.add(&query(numbers)));
            other.absorb(aside);
        }
        let (other, other_told) = other.finish();
        prop_assert_eq!(&lookups.entries, &other.entries);
        prop_assert_eq!(&lookups.names, &other.names);
        prop_assert_eq!(lookups.is_whole, other.is_whole);
        prop_assert_eq!(told.let_go > 0, other_told.let_go > 0);
        let weight = |entry: &Entry| {
            let name = lookups.name(entry);
            size_of::<Entry>() + name.name.len() + name.aliases.iter().map(|alias| alias.len() + 1).sum::<usize>()
        };
        prop_assert!(lookups.entries.iter().map(weight).sum::<usize>() <= most);
        // Names of destinations stay as long as there is room for any.
        let (whole, _) = gathered(&policy, &queries, usize::MAX / 4);
        let needed = |lookups: &Lookups| {
            let entries = lookups.entries.iter();
            entries.filter(|entry| lookups.name(entry).destinations != 0 || entry.key.name == NO_NAME).count()
        };
        prop_assert_eq!(lookups.is_whole, needed(&lookups) == needed(&whole));
        if needed(&lookups) < lookups.entries.len() {
            prop_assert!(lookups.is_whole);
        }
    }
}

#[test]
fn a_burst_far_beyond_the_bound_is_held_within_it() {
    let policy = policy();
    let most = 64 << 10;
    let mut builder = LookupsBuilder::new(&policy, most);
    for number in 0..20_000u32 {
        let mut query = query(&(0, 0, 6, None, 1, number % 3000));
        query.name = format!("n{number}.evil.example");
        builder.add(&query);
        assert!(builder.held() <= 2 * most + 1024);
    }
    builder.add(&query(&(0, 0, 0, None, 1, 0)));
    let (lookups, told) = builder.finish();
    assert!(told.let_go > 10_000);
    assert_eq!(told.needed_let_go, 0);
    let known = lookups.domains(NetworkId(0), client(0), server(0), START + 300);
    assert!(known.by_client == 1 && known.shared && known.known);
}

#[test]
fn answers_that_could_not_be_read_or_held_prove_nothing_by_their_absence() {
    let policy = policy();
    let queries = [(0, 0, 0, None, 1, 0)];
    let at =
        |lookups: &Lookups, whom| lookups.domains(NetworkId(0), client(0), server(whom), START);
    let (whole, _) = gathered(&policy, &queries, 10_000);
    assert!(at(&whole, 1).known);
    let mut builder = LookupsBuilder::new(&policy, 10_000);
    builder.add(&query(&queries[0]));
    builder.lacks(START - 60, START);
    let (lacking, _) = builder.finish();
    assert!(!at(&lacking, 1).known);
    let later = lacking.domains(NetworkId(0), client(0), server(1), START + 1);
    assert_eq!(later.known, lacking.covers(NetworkId(0), START + 1));
    assert_eq!(at(&lacking, 0).by_client, 1);
    let (none, told) = gathered(&policy, &queries, 0);
    assert!(told.needed_let_go > 0 && !at(&none, 1).known);
}
