//! Where things are: networks, tiers, subnets, groups, destinations, services.

use std::collections::BTreeMap;

use ::toml::de::DeValue;

use super::{bounded, leaf};
use crate::net::Prefix;
use crate::net::ports::PortSet;
use crate::policy::Criticality;
use crate::policy::problem::{Problems, Span};
use crate::policy::section::{Section, Word};
use crate::policy::validity::Validity;

/// Bounds of a file, so that what is compiled from it fits into small numbers and into memory.
const MAX_NETWORKS: usize = 1024;
const MAX_NAMED: usize = 4096;
const MAX_SUBNETS: usize = 65_536;

/// `[networks.NAME]`.
pub(in crate::policy) struct Network {
    pub(in crate::policy) name: Word,
    pub(in crate::policy) vpcs: Vec<Word>,
    pub(in crate::policy) accounts: Vec<Word>,
    pub(in crate::policy) regions: Vec<Word>,
    pub(in crate::policy) cidrs: Vec<(Prefix, Word)>,
    pub(in crate::policy) connected_to: Vec<Word>,
}

/// `[tiers.NAME]`.
pub(in crate::policy) struct Tier {
    pub(in crate::policy) name: Word,
    pub(in crate::policy) criticality: Option<Criticality>,
}

/// `[[subnets]]`.
pub(in crate::policy) struct Subnet {
    pub(in crate::policy) span: Span,
    pub(in crate::policy) id: Option<Word>,
    pub(in crate::policy) network: Option<Word>,
    pub(in crate::policy) tier: Option<Word>,
    pub(in crate::policy) validity: Validity,
    pub(in crate::policy) az: Option<Word>,
    pub(in crate::policy) labels: BTreeMap<String, Word>,
    pub(in crate::policy) cidrs: Vec<(Prefix, Word)>,
}

/// `[groups.NAME]`.
pub(in crate::policy) struct Group {
    pub(in crate::policy) name: Word,
    pub(in crate::policy) network: Option<Word>,
    pub(in crate::policy) validity: Validity,
    pub(in crate::policy) cidrs: Vec<(Prefix, Word)>,
    pub(in crate::policy) interfaces: Vec<Word>,
    pub(in crate::policy) instances: Vec<Word>,
    pub(in crate::policy) security_groups: Vec<Word>,
    pub(in crate::policy) tags: BTreeMap<String, Word>,
    pub(in crate::policy) ecs_services: Vec<Word>,
    pub(in crate::policy) interface_types: Vec<Word>,
    pub(in crate::policy) descriptions: Vec<Word>,
    pub(in crate::policy) endpoints: Vec<Word>,
}

/// `[destinations.NAME]`.
pub(in crate::policy) struct Destination {
    pub(in crate::policy) name: Word,
    pub(in crate::policy) validity: Validity,
    pub(in crate::policy) cidrs: Vec<(Prefix, Word)>,
    pub(in crate::policy) domains: Vec<Word>,
    pub(in crate::policy) prefix_lists: Vec<Word>,
    pub(in crate::policy) aws_services: Vec<Word>,
    pub(in crate::policy) regions: Vec<Word>,
}

/// An entry of `[services]`.
pub(in crate::policy) struct Service {
    pub(in crate::policy) name: Word,
    pub(in crate::policy) ports: PortSet,
    pub(in crate::policy) symmetric: bool,
}

