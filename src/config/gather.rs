//! What several files and resources tell of one thing is put together here, and brought in order.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Node, Wrong, parse};
use super::{
    AclEntry, Config, ConfigError, Endpoint, Gap, GroupRule, Input, Instance, Interface,
    LoadBalancer, NatGateway, NetworkAcl, PrefixList, Resources, SecurityGroup, Subnet, Vpc,
};
use crate::net::Prefix;

/// What has been read so far, by id; what belongs to something else stands apart until all is read. Of a thing that is
/// told twice, the first counts.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) vpcs: BTreeMap<String, Vpc>,
    pub(super) subnets: BTreeMap<String, Subnet>,
    pub(super) groups: BTreeMap<String, SecurityGroup>,
    pub(super) acls: BTreeMap<String, NetworkAcl>,
    pub(super) interfaces: BTreeMap<String, Interface>,
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    pub(super) prefix_lists: BTreeMap<String, PrefixList>,
    pub(super) nats: BTreeMap<String, NatGateway>,
    pub(super) balancers: BTreeMap<String, LoadBalancer>,
    /// Prefixes of VPCs.
    pub(super) cidrs: Vec<(String, Prefix)>,
    /// Rules of security groups.
    pub(super) rules: Vec<(String, GroupRule)>,
    /// Entries of network ACLs.
    pub(super) entries: Vec<(String, AclEntry)>,
    /// Network ACLs and their subnets.
    pub(super) associations: Vec<(String, String)>,
    /// Entries of prefix lists.
    pub(super) list_entries: Vec<(String, Prefix)>,
    /// Prefix lists whose entries are told, even if there are none.
    pub(super) told_lists: BTreeSet<String>,
    /// Regions that ARNs tell of VPCs.
    pub(super) regions: Vec<(String, String)>,
    pub(super) has_all_interfaces: bool,
    pub(super) gaps: BTreeSet<Gap>,
    pub(super) resources: Resources,
}

