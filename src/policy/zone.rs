//! Zones: the one label that an end is shown with.

use super::classes::how_specific;
use super::meant::Places;
use super::names::ServiceNames;
use super::space::{Class, Kind};
use super::{Criticality, End, Policy, ZoneId, ZoneKind};

/// The zones of a policy: tiers, `unassigned`, destinations, AWS services, `private`, `local`, `internet`, in this order.
pub(super) struct Zones {
    pub(super) names: Vec<String>,
    kinds: Vec<ZoneKind>,
    num_tiers: u16,
    num_destinations: u16,
    /// By class, without what records add.
    of_class: Vec<ZoneId>,
}

/// The name of the zone of inside addresses that no subnet holds.
pub const UNASSIGNED: &str = "unassigned";

/// One zone for each service bit, the one for codes that the program does not know included.
const NUM_SERVICES: u16 = 64;

impl Zones {
    pub(super) fn new(places: &Places, services: &ServiceNames, classes: &[Class]) -> Zones {
        let mut zones = Zones {
            names: Vec::new(),
            kinds: Vec::new(),
            num_tiers: places.tiers.len() as u16,
            num_destinations: places.destinations.len() as u16,
            of_class: Vec::new(),
        };
        let mut add = |name: String, kind: ZoneKind| {
            zones.names.push(name);
            zones.kinds.push(kind);
        };
        for tier in &places.tiers {
            add(tier.name.clone(), ZoneKind::Tier);
        }
        add(UNASSIGNED.to_owned(), ZoneKind::Unassigned);
        for destination in &places.destinations {
            add(destination.name.clone(), ZoneKind::Destination);
        }
        for bit in 0..NUM_SERVICES {
            add(format!("aws:{}", services.name(bit as u8)), ZoneKind::Aws);
        }
        add("private".to_owned(), ZoneKind::Private);
        add("local".to_owned(), ZoneKind::Local);
        add("internet".to_owned(), ZoneKind::Internet);
        zones.of_class = classes
            .iter()
            .map(|class| zones.of(class, places))
            .collect();
        zones
    }

    fn of(&self, class: &Class, places: &Places) -> ZoneId {
        match (class.kind, class.subnet, class.destination, class.service) {
            (Kind::Inside, Some(subnet), ..) => ZoneId(places.subnets[subnet as usize].tier),
            (Kind::Inside, None, ..) => ZoneId(self.num_tiers),
            (_, _, Some(destination), _) => self.destination(destination),
            (_, _, None, Some(service)) => self.service(service),
            (Kind::Private, ..) => self.behind_services(0),
            (Kind::Local, ..) => self.behind_services(1),
            (Kind::Internet, ..) => self.behind_services(2),
        }
    }

    fn destination(&self, id: u16) -> ZoneId {
        ZoneId(self.num_tiers + 1 + id)
    }

    fn service(&self, bit: u8) -> ZoneId {
        ZoneId(self.num_tiers + 1 + self.num_destinations + u16::from(bit))
    }

    fn behind_services(&self, at: u16) -> ZoneId {
        ZoneId(self.num_tiers + 1 + self.num_destinations + NUM_SERVICES + at)
    }
}

impl Policy {
    /// The label of an end: tier, else `unassigned` inside a network, else the longest matching destination (those by a
    /// record's service field last, then by name), else `aws:SERVICE` (the record's own before that of the longest
    /// pinned range, but EC2 and AMAZON last), else `private`, else `local`, else `internet`.
    #[inline]
    pub fn zone(&self, end: &End<'_>) -> ZoneId {
        let zone = self.zones.of_class[end.class.0 as usize];
        if end.services == 0
            || matches!(
                self.zone_kind(zone),
                ZoneKind::Tier | ZoneKind::Unassigned | ZoneKind::Destination
            )
        {
            return zone;
        }
        self.zone_by_field(end)
    }

    fn zone_by_field(&self, end: &End<'_>) -> ZoneId {
        let class = self.space.class(end.class);
        if let Some(destination) = self.destination_by_field(class, end) {
            return self.zones.destination(destination);
        }
        let named = (0..64u8).filter(|bit| end.services >> bit & 1 == 1);
        let best = named
            .max_by_key(|bit| how_specific(*bit))
            .expect("the caller saw a service");
        let by_range = class
            .service
            .filter(|by_range| how_specific(*by_range).0 > how_specific(best).0);
        self.zones.service(by_range.unwrap_or(best))
    }

    /// The zone's name as shown.
    pub fn zone_name(&self, zone: ZoneId) -> &str {
        &self.zones.names[usize::from(zone.0)]
    }

    /// All zones.
    pub fn zones(&self) -> impl Iterator<Item = ZoneId> {
        (0..self.zones.names.len()).map(|zone| ZoneId(zone as u16))
    }

    /// What kind of zone it is, for flags and severity.
    #[inline]
    pub fn zone_kind(&self, zone: ZoneId) -> ZoneKind {
        self.zones.kinds[usize::from(zone.0)]
    }

    /// The criticality of a tier; medium for every other zone.
    pub fn criticality(&self, zone: ZoneId) -> Criticality {
        self.places
            .tiers
            .get(usize::from(zone.0))
            .map_or(Criticality::Medium, |tier| tier.criticality)
    }
}