pub(super) fn networks(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Network> {
    let mut networks = Vec::new();
    for (name, mut section) in top.named("networks", problems) {
        leaf::check_name(&name, "network", problems);
        if !section.has("cidrs") {
            section.missing("cidrs", problems);
        }
        let cidrs = leaf::prefixes(&mut section, "cidrs", problems);
        networks.push(Network {
            name,
            vpcs: leaf::ids(&mut section, "vpcs", "vpc-", problems),
            accounts: leaf::accounts(&mut section, problems),
            regions: leaf::regions(&mut section, problems),
            cidrs: bounded(
                cidrs,
                MAX_NAMED,
                "cidrs of one network",
                |(_, word)| word.span.clone(),
                problems,
            ),
            connected_to: section.words("connected_to", problems),
        });
        section.finish(problems);
    }
    if !top.has("networks") {
        problems.add_with_hint(
            &top.span,
            "the file has no network",
            "add [networks.NAME] with the cidrs that are yours",
        );
    }
    bounded(
        networks,
        MAX_NETWORKS,
        "networks",
        |network| network.name.span.clone(),
        problems,
    )
}

pub(super) fn tiers(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Tier> {
    let mut tiers = Vec::new();
    for (name, mut section) in top.named("tiers", problems) {
        leaf::check_name(&name, "tier", problems);
        let criticality = section.choice(
            "criticality",
            Criticality::ALL,
            Criticality::as_str,
            problems,
        );
        section.finish(problems);
        tiers.push(Tier { name, criticality });
    }
    bounded(
        tiers,
        MAX_NAMED,
        "tiers",
        |tier| tier.name.span.clone(),
        problems,
    )
}

pub(super) fn subnets(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Subnet> {
    let mut subnets = Vec::new();
    for mut section in top.list("subnets", problems) {
        let subnet = Subnet {
            span: section.span.clone(),
            id: section.word("id", problems),
            network: section.word("network", problems),
            tier: section.required_word("tier", problems),
            validity: leaf::validity(&mut section, problems),
            az: section.word("az", problems),
            labels: section.pairs("labels", problems),
            cidrs: leaf::prefixes(&mut section, "cidrs", problems),
        };
        if !section.has("cidrs") {
            section.missing("cidrs", problems);
        }
        if let Some(tier) = &subnet.tier {
            leaf::check_name(tier, "tier", problems);
        }
        if let Some(value) = subnet.labels.get("az") {
            problems.add_with_hint(
                &value.span,
                "`az` is no label",
                "write it beside the labels: az = \"…\"",
            );
        }
        section.finish(problems);
        subnets.push(subnet);
    }
    bounded(
        subnets,
        MAX_SUBNETS,
        "subnets",
        |subnet| subnet.span.clone(),
        problems,
    )
}

pub(super) fn groups(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, mut section) in top.named("groups", problems) {
        leaf::check_name(&name, "group", problems);
        let group = Group {
            name,
            network: section.word("network", problems),
            validity: leaf::validity(&mut section, problems),
            cidrs: leaf::prefixes(&mut section, "cidrs", problems),
            interfaces: leaf::ids(&mut section, "interfaces", "eni-", problems),
            instances: leaf::ids(&mut section, "instances", "i-", problems),
            security_groups: leaf::ids(&mut section, "security_groups", "sg-", problems),
            tags: section.pairs("tags", problems),
            ecs_services: section.words("ecs_services", problems),
            interface_types: section.words("interface_types", problems),
            descriptions: section.words("descriptions", problems),
            endpoints: section.words("endpoints", problems),
        };
        const MEANS: [&str; 9] = [
            "cidrs",
            "interfaces",
            "instances",
            "security_groups",
            "tags",
            "ecs_services",
            "interface_types",
            "descriptions",
            "endpoints",
        ];
        if !MEANS.iter().any(|key| section.has(key)) {
            problems.add_with_hint(
                &section.span,
                format!("nothing says who is in group `{}`", &*group.name),
                format!("give any of {}", MEANS.join(", ")),
            );
        }
        section.finish(problems);
        groups.push(group);
    }
    bounded(
        groups,
        MAX_NAMED,
        "groups",
        |group| group.name.span.clone(),
        problems,
    )
}

pub(super) fn destinations(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Destination> {
    let mut destinations = Vec::new();
    for (name, mut section) in top.named("destinations", problems) {
        leaf::check_name(&name, "destination", problems);
        let destination = Destination {
            name,
            validity: leaf::validity(&mut section, problems),
            cidrs: leaf::prefixes(&mut section, "cidrs", problems),
            domains: leaf::domains(&mut section, problems),
            prefix_lists: leaf::ids(&mut section, "prefix_lists", "pl-", problems),
            aws_services: section.words("aws_services", problems),
            regions: leaf::regions(&mut section, problems),
        };
        const MEANS: [&str; 4] = ["cidrs", "domains", "prefix_lists", "aws_services"];
        if !MEANS.iter().any(|key| section.has(key)) {
            let message = format!("nothing says where destination `{}` is", &*destination.name);
            problems.add_with_hint(
                &section.span,
                message,
                format!("give any of {}", MEANS.join(", ")),
            );
        }
        if section.has("regions") && !section.has("aws_services") {
            problems.add(
                &section.span_of("regions"),
                "`regions` narrows `aws_services`, which is not there",
            );
        }
        section.finish(problems);
        destinations.push(destination);
    }
    bounded(
        destinations,
        MAX_NAMED,
        "destinations",
        |destination| destination.name.span.clone(),
        problems,
    )
}

pub(super) fn services(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Service> {
    let Some(section) = top.section("services", problems) else {
        return Vec::new();
    };
    let mut services = Vec::new();
    for (name, value) in section.all_entries() {
        leaf::check_name(&name, "service", problems);
        let (words, symmetric) = match value.get_ref() {
            DeValue::Table(table) => {
                let mut long =
                    Section::new(format!("service `{}`", &*name), name.span.clone(), table);
                if !long.has("ports") {
                    long.missing("ports", problems);
                }
                let read = (
                    long.words("ports", problems),
                    long.flag("symmetric", problems).unwrap_or(false),
                );
                long.finish(problems);
                read
            }
            _ => (section.words_of(&name, value, problems), false),
        };
        let ports: PortSet = leaf::ports(&words, problems).into_iter().collect();
        services.push(Service {
            name,
            ports,
            symmetric,
        });
    }
    bounded(
        services,
        MAX_NAMED,
        "services",
        |service| service.name.span.clone(),
        problems,
    )
}
