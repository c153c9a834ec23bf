//! Pairs that differ alike become products of ends, and those of the same zones and rule a gap, in the order in which people
//! should look at them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::end::{EndKind, View};
use super::pair::{Effect, Found, Pairs};
use super::{Example, Gap, GapKind, Part, Side};
use crate::net::Addr;
use crate::net::ports::PortSet;
use crate::policy::diff::{rectangles, sorted};
use crate::policy::{Answer, Policy, RuleId, ZoneId, ZoneKind};

/// What gaps have in common that are one.
type Key = (GapKind, [ZoneId; 2], Answer, RuleId);

/// The gaps of a view.
pub(super) fn gaps<'c>(view: &View<'c>, pairs: &Pairs<'c>, found: Found) -> Vec<Gap<'c>> {
    let wholes = wholes(view);
    let zone = |kind: u32| view.kinds[kind as usize].zone;
    let mut gaps: BTreeMap<Key, Vec<Part<'c>>> = BTreeMap::new();
    for (number, pairs_of) in found {
        let effect = pairs.effects.of(number);
        let mut by_zones: BTreeMap<[ZoneId; 2], Vec<(u32, u32)>> = BTreeMap::new();
        for (client, server) in pairs_of {
            let zones = [zone(client), zone(server)];
            by_zones.entry(zones).or_default().push((client, server));
        }
        for (zones, pairs_of) in by_zones {
            let key = (effect.kind, zones, effect.answer, effect.rule);
            let parts = rectangles(&pairs_of).into_iter();
            let parts = parts.filter_map(|kinds| part(view, &wholes, (number, effect), kinds));
            gaps.entry(key).or_default().extend(parts);
        }
    }
    let gaps = gaps.into_iter().filter(|(_, parts)| !parts.is_empty());
    gaps.map(|((kind, zones, answer, rule), mut parts)| {
        parts.sort_by_cached_key(|part| width(part));
        Gap {
            kind,
            network: view.network,
            zones,
            answer,
            rule,
            parts,
        }
    })
    .collect()
}

/// Which kinds of ends a zone has of a family.
type Wholes = BTreeMap<(ZoneId, bool), BTreeSet<u32>>;

fn wholes(view: &View<'_>) -> Wholes {
    let mut wholes = Wholes::new();
    for (number, kind) in view.kinds.iter().enumerate() {
        let of = wholes.entry((kind.zone, kind.ipv4)).or_default();
        of.insert(number as u32);
    }
    wholes
}

fn part<'c>(
    view: &View<'c>,
    wholes: &Wholes,
    (number, effect): (u32, &Effect<'c>),
    (clients, servers): (Vec<u32>, Vec<u32>),
) -> Option<Part<'c>> {
    let [client, server] = [&clients, &servers].map(|kinds| side(view, wholes, kinds));
    Some(Part {
        example: example(&client, &server, &effect.ports)?,
        ports: effect.ports.clone(),
        client,
        server,
        request: effect.request,
        reply: effect.reply,
        causes: effect.causes.clone(),
        used: None,
        kinds: [clients, servers],
        effect: number,
    })
}

pub(super) fn side<'c>(view: &View<'c>, wholes: &Wholes, numbers: &[u32]) -> Side<'c> {
    let kinds = || numbers.iter().map(|kind| &view.kinds[*kind as usize]);
    let carried = |kind: &EndKind<'c>| -> BTreeSet<&'c str> {
        kind.end.groups.iter().map(|(id, _)| *id).collect()
    };
    let shared = kinds().map(carried).reduce(|one, other| &one & &other);
    let interfaces: BTreeSet<&str> = kinds()
        .flat_map(|kind| kind.interfaces.iter().copied())
        .collect();
    let ranges = kinds().flat_map(|kind| kind.ranges.iter().copied());
    let is_whole = kinds().next().is_some_and(|kind| {
        let whole = wholes.get(&(kind.zone, kind.ipv4));
        whole.is_some_and(|whole| whole.len() == numbers.len())
    });
    Side {
        groups: shared.unwrap_or_default().into_iter().collect(),
        interfaces: interfaces.len(),
        ranges: sorted(ranges.collect()),
        is_whole,
        is_cut: false,
    }
}

/// The lowest addresses that are not the same.
fn example(client: &Side<'_>, server: &Side<'_>, ports: &PortSet) -> Option<Example> {
    let two_lowest = |side: &Side<'_>| -> Vec<Addr> {
        let each = side.ranges.iter().take(2).flat_map(|(first, last)| {
            let next = Addr::from_v6(first.bits().saturating_add(1));
            [Some(*first), (first != last).then_some(next)]
        });
        each.flatten().take(2).collect()
    };
    let servers = two_lowest(server);
    let pairs = two_lowest(client)
        .into_iter()
        .flat_map(|client| servers.iter().map(move |server| (client, *server)));
    let (client, server) = pairs.filter(|(client, server)| client != server).min()?;
    let (protocol, server_port) = ports.example()?;
    Some(Example {
        client,
        server,
        protocol,
        server_port,
    })
}

/// Puts gaps in the order in which they should be looked at.
pub(super) fn sort(policy: &Policy, gaps: &mut [Gap<'_>]) {
    gaps.sort_by_cached_key(|gap| {
        let parts = gap.parts.iter();
        let widest = parts.map(|part| width(part)).min();
        let names = gap.zones.map(|zone| policy.zone_name(zone).to_owned());
        let rule = policy.rule(gap.rule).id.clone();
        (
            (gap.kind, exposure(policy, gap.zones)),
            widest,
            (names, rule, gap.network),
        )
    });
}

/// How exposed a pair of zones is: from the internet and AWS's services first, then towards them, then from and to named and
/// private places, between tiers, within one.
fn exposure(policy: &Policy, zones: [ZoneId; 2]) -> u8 {
    let [client, server] = zones.map(|zone| policy.zone_kind(zone));
    let is_public = |kind: ZoneKind| matches!(kind, ZoneKind::Internet | ZoneKind::Aws);
    match (client, server) {
        (client, _) if is_public(client) => 0,
        (_, server) if is_public(server) => 1,
        (client, _) if !client.is_inside() => 2,
        (_, server) if !server.is_inside() => 3,
        _ if zones[0] != zones[1] => 4,
        _ => 5,
    }
}

/// Orders parts by how much they hold: interfaces of both sides, then ports; the widest first.
fn width(part: &Part<'_>) -> impl Ord + use<> {
    (
        Reverse(part.client.interfaces.max(1) * part.server.interfaces.max(1)),
        Reverse(part.ports.num_pairs()),
        part.client.ranges.clone(),
        part.server.ranges.clone(),
        part.ports.clone(),
    )
}
