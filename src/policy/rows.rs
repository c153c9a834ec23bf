//! What a policy says, as rows for tables: every word as text, in the order of the policy's own numbers.

use super::names::Name;
use super::ruleset::{Condition, Ports, What};
use super::{Effect, Policy, Rule};

/// A rule as a row.
pub struct RuleRow<'p> {
    /// What it says of itself.
    pub rule: &'p Rule,
    /// Who may be the client; of a require both ends. Empty for the default.
    pub clients: Vec<String>,
    /// Who may not although it is among them.
    pub clients_except: Vec<String>,
    /// Who may be the server.
    pub servers: Vec<String>,
    /// Who may not although it is among them.
    pub servers_except: Vec<String>,
    /// The ports as text; `any` for all, `not …` for all others.
    pub ports: Option<String>,
    /// The ways out; empty is any.
    pub via: Vec<&'static str>,
    /// When it begins to be in force, seconds since 1970.
    pub not_before: Option<i64>,
    /// When it ends to be, seconds since 1970.
    pub expires: Option<i64>,
    /// The requires that it is exempt from.
    pub exempt: Vec<&'p str>,
}

/// A network as a row.
pub struct NetworkRow<'p> {
    /// Its name.
    pub name: &'p str,
    /// The VPCs whose records it judges.
    pub vpcs: &'p [String],
    /// The accounts whose records it judges.
    pub accounts: &'p [String],
    /// The regions whose records it judges.
    pub regions: &'p [String],
}

/// A subnet as a row.
pub struct SubnetRow<'p> {
    /// Its network.
    pub network: &'p str,
    /// Its tier.
    pub tier: &'p str,
    /// Its availability zone.
    pub az: Option<&'p str>,
    /// Its labels, sorted.
    pub labels: Vec<(&'p str, &'p str)>,
    /// Its prefixes.
    pub cidrs: Vec<String>,
    /// When it begins to be in force, seconds since 1970.
    pub valid_from: Option<i64>,
    /// When it ends to be, seconds since 1970.
    pub valid_until: Option<i64>,
}

/// A group as a row.
pub struct GroupRow<'p> {
    /// Its name.
    pub name: &'p str,
    /// The network it is in; none is any.
    pub network: Option<&'p str>,
    /// Its prefixes.
    pub cidrs: Vec<String>,
    /// What else makes a member, as `key value`.
    pub members: Vec<String>,
    /// When it begins to be in force, seconds since 1970.
    pub valid_from: Option<i64>,
    /// When it ends to be, seconds since 1970.
    pub valid_until: Option<i64>,
}

/// A destination as a row.
pub struct DestinationRow<'p> {
    /// Its name.
    pub name: &'p str,
    /// Its prefixes, those of pinned ranges included.
    pub cidrs: Vec<String>,
    /// Its AWS services.
    pub aws_services: &'p [String],
    /// The regions of these services; empty is any.
    pub regions: &'p [String],
    /// Its domains.
    pub domains: &'p [String],
    /// When it begins to be in force, seconds since 1970.
    pub valid_from: Option<i64>,
    /// When it ends to be, seconds since 1970.
    pub valid_until: Option<i64>,
}

