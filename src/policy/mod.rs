//! The segmentation policy: one TOML file says what may talk to what; everything else is denied.
//!
//! [`Policy::parse`] reads the file and names all of its errors at once; the result is compiled: address space into
//! classes, the decision into a function of (class, class, protocol, ports, services, path, instant). No I/O: what the
//! file pins (`[data]`) is handed in.
//!
//! In the order of what happens to a file: `tree` parses it with places, `section` and `file` read it as written, `pinned`
//! what it pins, `origins` whose addresses outside are; `names`, `meant`, `validity` and `ruleset` resolve what it means,
//! `problem` collects what is wrong with it; `table`, `timeline`, `classes` and `space` compile addresses, `inventory` what
//! interfaces have them; `lookups` gathers what Resolver logs tell of names, and `domains` says which destinations they
//! belong to. Then questions are answered: `fit` says whether an end is what a name says, `weigh` how the conditions of
//! rules stand, `decide` what the policy says; `decider` remembers it, `explanation` says how it came about. Of policies as
//! such, `lint` says what is not wrong but probably not meant, `diff` and `ground` how two differ, `between` and
//! `ports_between` what one says of all ports at once, `granted` and `examples` what rules cover, `without` what is left of
//! a file without its rules.

mod among;
mod ask;
mod between;
mod bits;
mod by_name;
mod classes;
mod decide;
mod decider;
mod deny;
mod detector;
pub mod diff;
mod domains;
mod examples;
mod explain;
mod explanation;
mod file;
mod fit;
mod granted;
mod ground;
mod hash;
mod instant;
mod inventory;
mod label;
mod lint;
mod lookups;
mod meant;
mod mute;
mod names;
mod nearest;
mod origins;
mod pinned;
mod ports_between;
mod problem;
mod remark;
mod rows;
mod ruleset;
mod scope;
mod section;
mod space;
mod table;
mod test_case;
mod timeline;
mod tree;
mod validity;
mod weigh;
mod without;
mod word;
mod zone;

#[cfg(test)]
mod tests;

pub use ask::Flow;
pub use between::{Between, EndId, Says};
pub use decide::{Decision, End, Lacked, Miss, Question};
pub use decider::Decider;
pub use detector::{COMMON, DETECTORS, Detecting, Detector, Parameter, Value, Watchlist};
pub use domains::{ByName, DomainLevel, Domains};
pub use examples::AddressRange;
pub use explanation::{
    Candidate, EndStory, Explanation, FlowExplanation, Holding, NamesStory, Part, RequireStanding,
    RequireState, RuleStanding, Standing, Step, SubnetStory, Tie, Unproven,
};
pub use fit::is_anybodys_zone;
pub use granted::{Ends, Granted, Unmet};
pub use instant::day_or_instant;
pub use inventory::{InterfaceStory, Known};
pub use lint::{ERROR, LINTS, Lint, LintKind, LintLevel, PolicyLints};
pub use lookups::{Gathered, Lookup, Lookups, LookupsBuilder};
pub use mute::KINDS;
pub use names::reserved_words;
pub(crate) use nearest::nearest;
pub use origins::OriginFiles;
pub use ports_between::PortsBetween;
pub use problem::PolicyErrors;
pub use remark::Remark;
pub use rows::{DestinationRow, GroupRow, NetworkRow, RuleRow, SubnetRow};
pub use ruleset::REASONS;
pub use scope::{carries_others, is_nat};
pub use test_case::{TestCase, flow_text};
pub use without::without_sections;
pub(crate) use word::words;
pub use word::{Answer, Criticality, Path, Severity, Word};
pub use zone::UNASSIGNED;

use std::sync::{Arc, OnceLock};

use crate::net::{Addr, protocol};

use names::{Names, ServiceNames};
use problem::Problems;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $inner);)*
    };
}

ids! {
    /// A network of the policy, an index in the order of their names.
    NetworkId(u16);
    /// A class of addresses that no rule tells apart: one network's view of one set of memberships by prefix.
    ClassId(u32);
    /// The label shown for an end: a tier, `unassigned`, a destination, `aws:S3`, `private`, `local`, `internet`.
    ZoneId(u16);
    /// A group, an index in the order of their names.
    GroupId(u16);
    /// An allow, deny or require rule, or the default.
    RuleId(u16);
}