impl Gathered {
    /// What files tell together, each read by `read`, which is given a file's JSON and its name.
    ///
    /// # Errors
    /// What is wrong, one error for each file.
    pub(super) fn from_files(
        inputs: &[Input<'_>],
        read: impl Fn(&Node<'_>, &str, &mut Gathered) -> Result<(), Wrong>,
    ) -> Result<Config, Vec<ConfigError>> {
        let mut gathered = Gathered::default();
        let mut errors = Vec::new();
        for input in inputs {
            let result = parse(*input)
                .and_then(|value| read(&Node::root(&value), input.name, &mut gathered));
            if let Err(wrong) = result {
                errors.push(wrong.in_file(input.name));
            }
        }
        if errors.is_empty() {
            Ok(gathered.finish())
        } else {
            Err(errors)
        }
    }

    pub(super) fn gap(&mut self, about: &str, what: impl Into<String>) {
        self.gaps.insert(Gap {
            about: about.to_owned(),
            what: what.into(),
        });
    }

    /// The whole.
    pub(super) fn finish(mut self) -> Config {
        self.attach_rules();
        self.attach_entries();
        self.attach_list_entries();
        self.tell_vpcs();
        self.attach_addresses();
        self.tell_accounts_and_regions();
        Config {
            vpcs: self.vpcs.into_values().collect(),
            subnets: self.subnets.into_values().collect(),
            groups: self.groups.into_values().collect(),
            acls: self.acls.into_values().collect(),
            interfaces: self.interfaces.into_values().collect(),
            instances: self.instances.into_values().collect(),
            endpoints: self.endpoints.into_values().collect(),
            prefix_lists: self.prefix_lists.into_values().collect(),
            nats: self.nats.into_values().collect(),
            balancers: self.balancers.into_values().collect(),
            has_all_interfaces: self.has_all_interfaces,
            gaps: self.gaps.into_iter().collect(),
            resources: self.resources,
        }
    }

    fn attach_rules(&mut self) {
        for (id, rule) in std::mem::take(&mut self.rules) {
            let group = self.groups.entry(id.clone()).or_insert(SecurityGroup {
                id,
                ..SecurityGroup::default()
            });
            group.rules.push(rule);
        }
        for group in self.groups.values_mut() {
            // The same rule is told by the group and by a resource of its own; the one with a description says more.
            group.rules.sort_by(|a, b| {
                let key =
                    |rule: &GroupRule| (rule.direction, rule.traffic, rule.description.is_none());
                (key(a), &a.peer, &a.description).cmp(&(key(b), &b.peer, &b.description))
            });
            let mut told = BTreeSet::new();
            group
                .rules
                .retain(|rule| told.insert((rule.direction, rule.traffic, rule.peer.clone())));
            group.rules.sort();
        }
    }

    fn attach_entries(&mut self) {
        for (id, entry) in std::mem::take(&mut self.entries) {
            let acl = self.acls.entry(id.clone()).or_insert(NetworkAcl {
                id,
                ..NetworkAcl::default()
            });
            acl.entries.push(entry);
        }
        for (id, subnet) in std::mem::take(&mut self.associations) {
            let acl = self.acls.entry(id.clone()).or_insert(NetworkAcl {
                id,
                ..NetworkAcl::default()
            });
            acl.subnets.push(subnet);
        }
        for acl in self.acls.values_mut() {
            acl.entries.sort();
            acl.entries.dedup();
            sort(&mut acl.subnets);
        }
    }

    fn attach_list_entries(&mut self) {
        for id in std::mem::take(&mut self.told_lists) {
            let list = self.prefix_lists.entry(id.clone()).or_insert(PrefixList {
                id,
                ..PrefixList::default()
            });
            list.entries = Some(Vec::new());
        }
        for (id, prefix) in std::mem::take(&mut self.list_entries) {
            let list = self.prefix_lists.entry(id.clone()).or_insert(PrefixList {
                id,
                ..PrefixList::default()
            });
            list.entries.get_or_insert_default().push(prefix);
        }
        for list in self.prefix_lists.values_mut() {
            if let Some(entries) = &mut list.entries {
                sort(entries);
            }
        }
    }

    /// The VPC of everything, as far as others tell it: by a subnet, or because there is only one.
    fn tell_vpcs(&mut self) {
        let by_subnet: BTreeMap<String, String> = self
            .subnets
            .values()
            .filter_map(|subnet| Some((subnet.id.clone(), subnet.vpc.clone()?)))
            .collect();
        let of = |subnet: &Option<String>| by_subnet.get(subnet.as_ref()?).cloned();
        for interface in self.interfaces.values_mut() {
            interface.vpc = interface.vpc.take().or_else(|| of(&interface.subnet));
        }
        for nat in self.nats.values_mut() {
            nat.vpc = nat.vpc.take().or_else(|| of(&nat.subnet));
        }
        for acl in self.acls.values_mut() {
            let first = acl.subnets.first().cloned();
            acl.vpc = acl.vpc.take().or_else(|| of(&first));
        }
        let named: Vec<String> = self
            .cidrs
            .iter()
            .map(|(vpc, _)| vpc.clone())
            .chain(by_subnet.values().cloned())
            .chain(self.groups.values().filter_map(|group| group.vpc.clone()))
            .chain(self.acls.values().filter_map(|acl| acl.vpc.clone()))
            .chain(self.interfaces.values().filter_map(|one| one.vpc.clone()))
            .collect();
        for id in named {
            self.vpcs.entry(id.clone()).or_insert(Vpc {
                id,
                ..Vpc::default()
            });
        }
        if let [only] = self.vpcs.keys().collect::<Vec<_>>().as_slice() {
            let only = (*only).clone();
            let homeless = self
                .subnets
                .values_mut()
                .map(|subnet| &mut subnet.vpc)
                .chain(self.groups.values_mut().map(|group| &mut group.vpc))
                .chain(self.acls.values_mut().map(|acl| &mut acl.vpc))
                .chain(self.interfaces.values_mut().map(|one| &mut one.vpc))
                .chain(self.endpoints.values_mut().map(|one| &mut one.vpc))
                .chain(self.nats.values_mut().map(|nat| &mut nat.vpc));
            for vpc in homeless {
                vpc.get_or_insert_with(|| only.clone());
            }
        }
    }

    fn attach_addresses(&mut self) {
        for (id, prefix) in std::mem::take(&mut self.cidrs) {
            if let Some(vpc) = self.vpcs.get_mut(&id) {
                vpc.cidrs.push(prefix);
            }
        }
        for vpc in self.vpcs.values_mut() {
            sort(&mut vpc.cidrs);
        }
        for subnet in self.subnets.values_mut() {
            sort(&mut subnet.cidrs);
        }
        for interface in self.interfaces.values_mut() {
            interface.sort();
        }
        for endpoint in self.endpoints.values_mut() {
            sort(&mut endpoint.interfaces);
            sort(&mut endpoint.groups);
            let known = endpoint.interfaces.iter();
            let addrs: Vec<Prefix> = known
                .filter_map(|id| self.interfaces.get(id))
                .flat_map(|interface| interface.addrs.iter().copied())
                .collect();
            endpoint.addrs.extend(addrs);
            sort(&mut endpoint.addrs);
        }
        for nat in self.nats.values_mut() {
            sort(&mut nat.addrs);
        }
        for balancer in self.balancers.values_mut() {
            sort(&mut balancer.subnets);
            sort(&mut balancer.groups);
        }
    }

    /// An ARN tells the region, or else a zone's name, which is the region's and a letter.
    fn tell_accounts_and_regions(&mut self) {
        for (vpc, region) in std::mem::take(&mut self.regions) {
            if let Some(vpc) = self.vpcs.get_mut(&vpc) {
                vpc.region.get_or_insert(region);
            }
        }
        for subnet in self.subnets.values() {
            let Some(vpc) = subnet.vpc.as_ref().and_then(|id| self.vpcs.get_mut(id)) else {
                continue;
            };
            if vpc.region.is_none() {
                vpc.region = subnet.az.as_deref().and_then(region_of_zone);
            }
            if vpc.account.is_none() {
                vpc.account.clone_from(&subnet.account);
            }
        }
        for interface in self.interfaces.values_mut() {
            let vpc = interface.vpc.as_ref().and_then(|id| self.vpcs.get(id));
            let own = interface.account.take();
            interface.account = own.or_else(|| vpc?.account.clone());
            let own = interface.region.take();
            interface.region = own.or_else(|| vpc?.region.clone());
        }
    }
}

impl Interface {
    /// Brings its lists in order, each thing once.
    pub(super) fn sort(&mut self) {
        sort(&mut self.addrs);
        sort(&mut self.public);
        sort(&mut self.groups);
    }
}

/// `us-east-2` of `us-east-2a`; none for zones of other forms, such as Local Zones.
pub(super) fn region_of_zone(zone: &str) -> Option<String> {
    let region = zone.strip_suffix(|c: char| c.is_ascii_lowercase())?;
    let ends_in_a_number = region.ends_with(|c: char| c.is_ascii_digit());
    (ends_in_a_number && region.matches('-').count() == 2).then(|| region.to_owned())
}

/// The region that an ARN names, `arn:aws:ec2:us-east-2:…`.
pub(super) fn region_of_arn(arn: &str) -> Option<String> {
    let region = arn.split(':').nth(3)?;
    (!region.is_empty()).then(|| region.to_owned())
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}