impl Policy {
    /// Its rules, requires and the default, by their ids; the default last.
    pub fn rule_rows(&self) -> Vec<RuleRow<'_>> {
        let rules = &self.rules;
        let mut rows: Vec<RuleRow<'_>> = rules.texts.iter().map(bare).collect();
        for condition in rules.conditions() {
            self.fill(&mut rows[usize::from(condition.rule.0)], condition);
        }
        for require in &rules.requires {
            let row = &mut rows[usize::from(require.rule.0)];
            row.clients = self.words(&require.between);
            row.servers = row.clients.clone();
            row.not_before = require.validity.from;
            row.expires = require.validity.until;
            row.ports = Some(match &require.what {
                What::Encrypted => "encrypted".to_owned(),
                What::Shared { az, labels } => {
                    let az = az.then(|| "same az".to_owned());
                    let labels = labels.iter().map(|label| format!("same {label}"));
                    az.into_iter().chain(labels).collect::<Vec<_>>().join(", ")
                }
            });
        }
        rows
    }

    fn fill<'p>(&'p self, row: &mut RuleRow<'p>, condition: &Condition) {
        row.clients = self.words(&condition.from);
        row.clients_except = self.words(&condition.from_except);
        row.servers = self.words(&condition.to);
        row.servers_except = self.words(&condition.to_except);
        row.ports = Some(match &condition.ports {
            Ports::Any => "any".to_owned(),
            Ports::Except(set) => format!("not {set}"),
            Ports::Only(sets) => {
                let sets = sets.iter().map(|set| set.to_string());
                sets.collect::<Vec<_>>().join(", ")
            }
        });
        row.via = condition.via.iter().map(|via| via.as_str()).collect();
        row.not_before = condition.not_before;
        row.expires = condition.expires;
        row.exempt = condition
            .exempt
            .iter()
            .map(|rule| &*self.rule(*rule).id)
            .collect();
    }

    pub(super) fn words(&self, names: &[Name]) -> Vec<String> {
        names.iter().map(|name| self.word(*name)).collect()
    }

    pub(super) fn word(&self, name: Name) -> String {
        let places = &self.places;
        let at = usize::from;
        match name {
            Name::Tier(tier) => places.tiers[at(tier)].name.clone(),
            Name::Group(group) => places.groups[at(group)].name.clone(),
            Name::Destination(destination) => places.destinations[at(destination)].name.clone(),
            Name::Aws(bit) => format!("aws:{}", self.services.name(bit)),
            Name::AnyAws => "aws:*".to_owned(),
            reserved => reserved.reserved_word().unwrap_or_default().to_owned(),
        }
    }

    /// Its networks, by their numbers.
    pub fn network_rows(&self) -> impl Iterator<Item = NetworkRow<'_>> {
        self.places.networks.iter().map(|network| NetworkRow {
            name: &network.name,
            vpcs: &network.vpcs,
            accounts: &network.accounts,
            regions: &network.regions,
        })
    }

    /// Its subnets.
    pub fn subnet_rows(&self) -> impl Iterator<Item = SubnetRow<'_>> {
        let places = &self.places;
        places.subnets.iter().map(|subnet| SubnetRow {
            network: self.network_name(subnet.network),
            tier: &places.tiers[usize::from(subnet.tier)].name,
            az: subnet.az.as_deref(),
            labels: subnet
                .labels
                .iter()
                .map(|(key, value)| (&**key, &**value))
                .collect(),
            cidrs: subnet.cidrs.iter().map(ToString::to_string).collect(),
            valid_from: subnet.validity.from,
            valid_until: subnet.validity.until,
        })
    }

    /// Its tiers in the order of the file, each with its criticality.
    pub fn tier_rows(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let tiers = self.places.tiers.iter();
        tiers.map(|tier| (&*tier.name, tier.criticality.as_str()))
    }

    /// Its groups.
    pub fn group_rows(&self) -> impl Iterator<Item = GroupRow<'_>> {
        self.places.groups.iter().map(|group| {
            let lists = [
                ("interface", &group.interfaces),
                ("instance", &group.instances),
                ("ecs_service", &group.ecs_services),
                ("interface_type", &group.interface_types),
            ];
            let named = lists
                .into_iter()
                .flat_map(|(key, values)| values.iter().map(move |value| format!("{key} {value}")));
            let tags = group
                .tags
                .iter()
                .map(|(key, value)| format!("tag {key}={value}"));
            GroupRow {
                name: &group.name,
                network: group.network.map(|network| self.network_name(network)),
                cidrs: group.cidrs.iter().map(ToString::to_string).collect(),
                members: named.chain(tags).chain(group.by_inventory()).collect(),
                valid_from: group.validity.from,
                valid_until: group.validity.until,
            }
        })
    }

    /// Its destinations.
    pub fn destination_rows(&self) -> impl Iterator<Item = DestinationRow<'_>> {
        self.places
            .destinations
            .iter()
            .map(|destination| DestinationRow {
                name: &destination.name,
                cidrs: destination.cidrs.iter().map(ToString::to_string).collect(),
                aws_services: &destination.service_names,
                regions: &destination.regions,
                domains: &destination.domains,
                valid_from: destination.validity.from,
                valid_until: destination.validity.until,
            })
    }
}

impl Effect {
    /// Its word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
            Effect::RequireZone | Effect::RequireLabels | Effect::RequireEncrypted => "require",
            Effect::Default => "default",
        }
    }
}

fn bare(rule: &Rule) -> RuleRow<'_> {
    RuleRow {
        rule,
        clients: Vec::new(),
        clients_except: Vec::new(),
        servers: Vec::new(),
        servers_except: Vec::new(),
        ports: None,
        via: Vec::new(),
        not_before: None,
        expires: None,
        exempt: Vec::new(),
    }
}
