//! A policy as plain data, with a builder for tests and its own printer: the twin decides on the data, the program on
//! the printed file.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

/// What the tests vary of a policy file.
#[derive(Clone, Debug, Default)]
pub struct TwinPolicy {
    pub networks: Vec<Network>,
    /// Tier and criticality, for tiers that say one.
    pub tiers: Vec<(String, String)>,
    pub subnets: Vec<Subnet>,
    pub groups: Vec<Group>,
    pub destinations: Vec<Destination>,
    pub services: Vec<Service>,
    pub rules: Vec<Rule>,
    pub requires: Vec<Require>,
    /// Addresses, prefixes and interfaces of `[transit] nat`.
    pub transit: Vec<String>,
    /// The policy that this is an instant of.
    pub whole: Option<Arc<TwinPolicy>>,
}

/// `valid_from` and `valid_until`.
pub type Dates = (Option<u32>, Option<u32>);

#[derive(Clone, Debug, Default)]
pub struct Network {
    pub name: String,
    pub vpcs: Vec<String>,
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
    pub cidrs: Vec<IpNet>,
    pub connected_to: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Subnet {
    /// Needed only where the policy has several networks.
    pub network: Option<String>,
    pub tier: String,
    pub az: Option<String>,
    pub labels: Vec<(String, String)>,
    pub cidrs: Vec<IpNet>,
    pub valid: Dates,
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    pub name: String,
    /// Needed only where its prefixes lie in several networks.
    pub network: Option<String>,
    pub cidrs: Vec<IpNet>,
    pub interfaces: Vec<String>,
    pub instances: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub ecs_services: Vec<String>,
    pub interface_types: Vec<String>,
    pub security_groups: Vec<String>,
    pub valid: Dates,
}

#[derive(Clone, Debug, Default)]
pub struct Destination {
    pub name: String,
    pub cidrs: Vec<IpNet>,
    pub aws_services: Vec<String>,
    pub domains: Vec<String>,
    pub valid: Dates,
}

#[derive(Clone, Debug, Default)]
pub struct Service {
    pub name: String,
    pub ports: Vec<String>,
    pub symmetric: bool,
}

/// An allow or a deny.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    pub deny: bool,
    pub id: String,
    pub from: Vec<String>,
    pub from_except: Vec<String>,
    pub to: Vec<String>,
    pub to_except: Vec<String>,
    pub ports: Ports,
    pub via: Vec<String>,
    pub family: Option<String>,
    pub not_before: Option<u32>,
    pub expires: Option<u32>,
    pub exempt: Vec<String>,
    pub severity: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub enum Ports {
    #[default]
    Any,
    Only(Vec<String>),
    Except(Vec<String>),
    Service(String),
}

#[derive(Clone, Debug, Default)]
pub struct Require {
    pub id: String,
    pub between: Vec<String>,
    pub same: Vec<String>,
    pub encrypted: bool,
    pub not_before: Option<u32>,
    pub expires: Option<u32>,
    pub severity: Option<String>,
}

pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

pub fn cidrs(text: &str) -> Vec<IpNet> {
    text.split_whitespace()
        .map(|word| word.parse().expect("a test prefix"))
        .collect()
}

pub fn allow(id: &str, from: &str, to: &str) -> Rule {
    Rule {
        id: id.to_string(),
        from: words(from),
        to: words(to),
        ..Rule::default()
    }
}

pub fn deny(id: &str, from: &str, to: &str) -> Rule {
    Rule {
        deny: true,
        ..allow(id, from, to)
    }
}

impl Rule {
    pub fn ports(mut self, ports: &str) -> Rule {
        self.ports = Ports::Only(words(ports));
        self
    }

    pub fn ports_except(mut self, ports: &str) -> Rule {
        self.ports = Ports::Except(words(ports));
        self
    }

    pub fn service(mut self, service: &str) -> Rule {
        self.ports = Ports::Service(service.to_string());
        self
    }

    pub fn via(mut self, paths: &str) -> Rule {
        self.via = words(paths);
        self
    }

    pub fn exempt(mut self, requires: &str) -> Rule {
        self.exempt = words(requires);
        self
    }

