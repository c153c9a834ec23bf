//! The policy's hash: SHA-256 over what decides, in a canonical form that neither the order of the file nor its texts,
//! tests, mutes and detectors change.

use sha2::{Digest, Sha256};

use super::domains::DEFAULT_GRACE;
use super::file::Data;
use super::inventory::Inventory;
use super::meant::Places;
use super::names::{Name, ServiceNames};
use super::pinned::Pinned;
use super::ruleset::{Condition, Ports, Rules, What};
use super::scope::Transit;
use super::validity::Validity;
use super::word::{Criticality, Path, Severity};
use crate::net::hex;

/// Changes whenever the canonical form does, so that hashes of two forms never meet.
const FORM: &str = "tidegate policy 1";

/// An item of the canonical form: fields, each with its length before it, so that no two items read alike.
struct Item(Vec<u8>);

impl Item {
    fn new(kind: &str) -> Item {
        Item(Vec::new()).text(kind)
    }

    fn bytes(mut self, bytes: &[u8]) -> Item {
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
        self
    }

    fn text(self, text: &str) -> Item {
        self.bytes(text.as_bytes())
    }

    /// A list as one field; the caller has it in canonical order.
    fn list<T: ToString>(self, items: impl IntoIterator<Item = T>) -> Item {
        let list = items
            .into_iter()
            .fold(Item(Vec::new()), |list, item| list.text(&item.to_string()));
        self.bytes(&list.0)
    }

    fn number(self, number: Option<i64>) -> Item {
        match number {
            Some(number) => self.bytes(&number.to_be_bytes()),
            None => self.bytes(&[]),
        }
    }

    /// Two fields more at the end of what is not always in force.
    fn validity(self, validity: Validity) -> Item {
        if validity.is_always() {
            return self;
        }
        self.number(validity.from).number(validity.until)
    }
}

/// The hash in hex.
pub(super) fn hash(
    places: &Places,
    services: &ServiceNames,
    rules: &Rules,
    transit: &Transit,
    pinned: &Pinned,
    inventory: &Inventory,
    data: &Data,
) -> String {
    let mut items: Vec<Vec<u8>> = Vec::new();
    place_items(places, &mut items);
    let canon = Canon {
        places,
        services,
        rules,
    };
    for (effect, conditions) in [("allow", &rules.allows), ("deny", &rules.denies)] {
        items.extend(
            conditions
                .iter()
                .map(|condition| canon.condition(effect, condition).0),
        );
    }
    for require in &rules.requires {
        let item = Item::new("require")
            .text(canon.rule_id(require.rule))
            .list(canon.names(&require.between));
        let item = match &require.what {
            What::Encrypted => item.text("encrypted"),
            What::Shared { az, labels } => item.text(if *az { "az" } else { "" }).list(labels),
        };
        let item = item.text(canon.severity(require.rule));
        // Without dates it is hashed as it was before it could have any.
        let Validity { from, until } = require.validity;
        let item = match require.validity.is_always() {
            true => item,
            false => item.number(from).number(until),
        };
        items.push(item.0);
    }
    items.push(Item::new("transit").list(transit.texts()).0);
    items.push(
        Item::new("ranges")
            .text(if pinned.ranges.is_some() {
                "pinned"
            } else {
                ""
            })
            .0,
    );
    items.extend(
        pinned
            .digests
            .iter()
            .map(|digest| Item::new("pinned").bytes(digest).0),
    );
    let files = inventory.digests().into_iter();
    items
        .extend(files.map(|(digest, valid_from)| {
            Item::new("inventory").bytes(&digest).number(valid_from).0
        }));
    // Where the logs are, not what they hold: they grow while the policy stays, as flow logs do.
    if !data.resolver_logs.is_empty() {
        let mut places: Vec<&str> = data.resolver_logs.iter().map(|word| &**word).collect();
        places.sort_unstable();
        places.dedup();
        let grace = i64::from(data.resolver_grace.unwrap_or(DEFAULT_GRACE));
        items.push(Item::new("resolver").list(places).number(Some(grace)).0);
    }
    items.sort_unstable();
    let mut hasher = Sha256::new();
    hasher.update(FORM);
    for item in items {
        hasher.update((item.len() as u64).to_be_bytes());
        hasher.update(&item);
    }
    hex(&hasher.finalize())
}