/// A compiled policy, with what it knows of names.
pub struct Policy {
    compiled: Arc<Compiled>,
    /// What Resolver logs tell, once they were read.
    lookups: OnceLock<Lookups>,
}

impl std::ops::Deref for Policy {
    type Target = Compiled;

    fn deref(&self) -> &Compiled {
        &self.compiled
    }
}

/// What a policy is made of, whatever it knows of names.
pub struct Compiled {
    id: String,
    title: String,
    effective: Option<i64>,
    hash: String,
    places: meant::Places,
    services: ServiceNames,
    rules: ruleset::Rules,
    space: space::Space,
    zones: zone::Zones,
    cuts: decider::Cuts,
    transit: scope::Transit,
    inventory: inventory::Inventory,
    mutes: Vec<mute::Covering>,
    tests: Vec<TestCase>,
    tier_names: Vec<String>,
    /// By detector, in the order of [`DETECTORS`].
    detecting: Vec<Detecting>,
    /// Declared symmetric services, as sets of ports.
    symmetric: Vec<crate::net::ports::PortSet>,
    /// Whether AWS's ranges are pinned.
    has_ranges: bool,
    /// AWS's ranges, if pinned: what put an address into a service.
    ranges: Vec<pinned::Range>,
    /// The bits of services whose addresses are anybody's.
    anybodys: u64,
    /// Where Resolver logs are, as the file writes it.
    resolver_logs: Vec<String>,
    /// How long an answer speaks for connections, seconds.
    resolver_grace: u32,
    /// Which destinations names of domains belong to.
    patterns: domains::Patterns,
    /// What snapshots say of addresses; empty where the file pins none.
    snapshot: domains::Snapshot,
    origin_files: OriginFiles,
}

/// Where an address belongs, seen from one network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The network that holds the address: the record's own, or one connected to it; none outside.
    pub home: Option<NetworkId>,
    /// Its memberships by prefix.
    pub class: ClassId,
}

/// What the records of a slot teach about an interface, for groups that prefixes do not define.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterfaceFacts<'a> {
    /// `interface-id`.
    pub interface: Option<&'a str>,
    /// `instance-id`.
    pub instance: Option<&'a str>,
    /// `interface-type`.
    pub interface_type: Option<&'a str>,
    /// `ecs-service-name`.
    pub ecs_service: Option<&'a str>,
    /// Values of the six tag fields (percent-decoded): instance, interface and Auto Scaling group tags.
    pub tags: [Option<&'a str>; 6],
}