    pub fn severity(mut self, severity: &str) -> Rule {
        self.severity = Some(severity.to_string());
        self
    }

    pub fn not_from(mut self, names: &str) -> Rule {
        self.from_except = words(names);
        self
    }

    pub fn not_to(mut self, names: &str) -> Rule {
        self.to_except = words(names);
        self
    }

    pub fn family(mut self, family: &str) -> Rule {
        self.family = Some(family.to_string());
        self
    }

    /// In force from `not_before` until before `expires`.
    pub fn dates(mut self, not_before: Option<u32>, expires: Option<u32>) -> Rule {
        self.not_before = not_before;
        self.expires = expires;
        self
    }
}

impl TwinPolicy {
    pub fn with(mut self, rule: Rule) -> TwinPolicy {
        self.rules.push(rule);
        self
    }

    pub fn require(mut self, id: &str, between: &str, same: &str) -> TwinPolicy {
        self.requires.push(Require {
            id: id.to_string(),
            between: words(between),
            same: words(same),
            ..Require::default()
        });
        self
    }

    pub fn criticality(mut self, tier: &str, criticality: &str) -> TwinPolicy {
        self.tiers.push((tier.to_string(), criticality.to_string()));
        self
    }

    pub fn transit(mut self, what: &str) -> TwinPolicy {
        self.transit.push(what.to_string());
        self
    }

    /// The policy of an instant: the subnets that are in force then, and of groups and destinations that are not the name
    /// alone.
    pub fn at(&self, instant: u32) -> TwinPolicy {
        let whole = self.whole.clone().unwrap_or_else(|| Arc::new(self.clone()));
        let mut policy = TwinPolicy::clone(&whole);
        policy.whole = Some(whole);
        let holds = |(from, until): Dates| {
            from.is_none_or(|from| from <= instant) && until.is_none_or(|until| instant < until)
        };
        policy.subnets.retain(|subnet| holds(subnet.valid));
        for group in policy.groups.iter_mut().filter(|group| !holds(group.valid)) {
            *group = Group {
                name: std::mem::take(&mut group.name),
                ..Group::default()
            };
        }
        let destinations = policy.destinations.iter_mut();
        for destination in destinations.filter(|destination| !holds(destination.valid)) {
            *destination = Destination {
                name: std::mem::take(&mut destination.name),
                ..Destination::default()
            };
        }
        policy
    }

