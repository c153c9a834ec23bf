//! What two policies decide differently: exactly, not by their texts.
//!
//! A **question** is a connection as the judge sees one: a network that looks, a client and a server of one family, of
//! which one at least is at home in that network by either policy; a protocol and a port; an instant; the path, or that it
//! is unknown; whether it is encrypted, or that no record says; and what records say of each end:
//!
//! - of a public address, its AWS service: that no record has the field, that it is `-`, or one code;
//! - of an inside address, facts that put its interface into groups: none, those of one entry of a group (an interface,
//!   an instance, a type, an ECS service, all tags of one group), or of two.
//!
//! Local addresses (link-local, multicast, loopback) are never judged, and so are connections of an address with itself.
//! Both policies are asked every such question, an end that only one of them has inside included. Only what some rule of
//! either policy can tell apart is told apart: `regions` cuts the address space by the prefixes of both, `evidence` lists
//! what records may say, `kinds` puts ends that all rules treat alike together, `joint` finds the pairs that an edit can
//! reach, `compare` asks both policies about such a pair, and `gather` makes products of pairs that change alike. The result
//! holds every question with another answer, each once, and no other question.
//!
//! Where places are in force for a time only, all that is done for each span of time between the instants at which an
//! address may change its place in either policy; `spans` lists these, and joins what changes alike in several.

mod boxes;
mod compare;
mod edits;
mod evidence;
mod example;
mod gather;
mod joint;
mod kinds;
mod regions;
mod spans;

use std::collections::{BTreeMap, BTreeSet};

use crate::net::ports::PortSet;
use crate::policy::names::Name;
use crate::policy::word::words;
use crate::policy::{Answer, NetworkId, Path, Policy};

use compare::{Comparer, Effect, Said};
use gather::{Gatherer, Product};
use joint::{Joint, Reach};
use regions::View;
use spans::Span;

pub(super) use compare::port_cells;
pub(super) use joint::names;
pub(super) use kinds::{Asker, Tests};

pub use edits::{Edit, Edited, Moved};
pub use example::Example;
pub use gather::{Part, Side, rectangles};
pub use kinds::Membership;
pub use regions::{Range, prefixes, sorted};

/// How many pairs of kinds of ends are asked about. More would take minutes and gigabytes.
const MAX_PAIRS: u64 = 1 << 24;

words! {
    /// What changes for a connection.
    ChangeKind {
        /// It is allowed and was not.
        NewlyAllowed = "newly-allowed",
        /// It is denied and was not.
        NewlyDenied = "newly-denied",
        /// It is unproven and was not.
        NewlyUnproven = "newly-unproven",
        /// The answer stays, and another rule gives it.
        OtherRule = "other-rule",
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only this instant, seconds since 1970; without it every instant from the later `effective` on.
    pub at: Option<u32>,
    /// Also where the answer stays and another rule gives it.
    pub with_rules: bool,
}

/// How two policies differ.
#[derive(Debug)]
pub struct Diff {
    /// The first instant that was asked for, seconds since 1970; with [`Options::at`] the only one.
    pub from: u32,
    /// What is written otherwise.
    pub edits: Vec<Edit>,
    /// Inside addresses that belong elsewhere.
    pub moved: Vec<Moved>,
    /// Networks of one policy only, from which nothing was compared.
    pub not_compared: Vec<String>,
    /// What is decided otherwise: disjoint, by kind, network, rules and ports, then zones.
    pub changes: Vec<Change>,
}

/// Connections that change alike: a product of ends, ports and conditions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What changes.
    pub kind: ChangeKind,
    /// The network that looks.
    pub network: String,
    /// What the old policy says.
    pub before: Decided,
    /// What the new policy says.
    pub now: Decided,
    /// Who opens the connection.
    pub client: Side,
    /// Who is asked.
    pub server: Side,
    /// Protocols and ports of the server.
    pub ports: PortSet,
    /// The paths that it holds for, none for an unknown one; empty is all.
    pub paths: Vec<Option<Path>>,
    /// The encryptions that it holds for, none for an unknown one; empty is all.
    pub encrypted: Vec<Option<bool>>,
    /// When it holds, from the first instant to before the second (without one for ever); empty is always.
    pub dates: Vec<(u32, Option<u32>)>,
    /// The family that it holds for, where the zones have both.
    pub ipv4: Option<bool>,
    /// One such connection.
    pub example: Example,
}

/// An answer and the rule that gives it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Decided {
    /// The answer.
    pub answer: Answer,
    /// The id of the rule, or `default`.
    pub rule: String,
}

/// There is more to ask than can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{number} {what}: expected at most {limit}")]
pub struct TooMuch {
    /// What there is too much of.
    pub what: &'static str,
    /// How many.
    pub number: u64,
    /// How many there may be.
    pub limit: u64,
}

/// Compares two policies.
///
/// # Errors
///
/// When they tell apart more ends than can be compared.
pub fn diff(old: &Policy, new: &Policy, options: &Options) -> Result<Diff, TooMuch> {
    let policies = [old, new];
    let effective = policies
        .iter()
        .filter_map(|policy| policy.effective())
        .max();
    let from = u32::try_from(effective.unwrap_or(0).max(0)).unwrap_or(u32::MAX);
    let spans = match options.at {
        Some(at) => vec![Span::at(at)],
        None => spans::spans(policies, from),
    };
    let mut diff = Diff {
        from: options.at.unwrap_or(from),
        edits: edits::edits(policies),
        moved: Vec::new(),
        not_compared: not_compared(policies),
        changes: Vec::new(),
    };
    let joint = Joint::new(policies);
    for networks in shared_networks(policies) {
        for span in &spans {
            let views = [0, 1].map(|which| View {
                policy: policies[which],
                network: networks[which],
                at: span.from,
            });
            compare_views(views, &joint, *span, options.with_rules, &mut diff)?;
        }
    }
    if spans.len() > 1 {
        spans::join(&mut diff);
    }
    spans::forget_always(&mut diff);
    diff.changes.sort_by_cached_key(order);
    Ok(diff)
}

