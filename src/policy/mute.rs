//! Mutes: findings that are known and accepted. They are shown as muted and never alerted.

use super::detector::DETECTORS;
use super::file::{self, File};
use super::fit::is_anybodys_zone;
use super::meant::{Destination, Places};
use super::names::{Name, Names, Place};
use super::problem::Problems;
use super::ruleset::{DEFAULT, Rules, service_ports};
use super::validity::Validity;
use super::{Mute, MuteQuestion, Policy, ZoneId, ZoneKind};
use crate::net::ports::PortSet;

/// Kinds of findings that judging makes; every detector adds one of its own name.
pub const KINDS: [&str; 8] = [
    "denied-attempt",
    "egress-violation",
    "cross-tier-violation",
    "intra-tier-violation",
    "ingress-violation",
    "overblocked",
    "unproven",
    "unassigned",
];

/// A mute and what it covers.
#[derive(Debug)]
pub(super) struct Covering {
    kind: String,
    /// Empty is any; likewise the next three.
    from: Vec<Name>,
    to: Vec<Name>,
    ports: Vec<PortSet>,
    rules: Vec<String>,
    validity: Validity,
    mute: Mute,
}

/// Resolves the mutes of a file.
pub(super) fn mutes(
    file: &File,
    places: &Places,
    names: &Names,
    rules: &Rules,
    problems: &mut Problems,
) -> Vec<Covering> {
    file.mutes
        .iter()
        .filter_map(|mute| covering(mute, places, names, rules, problems))
        .collect()
}

fn covering(
    mute: &file::Mute,
    places: &Places,
    names: &Names,
    rules: &Rules,
    problems: &mut Problems,
) -> Option<Covering> {
    for word in &mute.rule {
        let known = || rules.texts.iter().map(|rule| rule.id.as_str());
        if word.text != DEFAULT && !known().any(|id| id == word.text) {
            problems.unknown(&word.span, "rule", word, known());
        }
    }
    let mut ends = |words: &[super::section::Word]| {
        let mut ends = Vec::new();
        for word in words {
            match names.resolve(word, Place::End, problems) {
                Some(Name::Group(_)) => problems.add_with_hint(
                    &word.span,
                    format!("`{}` is a group: a finding knows zones only", &**word),
                    "name the tier, or the rule that decides",
                ),
                Some(name) => ends.push(name),
                None => {}
            }
        }
        ends
    };
    let (from, to) = (ends(&mute.from), ends(&mute.to));
    let ports = service_ports(&mute.service, places, problems);
    let kind = mute.finding.as_ref()?;
    let known = || {
        let detectors = DETECTORS.iter().map(|detector| detector.name);
        KINDS.iter().copied().chain(detectors)
    };
    if !known().any(|known| known == kind.text) {
        problems.unknown(&kind.span, "kind of finding", kind, known());
    }
    Some(Covering {
        kind: kind.text.clone(),
        from,
        to,
        ports,
        rules: mute.rule.iter().map(|word| word.text.clone()).collect(),
        validity: Validity {
            from: mute.not_before,
            until: mute.expires,
        },
        mute: Mute {
            owner: mute.owner.clone(),
            reason: mute.reason.clone(),
        },
    })
}

impl Policy {
    /// The mute that covers a finding, if any; of several the first of the file.
    pub fn mute(&self, finding: &MuteQuestion<'_>) -> Option<&Mute> {
        self.mutes
            .iter()
            .find(|covering| self.covers(covering, finding))
            .map(|covering| &covering.mute)
    }

    fn covers(&self, covering: &Covering, finding: &MuteQuestion<'_>) -> bool {
        let in_force = covering.validity.holds(finding.at);
        let end = |names: &[Name], zone: Option<ZoneId>| {
            let is_it = |zone| names.iter().any(|name| self.zone_is(zone, *name));
            names.is_empty() || zone.is_some_and(is_it)
        };
        let port = finding.server_port.unwrap_or(0);
        in_force
            && covering.kind == finding.kind
            && end(&covering.from, finding.client_zone)
            && end(&covering.to, finding.server_zone)
            && (covering.ports.is_empty()
                || covering
                    .ports
                    .iter()
                    .any(|set| set.contains(finding.protocol, port)))
            && (covering.rules.is_empty() || covering.rules.iter().any(|rule| rule == finding.rule))
    }

    /// Whether a name says of a whole zone what it says of its ends. A destination is on the internet if none of its
    /// prefixes is private, and private if all are.
    fn zone_is(&self, zone: ZoneId, name: Name) -> bool {
        let kind = self.zone_kind(zone);
        match name {
            Name::Any => true,
            Name::AnyTier => kind == ZoneKind::Tier,
            Name::Inside => kind.is_inside(),
            Name::Unassigned => kind == ZoneKind::Unassigned,
            Name::Internet => {
                matches!(kind, ZoneKind::Internet | ZoneKind::Aws)
                    || self.destination_of(zone).is_some_and(is_public)
            }
            Name::Unlisted => kind == ZoneKind::Internet || is_anybodys_zone(self.zone_name(zone)),
            Name::Private => {
                kind == ZoneKind::Private || self.destination_of(zone).is_some_and(is_private)
            }
            Name::Outside => matches!(
                kind,
                ZoneKind::Internet | ZoneKind::Aws | ZoneKind::Private | ZoneKind::Destination
            ),
            Name::AnyAws => kind == ZoneKind::Aws,
            Name::Aws(bit) => {
                kind == ZoneKind::Aws
                    && self.zone_name(zone).strip_prefix("aws:") == Some(self.services.name(bit))
            }
            Name::Tier(tier) => kind == ZoneKind::Tier && zone.0 == tier,
            Name::Destination(id) => self
                .destination_of(zone)
                .is_some_and(|of| of.name == self.places.destinations[usize::from(id)].name),
            Name::Group(_) | Name::SameSubnet => false,
        }
    }

    fn destination_of(&self, zone: ZoneId) -> Option<&Destination> {
        if self.zone_kind(zone) != ZoneKind::Destination {
            return None;
        }
        self.places
            .destinations
            .iter()
            .find(|destination| destination.name == self.zone_name(zone))
    }
}

fn is_public(destination: &Destination) -> bool {
    !destination
        .cidrs
        .iter()
        .any(|cidr| cidr.first().is_private())
}

fn is_private(destination: &Destination) -> bool {
    !destination.cidrs.is_empty()
        && destination.services == 0
        && destination
            .cidrs
            .iter()
            .all(|cidr| cidr.first().is_private())
}
