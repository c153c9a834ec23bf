//! The names of a policy that ends and ports are best called by.

use super::{ClassId, GroupId, Policy};
use crate::net::Addr;
use crate::net::ports::PortSet;

impl Policy {
    /// Of the groups that hold an address by prefix the one with the longest prefix around it; of equals the first by name.
    pub fn narrowest_group(&self, class: ClassId, addr: Addr) -> Option<GroupId> {
        let length = |group: &GroupId| {
            let cidrs = &self.places.groups[usize::from(group.0)].cidrs;
            let around = cidrs.iter().filter(|prefix| prefix.contains(addr));
            around.map(|prefix| prefix.len()).max()
        };
        // Of equals the last one is taken.
        let groups = self.groups_of(class).iter().rev();
        groups.max_by_key(|group| length(group)).copied()
    }

    /// The services, each with its ports, by name.
    pub fn services(&self) -> impl Iterator<Item = (&str, &PortSet)> {
        let services = self.places.services.iter();
        services.map(|service| (&*service.name, &service.ports))
    }
}