impl Policy {
    /// Reads and compiles a policy. `name` is how errors call the file; `pinned` reads a file that `[data]` names, as the
    /// policy writes it: relative to the policy file.
    ///
    /// # Errors
    ///
    /// All that is wrong with the file, each with its place.
    pub fn parse(
        name: &str,
        text: &str,
        pinned: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<Policy, PolicyErrors> {
        let (policy, _) = Policy::read_whole(name, text, pinned)?;
        Ok(policy)
    }

    /// [`Policy::parse`], and what is not wrong but probably not meant; `at` is now, seconds since 1970.
    ///
    /// # Errors
    ///
    /// As [`Policy::parse`].
    pub fn check(
        name: &str,
        text: &str,
        pinned: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
        at: i64,
    ) -> Result<(Policy, PolicyLints), PolicyErrors> {
        let (policy, file) = Policy::read_whole(name, text, pinned)?;
        let lints = lint::lints(&policy, &file, name, text, at);
        Ok((policy, lints))
    }

    fn read_whole(
        name: &str,
        text: &str,
        pinned: pinned::Read<'_>,
    ) -> Result<(Policy, file::File), PolicyErrors> {
        let mut problems = Problems::default();
        let read = Policy::read(text, pinned, &mut problems);
        match read {
            Some(read) if problems.is_empty() => Ok(read),
            _ => Err(problems.finish(name, text)),
        }
    }

    fn read(
        text: &str,
        read: pinned::Read<'_>,
        problems: &mut Problems,
    ) -> Option<(Policy, file::File)> {
        let tree = tree::read(text, problems)?;
        let mut file = file::read(&tree, problems);
        let mut services = ServiceNames::new();
        let mut pinned = pinned::read(&file.data, &mut services, read, problems);
        let origin_files = origins::read(&file.data, read, problems);
        let mut names = Names::new(services);
        let places = meant::places(&file, &pinned, &mut names, problems);
        domains::check(&file, problems);
        let rules = ruleset::rules(&file, &places, &names, &pinned, problems);
        let transit = scope::Transit::read(&file.transit, problems);
        let mutes = mute::mutes(&file, &places, &names, &rules, problems);
        let tests = test_case::tests(text, &file, &rules, problems);
        let tier_names: Vec<String> = places.tiers.iter().map(|tier| tier.name.clone()).collect();
        let detecting = detector::detecting(
            std::mem::take(&mut file.detectors),
            &tier_names,
            read,
            problems,
        );
        if !problems.is_empty() {
            return None;
        }
        let Ok(space) = classes::build(&places, &pinned) else {
            problems.add_with_hint(
                &(0..0),
                "too many prefixes hold each other, or too many dates part them: the address space would fall into too many pieces",
                "give long lists of prefixes to few groups and destinations, and let what changes together change at one instant",
            );
            return None;
        };
        let stated = pinned.inventory.take();
        let inventory =
            match stated.map(|stated| inventory::compile(stated, &places, &space, &rules)) {
                None => inventory::Inventory::default(),
                Some(Ok(inventory)) => inventory,
                Some(Err(too_much)) => {
                    problems.add(&(0..0), too_much);
                    return None;
                }
            };
        let patterns = domains::Patterns::new(&places, &rules);
        let resolved = pinned.snapshots.as_deref().unwrap_or_default();
        let compiled = Compiled {
            snapshot: domains::snapshot(resolved, &patterns),
            hash: hash::hash(
                &places,
                &names.services,
                &rules,
                &transit,
                &pinned,
                &inventory,
                &file.data,
            ),
            zones: zone::Zones::new(&places, &names.services, space.classes()),
            cuts: decider::Cuts::new(&rules),
            tier_names,
            detecting,
            symmetric: places
                .services
                .iter()
                .filter(|service| service.symmetric)
                .map(|service| service.ports.clone())
                .collect(),
            id: std::mem::take(&mut file.header.id),
            title: std::mem::take(&mut file.header.title),
            effective: file.header.effective,
            patterns,
            resolver_logs: texts(&file.data.resolver_logs),
            resolver_grace: file.data.resolver_grace.unwrap_or(domains::DEFAULT_GRACE),
            places,
            services: names.services,
            rules,
            space,
            transit,
            inventory,
            mutes,
            tests,
            has_ranges: pinned.ranges.is_some(),
            ranges: pinned.ranges.unwrap_or_default(),
            anybodys: fit::anybodys(),
            origin_files,
        };
        let policy = Policy {
            compiled: Arc::new(compiled),
            lookups: OnceLock::new(),
        };
        Some((policy, file))
    }

    /// Whether the policy has one network only, so that every inside address is at home there.
    pub fn has_one_network(&self) -> bool {
        self.places.networks.len() == 1
    }

    /// Where an address belongs at an instant (seconds since 1970), seen from `network`: a flat look-up for IPv4, longest
    /// prefix for IPv6. The network's own prefixes come first, then those of the networks that it is connected to, then the
    /// outside.
    #[inline]
    pub fn place(&self, network: NetworkId, addr: Addr, at: u32) -> Place {
        self.space.place(network, addr, at)
    }

    /// The network that holds an address, seen from `network`, as [`Policy::place`] has it; none outside. Networks are what
    /// they are at all times.
    #[inline]
    pub fn home(&self, network: NetworkId, addr: Addr) -> Option<NetworkId> {
        self.space.home(network, addr)
    }

    /// The `[[subnets]]` entry (an index) that holds the class's addresses, if any. Two addresses of one network with the
    /// same answer are of the same subnet.
    pub fn subnet_of(&self, class: ClassId) -> Option<u32> {
        self.space.class(class).subnet
    }

    /// The groups that an interface's facts put its addresses in, beyond those by prefix, whenever they are in force (of an
    /// end only those count that are: [`Policy::groups_of_end`]); sorted, without duplicates.
    ///
    /// Of a group's tags all values have to be among those of the record, which has no keys.
    pub fn groups_by_facts(&self, network: NetworkId, facts: &InterfaceFacts<'_>) -> Vec<GroupId> {
        let in_network = |group: &meant::Group| group.network.is_none_or(|of| of == network);
        let members = self
            .places
            .groups
            .iter()
            .enumerate()
            .filter(|(_, group)| in_network(group) && group.has_member(facts));
        members.map(|(i, _)| GroupId(i as u16)).collect()
    }

    /// The groups of a network that an interface with these tags, by key, is in because of them: it has all of theirs.
    pub fn groups_by_tags(
        &self,
        network: NetworkId,
        tags: &std::collections::BTreeMap<String, String>,
    ) -> impl Iterator<Item = GroupId> {
        let groups = self.places.groups.iter().enumerate();
        let of_tags = groups.filter(move |(_, group)| {
            let has = |(key, value): (&String, &String)| tags.get(key) == Some(value);
            group.network.is_none_or(|of| of == network)
                && !group.tags.is_empty()
                && group.tags.iter().all(has)
        });
        of_tags.map(|(place, _)| GroupId(place as u16))
    }

    /// Whether any group is defined by interface facts; if not, [`Policy::groups_by_facts`] is always empty.
    pub fn has_groups_by_facts(&self) -> bool {
        self.places.groups.iter().any(meant::Group::is_by_facts)
    }

    /// The groups of a class by prefix, sorted.
    pub fn groups_of(&self, class: ClassId) -> &[GroupId] {
        &self.space.class(class).groups
    }

    /// All groups of an end of a class: by prefix, then those by facts and by what the inventory knows that are in force,
    /// each once.
    pub fn groups_of_end<'g>(
        &'g self,
        class: ClassId,
        by_facts: &'g [GroupId],
        known: Known,
    ) -> impl Iterator<Item = GroupId> + 'g {
        let class = self.space.class(class);
        let by_inventory = self.groups_by_inventory(known).iter();
        let others = by_facts
            .iter()
            .chain(by_inventory.filter(|group| !by_facts.contains(group)))
            .filter(|group| !class.groups.contains(group) && !class.is_dormant(group.0));
        class.groups.iter().chain(others).copied()
    }

    /// Whether subnets, groups or destinations are in force for a time only, so that the place of an address depends on the
    /// instant.
    pub fn has_dated_places(&self) -> bool {
        !self.space.begins().is_empty()
    }

    /// The group's name.
    pub fn group_name(&self, group: GroupId) -> &str {
        &self.places.groups[usize::from(group.0)].name
    }

    /// All networks.
    pub fn networks(&self) -> impl Iterator<Item = NetworkId> {
        (0..self.places.networks.len()).map(|network| NetworkId(network as u16))
    }

    /// The network's name.
    pub fn network_name(&self, network: NetworkId) -> &str {
        &self.places.networks[usize::from(network.0)].name
    }

    /// The rule, require or default.
    pub fn rule(&self, rule: RuleId) -> &Rule {
        &self.rules.texts[usize::from(rule.0)]
    }

    /// The default deny.
    pub fn default_rule(&self) -> RuleId {
        RuleId((self.rules.texts.len() - 1) as u16)
    }

    /// Whether the rule names the protocol itself (`ports = ["icmp"]`, a service of it) rather than covering it by naming
    /// none. False for requires and the default.
    pub fn names_protocol(&self, rule: RuleId, protocol: u8) -> bool {
        let conditions = self.rules.conditions();
        conditions
            .filter(|condition| condition.rule == rule)
            .any(|condition| condition.ports.names(protocol))
    }

    /// Whether (protocol, port) is a symmetric service: declared `symmetric = true`, or by default UDP 123, 500, 4500,
    /// 137, 138, 5353, 51820.
    pub fn is_symmetric(&self, protocol: u8, port: u16) -> bool {
        const SYMMETRIC_UDP: [u16; 7] = [123, 500, 4500, 137, 138, 5353, 51820];
        let by_default = protocol == protocol::UDP && SYMMETRIC_UDP.contains(&port);
        by_default
            || self
                .symmetric
                .iter()
                .any(|set| set.contains(protocol, port))
    }

    /// `[policy] id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `[policy] title`, empty if it has none.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// `[policy] effective`: the policy is in force from this instant on, seconds since 1970.
    pub fn effective(&self) -> Option<i64> {
        self.effective
    }

    /// SHA-256, in hex, over what decides: networks, subnets, tiers, groups, destinations, services, rules, transit and
    /// the digests of pinned data. Not over texts, tests, mutes or detectors, and not over the order of the file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Names of the tiers in the order of the file, for the matrix.
    pub fn tiers(&self) -> &[String] {
        &self.tier_names
    }

    /// Where Resolver query logs are that tell who asked for which name: `[data] resolver_logs`, as the file writes it.
    /// Local ones are relative to the file.
    pub fn resolver_logs(&self) -> &[String] {
        &self.resolver_logs
    }

    /// How long an answer speaks for connections, seconds: `[data] resolver_grace`.
    pub fn resolver_grace(&self) -> u32 {
        self.resolver_grace
    }

    /// Whether what Resolver logs tell can change what it says: a destination has domains.
    pub fn goes_by_names(&self) -> bool {
        let mut destinations = self.places.destinations.iter();
        destinations.any(|destination| !destination.domains.is_empty())
    }

    /// Lets it go by what Resolver logs told, from before it is first asked until its end. Said once: more is not heard.
    pub fn know(&self, lookups: Lookups) {
        let _ = self.lookups.set(lookups);
    }

    /// The same policy, which goes by what these Resolver logs tell and by no others.
    pub fn knowing(&self, lookups: Lookups) -> Policy {
        Policy {
            compiled: self.compiled.clone(),
            lookups: OnceLock::from(lookups),
        }
    }

    /// What Resolver logs told, if they were read.
    pub fn lookups(&self) -> Option<&Lookups> {
        self.lookups.get()
    }

    /// What holds of every detector, in the order of [`DETECTORS`].
    pub fn detecting(&self) -> &[Detecting] {
        &self.detecting
    }

    /// The policy's own tests, `[[test]]`.
    pub fn tests(&self) -> &[TestCase] {
        &self.tests
    }
}

