//! Whether an end is what a name says: yes, no, or unknown because the evidence is missing.

use super::names::Name;
use super::space::{Class, Kind};
use super::{End, Policy};
use crate::net::aws;

/// A statement that can lack its evidence. The order makes `min` a conjunction and `max` a disjunction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Truth {
    No,
    Unknown,
    Yes,
}

impl Truth {
    pub(super) fn and(self, other: Truth) -> Truth {
        self.min(other)
    }

    pub(super) fn or(self, other: Truth) -> Truth {
        self.max(other)
    }

    pub(super) fn not(self) -> Truth {
        match self {
            Truth::No => Truth::Yes,
            Truth::Unknown => Truth::Unknown,
            Truth::Yes => Truth::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(is: bool) -> Truth {
        if is { Truth::Yes } else { Truth::No }
    }
}

/// Services whose addresses are anybody's: an address there may be an attacker's instance or function.
pub(super) const ANYBODYS: [&str; 5] = [
    "EC2",
    "AMAZON",
    "GLOBALACCELERATOR",
    "CLOUDFRONT",
    "API_GATEWAY",
];

/// Whether a zone of this name holds addresses of such a service.
pub fn is_anybodys_zone(zone: &str) -> bool {
    zone.strip_prefix("aws:")
        .is_some_and(|service| ANYBODYS.contains(&service))
}

impl Policy {
    /// Whether an end is what a name says; `other` is the opposite end, for `same-subnet`.
    pub(super) fn is(&self, end: &End<'_>, name: Name, other: &End<'_>) -> Truth {
        let class = self.space.class(end.class);
        match name {
            Name::Any => Truth::Yes,
            Name::AnyTier => class.subnet.is_some().into(),
            Name::Inside => (class.kind == Kind::Inside).into(),
            Name::Unassigned => (class.kind == Kind::Inside && class.subnet.is_none()).into(),
            Name::SameSubnet => (class.subnet.is_some()
                && class.subnet == self.space.class(other.class).subnet)
                .into(),
            Name::Internet => (class.kind == Kind::Internet).into(),
            Name::Unlisted => self.is_unlisted(class, end),
            Name::Private => (class.kind == Kind::Private).into(),
            Name::Outside => matches!(class.kind, Kind::Internet | Kind::Private).into(),
            Name::AnyAws => self.has_service(class, end, u64::MAX),
            Name::Aws(bit) => self.has_service(class, end, 1 << bit),
            Name::Tier(tier) => class
                .subnet
                .is_some_and(|subnet| self.places.subnets[subnet as usize].tier == tier)
                .into(),
            Name::Group(group) => self.is_in_group(class, end, group),
            Name::Destination(destination) => self.is_destination(class, end, destination),
        }
    }

    /// Whether the service field or ranges could still name a service: a public address whose records lack the field,
    /// and no ranges are pinned.
    fn lacks_service_evidence(&self, class: &Class, end: &End<'_>) -> bool {
        class.kind == Kind::Internet && !end.services_known && !self.has_ranges
    }

    /// Whether an end outside is of one of these services. What is inside is the network's own, even where its addresses
    /// are of a range that AWS publishes (as all IPv6 addresses of a VPC are).
    fn has_service(&self, class: &Class, end: &End<'_>, services: u64) -> Truth {
        if class.kind == Kind::Inside {
            return Truth::No;
        }
        if (class.services | end.services) & services != 0 {
            return Truth::Yes;
        }
        if self.lacks_service_evidence(class, end) {
            Truth::Unknown
        } else {
            Truth::No
        }
    }

    fn is_unlisted(&self, class: &Class, end: &End<'_>) -> Truth {
        if class.kind != Kind::Internet {
            return Truth::No;
        }
        let is_named = !class.destinations.is_empty()
            || end.domains.all() != 0
            || self.destination_by_field(class, end).is_some();
        let is_listed = (class.services | end.services) & !self.anybodys != 0;
        if is_named || is_listed {
            return Truth::No;
        }
        // Logs that are named and do not tell of this time could say that it is a named place.
        let is_unheard = !self.resolver_logs.is_empty() && !end.domains.known;
        if self.lacks_service_evidence(class, end) || is_unheard && self.has_domains_in_force(class)
        {
            Truth::Unknown
        } else {
            Truth::Yes
        }
    }

    /// Whether a destination that goes by names is in force for ends of a class.
    fn has_domains_in_force(&self, class: &Class) -> bool {
        let destinations = self.places.destinations.iter().enumerate();
        let mut by_name = destinations.filter(|(_, destination)| !destination.domains.is_empty());
        by_name.any(|(id, _)| !class.is_dormant(id as u16))
    }

    fn is_in_group(&self, class: &Class, end: &End<'_>, group: u16) -> Truth {
        let id = super::GroupId(group);
        if class.groups.binary_search(&id).is_ok() {
            return Truth::Yes;
        }
        if class.is_dormant(group) {
            return Truth::No;
        }
        let by_inventory = self.inventory.is_in_group(end.known, id);
        if end.groups.contains(&id) || by_inventory == Truth::Yes {
            return Truth::Yes;
        }
        let group = &self.places.groups[usize::from(group)];
        let could_be = class
            .home
            .is_some_and(|home| group.network.is_none_or(|network| network == home));
        if could_be && group.needs_inventory() {
            by_inventory
        } else {
            Truth::No
        }
    }

    fn is_destination(&self, class: &Class, end: &End<'_>, id: u16) -> Truth {
        if class.kind == Kind::Inside {
            return Truth::No;
        }
        if class.destinations.binary_search(&id).is_ok()
            || self.is_destination_by_field(class, end, id)
        {
            return Truth::Yes;
        }
        if class.is_dormant(id) {
            return Truth::No;
        }
        let destination = &self.places.destinations[usize::from(id)];
        if class.kind == Kind::Local {
            return Truth::No;
        }
        if let Some(bit) = destination.domain_bit
            && end.domains.all() >> bit & 1 == 1
        {
            return Truth::Yes;
        }
        let is_unheard = !destination.domains.is_empty() && !end.domains.known;
        let by_name = is_unheard || !destination.missing_lists.is_empty();
        let by_service = destination.services != 0 && self.lacks_service_evidence(class, end);
        if by_name || by_service {
            Truth::Unknown
        } else {
            Truth::No
        }
    }

    /// Whether the records' own service field makes an end of this destination. Where ranges are pinned and place the
    /// address in that service, they also say in which region, and have the last word on a destination with regions.
    fn is_destination_by_field(&self, class: &Class, end: &End<'_>, id: u16) -> bool {
        let destination = &self.places.destinations[usize::from(id)];
        let mut named = end.services & destination.services;
        if named == 0 || class.is_dormant(id) {
            return false;
        }
        if !destination.regions.is_empty() {
            named &= !class.services;
        }
        named != 0
    }

    /// The first destination by name that the records' own service field makes an end of.
    pub(super) fn destination_by_field(&self, class: &Class, end: &End<'_>) -> Option<u16> {
        if end.services == 0 || class.kind == Kind::Inside {
            return None;
        }
        (0..self.places.destinations.len() as u16)
            .find(|id| self.is_destination_by_field(class, end, *id))
    }
}

/// The bits of services that are anybody's.
pub(super) fn anybodys() -> u64 {
    let bit = |name: &str| {
        aws::SERVICES
            .iter()
            .position(|service| *service == name)
            .expect("these are among the codes")
    };
    ANYBODYS.iter().fold(0, |bits, name| bits | 1 << bit(name))
}