fn place_items(places: &Places, items: &mut Vec<Vec<u8>>) {
    let network_name = |id: super::NetworkId| places.networks[usize::from(id.0)].name.as_str();
    for network in &places.networks {
        let item = Item::new("network")
            .text(&network.name)
            .list(&network.vpcs)
            .list(&network.accounts)
            .list(&network.regions);
        items.push(
            item.list(&network.cidrs)
                .list(network.connected.iter().map(|id| network_name(*id)))
                .0,
        );
    }
    for tier in &places.tiers {
        items.push(
            Item::new("tier")
                .text(&tier.name)
                .text(Criticality::as_str(tier.criticality))
                .0,
        );
    }
    for subnet in &places.subnets {
        let item = Item::new("subnet")
            .text(network_name(subnet.network))
            .text(&places.tiers[usize::from(subnet.tier)].name);
        let labels = subnet.labels.iter().flat_map(|(key, value)| [key, value]);
        let item = item.list(&subnet.az).list(labels).list(&subnet.cidrs);
        items.push(item.validity(subnet.validity).0);
    }
    for group in &places.groups {
        let item = Item::new("group")
            .text(&group.name)
            .list(group.network.map(network_name));
        let item = item
            .list(&group.cidrs)
            .list(&group.interfaces)
            .list(&group.instances);
        let item = item
            .list(group.tags.iter().flat_map(|(key, value)| [key, value]))
            .list(&group.ecs_services);
        items.push(
            item.list(&group.interface_types)
                .list(group.by_inventory())
                .validity(group.validity)
                .0,
        );
    }
    for destination in &places.destinations {
        let item = Item::new("destination")
            .text(&destination.name)
            .list(&destination.cidrs)
            .list(&destination.service_names);
        items.push(
            item.list(&destination.regions)
                .list(&destination.domains)
                .list(&destination.missing_lists)
                .validity(destination.validity)
                .0,
        );
    }
    for service in &places.services {
        let symmetric = if service.symmetric { "symmetric" } else { "" };
        items.push(
            Item::new("service")
                .text(&service.name)
                .list(service.ports.ranges())
                .text(symmetric)
                .0,
        );
    }
}

/// Numbers back to the names that they stand for.
struct Canon<'p> {
    places: &'p Places,
    services: &'p ServiceNames,
    rules: &'p Rules,
}

impl Canon<'_> {
    fn rule_id(&self, rule: super::RuleId) -> &str {
        &self.rules.texts[usize::from(rule.0)].id
    }

    fn severity(&self, rule: super::RuleId) -> &'static str {
        self.rules.texts[usize::from(rule.0)]
            .severity
            .map_or("", Severity::as_str)
    }

    /// Names of ends, by what they are called rather than by their numbers: tiers are numbered by the order of the file.
    fn names(&self, names: &[Name]) -> Vec<String> {
        let mut texts: Vec<String> = names
            .iter()
            .map(|name| match name {
                Name::Tier(id) => format!("tier {}", self.places.tiers[usize::from(*id)].name),
                Name::Group(id) => format!("group {}", self.places.groups[usize::from(*id)].name),
                Name::Destination(id) => format!(
                    "destination {}",
                    self.places.destinations[usize::from(*id)].name
                ),
                Name::Aws(bit) => format!("aws {}", self.services.name(*bit)),
                reserved => format!("{reserved:?}"),
            })
            .collect();
        texts.sort_unstable();
        texts
    }

    fn condition(&self, effect: &str, condition: &Condition) -> Item {
        let item = Item::new(effect).text(self.rule_id(condition.rule));
        let item = item
            .list(self.names(&condition.from))
            .list(self.names(&condition.from_except));
        let item = item
            .list(self.names(&condition.to))
            .list(self.names(&condition.to_except));
        let mut sets: Vec<String> = condition
            .ports
            .sets()
            .iter()
            .map(ToString::to_string)
            .collect();
        sets.sort_unstable();
        sets.dedup();
        let ports = match &condition.ports {
            Ports::Any => "any",
            Ports::Only(_) => "only",
            Ports::Except(_) => "except",
        };
        let family = match condition.ipv4 {
            None => "",
            Some(true) => "ipv4",
            Some(false) => "ipv6",
        };
        item.text(ports)
            .list(sets)
            .list(condition.via.iter().map(|path| Path::as_str(*path)))
            .text(family)
            .number(condition.not_before)
            .number(condition.expires)
            .list(condition.exempt.iter().map(|rule| self.rule_id(*rule)))
            .text(self.severity(condition.rule))
    }
}
