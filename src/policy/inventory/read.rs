//! The files of an inventory, read: which interface was in which state from when on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use crate::config::{Config, EndpointKind, Input, Instance, Interface, Tags, Told, from_any};
use crate::policy::file::InventoryFile;
use crate::policy::pinned::{Read, bytes_of};
use crate::policy::problem::{Problems, excerpt};

/// How many statements the files may make: what an interface is, from when on. A file a day of ten thousand interfaces
/// for a quarter; each takes some 70 bytes, and compiled some 200 more.
const MAX_STATEMENTS: usize = 1 << 20;

/// How many different states the interfaces may have in all files, each about a kilobyte.
const MAX_STATES: usize = 1 << 18;

/// What the files of an inventory say.
#[derive(Default)]
pub(in crate::policy) struct Stated {
    /// In the order of the policy.
    pub(in crate::policy) files: Vec<StatedFile>,
    /// Different states of interfaces.
    pub(super) states: Vec<Interface>,
    pub(super) statements: Vec<Statement>,
    /// By VPC the instants, sorted, at which a file tells all of its interfaces, so that others are gone.
    pub(super) complete: BTreeMap<String, BTreeSet<i64>>,
    /// By interface the id and the service of its VPC endpoint.
    pub(super) endpoints: HashMap<String, BTreeSet<String>>,
    /// By instance its tags, each from when on.
    pub(super) instances: BTreeMap<String, Vec<(i64, Tags)>>,
    numbers: HashMap<Interface, u32>,
}

/// A file that was read.
pub(in crate::policy) struct StatedFile {
    /// As the policy names it.
    pub(in crate::policy) name: String,
    pub(in crate::policy) valid_from: Option<i64>,
    pub(in crate::policy) digest: [u8; 32],
}

/// From `from` on an interface is in this state; without one it is gone.
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) from: i64,
    /// A number of [`Stated::files`].
    pub(super) file: u32,
    /// A number of [`Stated::states`].
    pub(super) state: Option<u32>,
}

/// Since ever: from when on a file without a date holds.
pub(super) const EVER: i64 = i64::MIN;

impl Stated {
    /// The keys of all tags.
    pub(in crate::policy) fn tag_keys(&self) -> BTreeSet<&str> {
        let of_instances = self.instances.values().flatten().map(|(_, tags)| tags);
        let all = self.states.iter().map(|state| &state.tags);
        let keys = all.chain(of_instances).flat_map(|tags| tags.keys());
        keys.map(String::as_str).collect()
    }

    fn add(&mut self, file: u32, from: i64, id: String, state: Option<Interface>) {
        let state = state.map(|state| {
            let next = self.states.len() as u32;
            *self.numbers.entry(state).or_insert_with_key(|state| {
                self.states.push(state.clone());
                next
            })
        });
        self.statements.push(Statement {
            id,
            from,
            file,
            state,
        });
    }

    fn add_instance(&mut self, from: i64, instance: Instance) {
        let known = self.instances.entry(instance.id).or_default();
        known.push((from, instance.tags));
    }

    fn add_config(&mut self, file: u32, from: i64, config: Config) {
        for endpoint in &config.endpoints {
            for interface in &endpoint.interfaces {
                let words = self.endpoints.entry(interface.clone()).or_default();
                words.insert(endpoint.id.clone());
                words.insert(endpoint.service.clone());
            }
        }
        for instance in &config.instances {
            self.add_instance(from, instance.clone());
        }
        if config.has_all_interfaces {
            let vpcs = config.interfaces.iter().filter_map(|one| one.vpc.clone());
            for vpc in vpcs {
                self.complete.entry(vpc).or_default().insert(from);
            }
        } else {
            for interface in stand_ins(&config) {
                self.add(file, from, interface.id.clone(), Some(interface));
            }
            // What Terraform tells of an instance's interface is the instance's own.
            let own = config.interfaces.iter().filter(|one| one.kind.is_none());
            for interface in own {
                if let Some(id) = interface.instance.clone() {
                    let tags = interface.tags.clone();
                    self.add_instance(from, Instance { id, tags });
                }
            }
        }
        for interface in config.interfaces {
            self.add(file, from, interface.id.clone(), Some(interface));
        }
    }
}

