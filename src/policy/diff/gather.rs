//! Pairs of kinds that change alike, gathered into products of ends: few, exact, and in words where words are exact.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::evidence::Evidence;
use super::kinds::{Atom, Kinds, Membership};
use super::regions::{Range, Region, sorted};

/// One end of a change: addresses of one zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// The zone by the new policy.
    pub zone: String,
    /// The zone by the old policy, if that has another name.
    pub zone_before: Option<String>,
    /// The network that holds the addresses, if that is not the one that looks.
    pub network: Option<String>,
    /// How much of the zone it is.
    pub part: Part,
    /// Its addresses, both families; ascending, both ends included.
    pub ranges: Vec<Range>,
    /// The other addresses of the zone, of the same families, where [`Part::is_by_address`]; else empty.
    pub rest: Vec<Range>,
}

/// How much of a zone an end of a change is. It is of both families, as far as the zone and the change are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Part {
    /// Those in any of these groups; empty is all.
    pub groups: Vec<Membership>,
    /// Those in none of these groups.
    pub except_groups: Vec<Membership>,
    /// Only some of the addresses, which no groups single out: the ranges say which.
    pub is_by_address: bool,
    /// What records say of these ends, one of these; empty is anything.
    pub evidence: Vec<String>,
    /// What records do not say of these ends, none of these; empty if `evidence` is not.
    pub evidence_except: Vec<String>,
}

/// The two sides of a change.
pub(super) struct Product {
    pub(super) client: Side,
    pub(super) server: Side,
    /// One family, if it holds for that one and both zones have the other too.
    pub(super) ipv4: Option<bool>,
    /// For each side an atom that has these addresses, one that needs no evidence if there is one.
    pub(super) witnesses: [Vec<(Range, Atom)>; 2],
}

/// Products in the same words, as both their ends: of IPv4, and of IPv6.
type Families = [Vec<[Ranges; 2]>; 2];

/// An end of one family, on its way to a [`Side`].
struct Piece {
    part: Part,
    ranges: Ranges,
}

/// The addresses of a piece.
#[derive(Clone)]
struct Ranges {
    witnesses: Vec<(Range, Atom)>,
    /// As [`Side::rest`].
    rest: Vec<Range>,
}

impl Ranges {
    fn with(mut self, more: Ranges) -> Ranges {
        self.witnesses.extend(more.witnesses);
        self.rest.extend(more.rest);
        self
    }
}

/// All of a zone, in one family.
#[derive(Default)]
struct Whole {
    num_atoms: usize,
    num_of_membership: BTreeMap<usize, usize>,
    atoms_of_region: BTreeMap<u32, Vec<Atom>>,
}