/// Networks of the same name, and those of two policies that have one each, whatever they are called.
fn shared_networks([old, new]: [&Policy; 2]) -> Vec<[NetworkId; 2]> {
    if old.has_one_network() && new.has_one_network() {
        return vec![[NetworkId(0); 2]];
    }
    let named = |name: &str| {
        new.networks()
            .find(|other| new.network_name(*other) == name)
    };
    old.networks()
        .filter_map(|network| Some([network, named(old.network_name(network))?]))
        .collect()
}

fn not_compared(policies: [&Policy; 2]) -> Vec<String> {
    let shared = shared_networks(policies);
    let mut names: Vec<String> = Vec::new();
    for (at, policy) in policies.into_iter().enumerate() {
        let alone = policy
            .networks()
            .filter(|network| !shared.iter().any(|shared| shared[at] == *network));
        names.extend(alone.map(|network| policy.network_name(network).to_owned()));
    }
    names.sort_unstable();
    names
}

fn compare_views(
    views: [View<'_>; 2],
    joint: &Joint<'_>,
    span: Span,
    with_rules: bool,
    diff: &mut Diff,
) -> Result<(), TooMuch> {
    let policies = views.map(|view| view.policy);
    let named = names_of_both(policies);
    let named = named.each_ref();
    let regions = regions::regions(views);
    diff.moved.extend(edits::moved(views, &regions, span));
    let evidence = evidence::evidence(policies, named)?;
    let kinds = kinds::kinds(views, &regions, named, &evidence)?;
    let reach = Reach::new(policies, joint, &kinds);
    let mut comparer = Comparer::new(policies, joint, &reach, span, with_rules);
    let mut num_pairs = 0;
    let mut pairs: BTreeMap<usize, Vec<(u32, u32)>> = BTreeMap::new();
    for (client, client_kind) in kinds.all.iter().enumerate() {
        for server in reach.affected(client, kinds.all.len()).iter() {
            let ends = [client_kind, &kinds.all[server]];
            if !Reach::is_asked(&kinds, ends) {
                continue;
            }
            num_pairs += 1;
            if num_pairs > MAX_PAIRS {
                return Err(TooMuch {
                    what: "pairs of ends that the edits can reach, and more",
                    number: num_pairs,
                    limit: MAX_PAIRS,
                });
            }
            for effect in comparer.compare([client, server], ends).iter() {
                let pair = (client as u32, server as u32);
                pairs.entry(*effect).or_default().push(pair);
            }
        }
    }
    let gatherer = Gatherer::new(&kinds, &regions, &evidence);
    let network = policies[1].network_name(views[1].network);
    for (effect, pairs) in pairs {
        let effect = &comparer.effects[effect];
        for product in gatherer.products(&pairs) {
            let example = Example::of(&product, effect, &gatherer);
            let changed = |example| change(network, effect, product, example, &comparer);
            diff.changes.extend(example.map(changed));
        }
    }
    Ok(())
}

/// The names that rules of a policy use, and the groups that the other's use.
fn names_of_both(policies: [&Policy; 2]) -> [BTreeSet<Name>; 2] {
    let mut named = policies.map(joint::names);
    let groups = [0, 1].map(|at| {
        let groups = named[at].iter().filter_map(|name| match name {
            Name::Group(id) => Some(policies[at].places.groups[usize::from(*id)].name.clone()),
            _ => None,
        });
        groups.collect::<Vec<String>>()
    });
    for at in [0, 1] {
        let of_other = &groups[1 - at];
        let all = policies[at].places.groups.iter().enumerate();
        named[at].extend(
            all.filter(|(_, group)| of_other.contains(&group.name))
                .map(|(id, _)| Name::Group(id as u16)),
        );
    }
    named
}

fn change(
    network: &str,
    effect: &Effect,
    product: Product,
    example: Example,
    comparer: &Comparer<'_>,
) -> Change {
    let [before, now] = effect.said.map(|said: Said| Decided {
        answer: said.answer,
        rule: comparer.rule_names[said.rule].to_owned(),
    });
    let kind = match (before.answer, now.answer) {
        (before, now) if before == now => ChangeKind::OtherRule,
        (_, Answer::Allow) => ChangeKind::NewlyAllowed,
        (_, Answer::Deny) => ChangeKind::NewlyDenied,
        (_, Answer::Unproven) => ChangeKind::NewlyUnproven,
    };
    Change {
        kind,
        network: network.to_owned(),
        before,
        now,
        client: product.client,
        server: product.server,
        ports: effect.ports.clone(),
        paths: effect.paths().unwrap_or_default(),
        encrypted: effect.encryptions().unwrap_or_default(),
        dates: effect.dates.clone(),
        ipv4: product.ipv4,
        example,
    }
}

/// Blocks of the same kind, rules, ports and conditions stay together.
fn order(change: &Change) -> impl Ord + use<> {
    (
        (change.kind, change.network.clone()),
        (change.before.clone(), change.now.clone()),
        (change.ports.clone(), change.paths.clone()),
        (change.encrypted.clone(), change.dates.clone()),
        (change.client.zone.clone(), change.client.ranges.clone()),
        (change.server.zone.clone(), change.server.ranges.clone()),
    )
}