/// What a file without its interfaces tells of NAT gateways and VPC endpoints, as interfaces named after them.
fn stand_ins(config: &Config) -> impl Iterator<Item = Interface> {
    let nats = config.nats.iter().map(|nat| Interface {
        id: nat.id.clone(),
        vpc: nat.vpc.clone(),
        subnet: nat.subnet.clone(),
        kind: Some("nat_gateway".to_owned()),
        addrs: nat.addrs.clone(),
        ..Interface::default()
    });
    let endpoints = config.endpoints.iter();
    let endpoints = endpoints.filter(|endpoint| endpoint.kind == EndpointKind::Interface);
    let endpoints = endpoints.map(|endpoint| Interface {
        id: endpoint.id.clone(),
        vpc: endpoint.vpc.clone(),
        kind: Some("vpc_endpoint".to_owned()),
        description: Some(format!("{ENDPOINT}{}", endpoint.id)),
        addrs: endpoint.addrs.clone(),
        groups: endpoint.groups.clone(),
        tags: endpoint.tags.clone(),
        ..Interface::default()
    });
    let all = nats.chain(endpoints);
    all.filter(|interface| !interface.addrs.is_empty())
        .map(|mut interface| {
            let mut vpcs = config.vpcs.iter();
            if let Some(vpc) = vpcs.find(|vpc| Some(&vpc.id) == interface.vpc.as_ref()) {
                interface.account.clone_from(&vpc.account);
                interface.region.clone_from(&vpc.region);
            }
            interface
        })
}

/// How AWS describes an interface of a VPC endpoint; the endpoint's id follows.
pub(super) const ENDPOINT: &str = "VPC Endpoint Interface ";

/// Reads the files of an inventory.
pub(in crate::policy) fn read(
    files: &[InventoryFile],
    read: Read<'_>,
    problems: &mut Problems,
) -> Option<Stated> {
    if files.is_empty() {
        return None;
    }
    let mut stated = Stated::default();
    for entry in files {
        let Some(bytes) = bytes_of(&entry.file, read, problems) else {
            continue;
        };
        let number = stated.files.len() as u32;
        stated.files.push(StatedFile {
            name: entry.file.text.clone(),
            valid_from: entry.valid_from,
            digest: Sha256::digest(&bytes).into(),
        });
        let input = Input {
            name: &entry.file,
            bytes: &bytes,
        };
        match from_any(input) {
            Ok(Told::Once(config)) => {
                stated.add_config(number, entry.valid_from.unwrap_or(EVER), *config);
            }
            Ok(Told::Over(_)) if entry.valid_from.is_some() => problems.add_with_hint(
                &entry.file.span,
                format!(
                    "`{}` is a history, whose states have dates of their own",
                    excerpt(&entry.file)
                ),
                "leave out valid_from",
            ),
            Ok(Told::Over(history)) => {
                for one in history.interfaces {
                    stated.add(number, one.at, one.id, one.interface);
                }
                for (from, instance) in history.instances {
                    stated.add_instance(from, instance);
                }
            }
            Err(error) => {
                let message = format!("cannot use `{}`: {}", excerpt(&entry.file), error.message);
                match error.hint {
                    Some(hint) => problems.add_with_hint(&entry.file.span, message, hint),
                    None => problems.add(&entry.file.span, message),
                }
            }
        }
        let num_instances: usize = stated.instances.values().map(Vec::len).sum();
        let bounds = [
            (stated.statements.len(), MAX_STATEMENTS, "interfaces"),
            (num_instances, MAX_STATES, "tagged instances"),
            (
                stated.states.len(),
                MAX_STATES,
                "different states of interfaces",
            ),
        ];
        for (number, most, what) in bounds {
            if number > most {
                problems.add_with_hint(
                    &entry.file.span,
                    format!(
                        "the inventory tells {number} {what}, up to and with `{}`: expected at most {most}",
                        excerpt(&entry.file)
                    ),
                    "name fewer files, or files of fewer interfaces",
                );
                return None;
            }
        }
    }
    Some(stated)
}