pub(super) struct Gatherer<'a> {
    kinds: &'a Kinds,
    regions: &'a [Region],
    evidence: &'a Evidence<'a>,
    /// By zone and family.
    wholes: HashMap<(usize, bool), Whole>,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(
        kinds: &'a Kinds,
        regions: &'a [Region],
        evidence: &'a Evidence<'a>,
    ) -> Gatherer<'a> {
        let mut wholes: HashMap<(usize, bool), Whole> = HashMap::new();
        for kind in &kinds.all {
            let whole = wholes.entry((kind.zone, kind.ipv4)).or_default();
            whole.num_atoms += kind.atoms.len();
            *whole.num_of_membership.entry(kind.membership).or_default() += kind.atoms.len();
            for atom in &kind.atoms {
                whole
                    .atoms_of_region
                    .entry(atom.region)
                    .or_default()
                    .push(*atom);
            }
        }
        for whole in wholes.values_mut() {
            whole
                .atoms_of_region
                .values_mut()
                .for_each(|atoms| atoms.sort_unstable());
        }
        Gatherer {
            kinds,
            regions,
            evidence,
            wholes,
        }
    }

    /// Gathers pairs (client, server) of kinds, which all change in the same way.
    pub(super) fn products(&self, pairs: &[(u32, u32)]) -> Vec<Product> {
        let mut by_zones = BTreeMap::<_, Vec<(u32, u32)>>::new();
        for (client, server) in pairs {
            let [one, other] = [client, server].map(|number| &self.kinds.all[*number as usize]);
            by_zones
                .entry(([one.zone, other.zone], !one.ipv4))
                .or_default()
                .push((*client, *server));
        }
        // IPv4 comes first, and what IPv6 has in the same words joins it.
        let mut found: BTreeMap<[usize; 2], BTreeMap<[Part; 2], Families>> = BTreeMap::new();
        for ((zones, is_ipv6), pairs) in by_zones {
            for (clients, servers) in rectangles(&pairs) {
                let clients = self.pieces(&clients, zones[0], !is_ipv6);
                let servers = self.pieces(&servers, zones[1], !is_ipv6);
                for client in &clients {
                    for server in &servers {
                        let parts = [client.part.clone(), server.part.clone()];
                        let ranges = [client.ranges.clone(), server.ranges.clone()];
                        let families = found.entry(zones).or_default().entry(parts).or_default();
                        families[usize::from(is_ipv6)].push(ranges);
                    }
                }
            }
        }
        let mut products = Vec::new();
        for (zones, by_parts) in found {
            let has = |ipv4| {
                zones
                    .iter()
                    .all(|zone| self.wholes.contains_key(&(*zone, ipv4)))
            };
            let has_both = has(true) && has(false);
            for (parts, [v4, v6]) in by_parts {
                let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
                loop {
                    let (ranges, ipv4) = match (v4.next(), v6.next()) {
                        (None, None) => break,
                        (Some(ranges), None) => (ranges, Some(true)),
                        (None, Some(ranges)) => (ranges, Some(false)),
                        (Some([clients, servers]), Some([more_clients, more_servers])) => (
                            [clients.with(more_clients), servers.with(more_servers)],
                            None,
                        ),
                    };
                    let [clients, servers] = &ranges;
                    products.push(Product {
                        client: self.side(zones[0], &parts[0], clients),
                        server: self.side(zones[1], &parts[1], servers),
                        ipv4: ipv4.filter(|_| has_both),
                        witnesses: ranges.map(|ranges| ranges.witnesses),
                    });
                }
            }
        }
        products
    }

    fn side(&self, zone: usize, part: &Part, ranges: &Ranges) -> Side {
        let zone = &self.kinds.zones[zone];
        let [before, now] = &zone.names;
        let all = ranges.witnesses.iter().map(|(range, _)| *range);
        Side {
            zone: now.clone(),
            zone_before: (before != now).then(|| before.clone()),
            network: zone.elsewhere.clone(),
            part: part.clone(),
            ranges: sorted(all.collect()),
            rest: sorted(ranges.rest.clone()),
        }
    }

    /// Kinds of one zone and family: as one piece if words say which they are, else as one for each evidence.
    fn pieces(&self, kinds: &[u32], zone: usize, ipv4: bool) -> Vec<Piece> {
        let whole = &self.wholes[&(zone, ipv4)];
        let kinds = || kinds.iter().map(|number| &self.kinds.all[*number as usize]);
        let mut num_of_membership: BTreeMap<usize, usize> = BTreeMap::new();
        let mut atoms_of_region: BTreeMap<u32, Vec<Atom>> = BTreeMap::new();
        for kind in kinds() {
            *num_of_membership.entry(kind.membership).or_default() += kind.atoms.len();
            for atom in &kind.atoms {
                atoms_of_region.entry(atom.region).or_default().push(*atom);
            }
        }
        atoms_of_region
            .values_mut()
            .for_each(|atoms| atoms.sort_unstable());
        let num_atoms: usize = num_of_membership.values().sum();
        let in_words = if num_atoms == whole.num_atoms {
            Some(Part::default())
        } else {
            self.in_words(&num_of_membership, whole)
        };
        if let Some(part) = in_words {
            return vec![self.piece(part, &atoms_of_region, whole)];
        }
        let mut by_evidence: BTreeMap<[Vec<String>; 2], BTreeMap<u32, Vec<Atom>>> = BTreeMap::new();
        for (region, atoms) in atoms_of_region {
            let says = self.says(&atoms, &whole.atoms_of_region[&region]);
            by_evidence.entry(says).or_default().insert(region, atoms);
        }
        let shared = kinds()
            .map(|kind| &self.kinds.memberships[kind.membership])
            .map(|membership| membership.iter().cloned().collect::<BTreeSet<_>>())
            .reduce(|one, other| &one & &other)
            .unwrap_or_default();
        by_evidence
            .into_iter()
            .map(|([evidence, evidence_except], regions)| {
                let part = Part {
                    groups: shared.iter().cloned().collect(),
                    except_groups: Vec::new(),
                    is_by_address: regions.len() < whole.atoms_of_region.len(),
                    evidence,
                    evidence_except,
                };
                self.piece(part, &regions, whole)
            })
            .collect()
    }

    /// Atoms by their regions, ascending each.
    fn piece(&self, part: Part, regions: &BTreeMap<u32, Vec<Atom>>, whole: &Whole) -> Piece {
        let ranges_of = |region: &u32| self.regions[*region as usize].ranges.iter().copied();
        let witnesses = regions
            .iter()
            .flat_map(|(region, atoms)| ranges_of(region).map(|range| (range, atoms[0])));
        let others = whole.atoms_of_region.keys();
        let others = others.filter(|region| part.is_by_address && !regions.contains_key(region));
        let ranges = Ranges {
            witnesses: witnesses.collect(),
            rest: others.flat_map(ranges_of).collect(),
        };
        Piece { part, ranges }
    }

    /// What records say of some atoms of a region, or what they do not say, whichever is shorter: one text for each. Both
    /// are empty if these are all of its atoms.
    fn says(&self, atoms: &[Atom], all: &[Atom]) -> [Vec<String>; 2] {
        let asks_service = all.iter().any(|atom| atom.service > 0);
        let asks_facts = all.iter().any(|atom| atom.facts > 0);
        let text = |atom: &Atom| {
            let service = &self.evidence.services[usize::from(atom.service)].label;
            let facts = self.evidence.facts[usize::from(atom.facts)].label();
            match (asks_service, asks_facts) {
                (true, true) => format!("{service}, {facts}"),
                (true, false) => service.clone(),
                (false, _) => facts,
            }
        };
        if all.len() - atoms.len() < atoms.len() {
            let others = all.iter().filter(|atom| !atoms.contains(atom));
            [Vec::new(), others.map(text).collect()]
        } else {
            [atoms.iter().map(text).collect(), Vec::new()]
        }
    }

    /// What records must say of an end for it to be this atom; none if they need not say anything.
    pub(super) fn needed(&self, atom: Atom) -> Option<String> {
        let service = &self.evidence.services[usize::from(atom.service)].label;
        let facts = &self.evidence.facts[usize::from(atom.facts)];
        match (atom.service, atom.facts) {
            (0, 0) => None,
            (_, 0) => Some(service.clone()),
            (0, _) => Some(facts.label()),
            _ => Some(format!("{service}, {}", facts.label())),
        }
    }

    /// The groups that single out just these ends of a zone, or that leave just them.
    fn in_words(&self, included: &BTreeMap<usize, usize>, whole: &Whole) -> Option<Part> {
        let is_whole = |(number, num_atoms): (&usize, &usize)| {
            whole.num_of_membership.get(number) == Some(num_atoms)
        };
        if !included.iter().all(is_whole) {
            return None;
        }
        let sets = |is_included: bool| -> Vec<&[Membership]> {
            let numbers = whole.num_of_membership.keys();
            numbers
                .filter(|number| included.contains_key(number) == is_included)
                .map(|number| self.kinds.memberships[*number].as_slice())
                .collect()
        };
        let (inside, outside) = (sets(true), sets(false));
        let groups = singling_out(&inside, &outside);
        let except = singling_out(&outside, &inside);
        match (groups, except) {
            (Some(groups), Some(except)) if except.len() < groups.len() => Some(Part {
                except_groups: except,
                ..Part::default()
            }),
            (Some(groups), _) => Some(Part {
                groups,
                ..Part::default()
            }),
            (None, Some(except)) => Some(Part {
                except_groups: except,
                ..Part::default()
            }),
            (None, None) => None,
        }
    }
}