    /// The policy file.
    pub fn to_toml(&self) -> String {
        let mut toml = String::from("[policy]\nid = \"TWIN\"\ntitle = \"a policy of the tests\"\n");
        for network in &self.networks {
            line(&mut toml, format_args!("\n[networks.{}]", network.name));
            list(&mut toml, "vpcs", &network.vpcs);
            list(&mut toml, "accounts", &network.accounts);
            list(&mut toml, "regions", &network.regions);
            list(&mut toml, "cidrs", &network.cidrs);
            list(&mut toml, "connected_to", &network.connected_to);
        }
        for (tier, criticality) in &self.tiers {
            line(
                &mut toml,
                format_args!("\n[tiers.{tier}]\ncriticality = \"{criticality}\""),
            );
        }
        for subnet in &self.subnets {
            line(
                &mut toml,
                format_args!("\n[[subnets]]\ntier = \"{}\"", subnet.tier),
            );
            text(&mut toml, "network", subnet.network.as_deref());
            text(&mut toml, "az", subnet.az.as_deref());
            list(&mut toml, "cidrs", &subnet.cidrs);
            table(&mut toml, "labels", &subnet.labels);
            dates(&mut toml, subnet.valid);
        }
        for group in &self.groups {
            line(&mut toml, format_args!("\n[groups.{}]", group.name));
            text(&mut toml, "network", group.network.as_deref());
            list(&mut toml, "cidrs", &group.cidrs);
            list(&mut toml, "interfaces", &group.interfaces);
            list(&mut toml, "instances", &group.instances);
            table(&mut toml, "tags", &group.tags);
            list(&mut toml, "ecs_services", &group.ecs_services);
            list(&mut toml, "interface_types", &group.interface_types);
            list(&mut toml, "security_groups", &group.security_groups);
            dates(&mut toml, group.valid);
        }
        for destination in &self.destinations {
            line(
                &mut toml,
                format_args!("\n[destinations.{}]", destination.name),
            );
            list(&mut toml, "cidrs", &destination.cidrs);
            list(&mut toml, "aws_services", &destination.aws_services);
            list(&mut toml, "domains", &destination.domains);
            dates(&mut toml, destination.valid);
        }
        toml.push_str("\n[services]\n");
        for service in &self.services {
            let ports = quoted(&service.ports);
            let symmetric = if service.symmetric {
                ", symmetric = true"
            } else {
                ""
            };
            line(
                &mut toml,
                format_args!("{} = {{ ports = {ports}{symmetric} }}", service.name),
            );
        }
        for rule in &self.rules {
            rule.print(&mut toml);
        }
        for require in &self.requires {
            line(
                &mut toml,
                format_args!("\n[[require]]\nid = \"{}\"", require.id),
            );
            list(&mut toml, "between", &require.between);
            list(&mut toml, "same", &require.same);
            if require.encrypted {
                toml.push_str("encrypted = true\n");
            }
            in_force(&mut toml, require.not_before, require.expires);
            text(&mut toml, "severity", require.severity.as_deref());
        }
        if !self.transit.is_empty() {
            toml.push_str("\n[transit]\n");
            list(&mut toml, "nat", &self.transit);
        }
        toml
    }
}

impl Rule {
    fn print(&self, toml: &mut String) {
        let effect = if self.deny { "deny" } else { "allow" };
        line(toml, format_args!("\n[[{effect}]]\nid = \"{}\"", self.id));
        list(toml, "from", &self.from);
        list(toml, "from_except", &self.from_except);
        list(toml, "to", &self.to);
        list(toml, "to_except", &self.to_except);
        match &self.ports {
            Ports::Any => {}
            Ports::Only(ports) => list(toml, "ports", ports),
            Ports::Except(ports) => list(toml, "ports_except", ports),
            Ports::Service(service) => text(toml, "service", Some(service)),
        }
        list(toml, "via", &self.via);
        text(toml, "family", self.family.as_deref());
        in_force(toml, self.not_before, self.expires);
        list(toml, "exempt", &self.exempt);
        text(toml, "severity", self.severity.as_deref());
    }
}

fn line(toml: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(toml, "{text}").expect("writing to memory");
}

fn text(toml: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(toml, format_args!("{key} = \"{value}\""));
    }
}

fn list<T: ToString>(toml: &mut String, key: &str, values: &[T]) {
    if !values.is_empty() {
        line(toml, format_args!("{key} = {}", quoted(values)));
    }
}

fn in_force(toml: &mut String, not_before: Option<u32>, expires: Option<u32>) {
    if let Some(not_before) = not_before {
        line(toml, format_args!("not_before = {}", instant(not_before)));
    }
    if let Some(expires) = expires {
        line(
            toml,
            format_args!(
                "expires = {}\nowner = \"alice\"\nticket = \"SEC-1\"",
                instant(expires)
            ),
        );
    }
}

fn dates(toml: &mut String, (from, until): Dates) {
    for (key, date) in [("valid_from", from), ("valid_until", until)] {
        if let Some(date) = date {
            line(toml, format_args!("{key} = {}", instant(date)));
        }
    }
}

fn table(toml: &mut String, key: &str, values: &[(String, String)]) {
    if !values.is_empty() {
        let pairs: Vec<String> = values
            .iter()
            .map(|(name, value)| format!("{name} = \"{value}\""))
            .collect();
        line(toml, format_args!("{key} = {{ {} }}", pairs.join(", ")));
    }
}

fn quoted<T: ToString>(values: &[T]) -> String {
    let quoted: Vec<String> = values
        .iter()
        .map(|value| format!("\"{}\"", value.to_string()))
        .collect();
    format!("[{}]", quoted.join(", "))
}

fn instant(seconds: u32) -> jiff::Timestamp {
    jiff::Timestamp::from_second(i64::from(seconds)).expect("a 32-bit time")
}

/// Whether any of the prefixes contains the address.
pub fn contains(prefixes: &[IpNet], addr: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(&addr))
}