fn texts(words: &[section::Word]) -> Vec<String> {
    words.iter().map(|word| word.text.clone()).collect()
}

/// What kind of place a zone is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ZoneKind {
    /// A tier.
    Tier,
    /// In a network's prefix, in no tier.
    Unassigned,
    /// A named destination.
    Destination,
    /// An AWS service.
    Aws,
    /// Private address space outside the networks.
    Private,
    /// Link-local, multicast, loopback, broadcast.
    Local,
    /// Everything else.
    Internet,
}

impl ZoneKind {
    /// Whether the zone lies inside the networks.
    pub fn is_inside(self) -> bool {
        matches!(self, ZoneKind::Tier | ZoneKind::Unassigned)
    }
}

/// What a rule says about itself.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The rule's id; `default` for the default.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// `reason`, empty if it has none.
    pub reason: String,
    /// `owner`, empty if it has none.
    pub owner: String,
    /// `controls`.
    pub controls: Vec<String>,
    /// `severity`, if the rule sets one.
    pub severity: Option<Severity>,
    /// Whether what it decides can show in flow logs: true but for a rule that says `observable = false`.
    pub observable: bool,
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// `[[allow]]`.
    Allow,
    /// `[[deny]]`.
    Deny,
    /// `[[require]]` with `same = ["az"]` among its conditions.
    RequireZone,
    /// `[[require]]` of labels only.
    RequireLabels,
    /// `[[require]]` of encryption.
    RequireEncrypted,
    /// The default deny.
    Default,
}

/// A `[[mute]]`.
#[derive(Clone, Debug)]
pub struct Mute {
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// What a mute is asked about.
#[derive(Clone, Copy, Debug)]
pub struct MuteQuestion<'a> {
    /// The finding's kind.
    pub kind: &'a str,
    /// Zone of the client; none where the finding is not about one.
    pub client_zone: Option<ZoneId>,
    /// Zone of the server; none where the finding is not about one.
    pub server_zone: Option<ZoneId>,
    /// IANA protocol number.
    pub protocol: u8,
    /// Server port, if the protocol has ports.
    pub server_port: Option<u16>,
    /// The id of the rule, or the reason of an unjudged connection.
    pub rule: &'a str,
    /// When: seconds since 1970.
    pub at: u32,
}