/// A few memberships of which each of these sets has one, and none of the others any.
fn singling_out(sets: &[&[Membership]], others: &[&[Membership]]) -> Option<Vec<Membership>> {
    let taken: BTreeSet<&Membership> = others.iter().copied().flatten().collect();
    let free: BTreeSet<&Membership> = sets.iter().copied().flatten().collect();
    let mut chosen: Vec<&Membership> = free.difference(&taken).copied().collect();
    let holds_all = |chosen: &[&Membership]| {
        sets.iter()
            .all(|set| chosen.iter().any(|one| set.contains(one)))
    };
    if !holds_all(&chosen) {
        return None;
    }
    let width = |one: &Membership| sets.iter().filter(|set| set.contains(one)).count();
    // Wide ones are kept: the narrow ones are tried first.
    let mut order = chosen.clone();
    order.sort_by_key(|one| width(one));
    for one in order {
        let rest: Vec<&Membership> = chosen.iter().copied().filter(|kept| *kept != one).collect();
        if holds_all(&rest) {
            chosen = rest;
        }
    }
    Some(chosen.into_iter().cloned().collect())
}

/// Pairs as products of clients and servers that do not overlap, whichever way gives fewer.
pub fn rectangles(pairs: &[(u32, u32)]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let by_client = products_of(pairs.iter().copied());
    let by_server = products_of(pairs.iter().map(|(client, server)| (*server, *client)));
    if by_client.len() <= by_server.len() {
        return by_client;
    }
    let swapped = by_server.into_iter();
    swapped
        .map(|(servers, clients)| (clients, servers))
        .collect()
}

/// Firsts with the same seconds as one, in the order of the firsts.
fn products_of(pairs: impl Iterator<Item = (u32, u32)>) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut seconds_of: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (first, second) in pairs {
        seconds_of.entry(first).or_default().push(second);
    }
    let mut firsts_of: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
    for (first, mut seconds) in seconds_of {
        seconds.sort_unstable();
        firsts_of.entry(seconds).or_default().push(first);
    }
    let mut products: Vec<(Vec<u32>, Vec<u32>)> = firsts_of
        .into_iter()
        .map(|(seconds, firsts)| (firsts, seconds))
        .collect();
    products.sort_unstable();
    products
}
