//! What two policies agree in, and what evidence a policy could ask for: whether what was judged by one can be judged
//! again by the other.

use super::meant::Group;
use super::validity::Validity;
use super::{GroupId, NetworkId, Policy};

impl Policy {
    /// In what the two policies differ of what connections are put together by: which records belong to which network,
    /// which addresses are inside, where subnets begin, who carries others' flows, by list or inventory. Where they agree in all of it the same
    /// connections, with the same clients and outcomes, are judged by both. Tiers, groups, destinations, services and rules
    /// have no part in it.
    pub fn other_ground(&self, other: &Policy) -> Vec<&'static str> {
        let networks = |policy: &Policy| -> Vec<Vec<String>> {
            let networks = policy.places.networks.iter().map(|network| {
                let cidrs = network.cidrs.iter().map(ToString::to_string);
                let connected = network.connected.iter().map(|id| policy.network_name(*id));
                let lists = [&network.vpcs, &network.accounts, &network.regions];
                let lists = lists.map(|list| list.join(" "));
                let name = std::iter::once(network.name.clone());
                name.chain(lists)
                    .chain(std::iter::once(join(cidrs)))
                    .chain(std::iter::once(join(connected.map(str::to_owned))))
                    .collect()
            });
            networks.collect()
        };
        let subnets = |policy: &Policy| -> Vec<(String, String, Validity)> {
            let subnets = policy.places.subnets.iter();
            subnets
                .map(|subnet| {
                    (
                        policy.network_name(subnet.network).to_owned(),
                        join(subnet.cidrs.iter().map(ToString::to_string)),
                        subnet.validity,
                    )
                })
                .collect()
        };
        let differences = [
            (networks(self) != networks(other), "networks"),
            (subnets(self) != subnets(other), "prefixes of subnets"),
            (
                self.transit.texts() != other.transit.texts(),
                "transit addresses",
            ),
            (
                self.inventory.carriers() != other.inventory.carriers(),
                "interfaces that carry others' flows, by the inventory",
            ),
        ];
        differences
            .into_iter()
            .filter(|(differ, _)| *differ)
            .map(|(_, what)| what)
            .collect()
    }

    /// Whether a rule asks for the path.
    pub fn asks_path(&self) -> bool {
        let mut conditions = self.rules.conditions();
        conditions.any(|condition| !condition.via.is_empty())
    }

    /// The instants after the first, up to and with the last, at which a rule, a subnet, a group or a destination begins or
    /// ends to be in force; seconds, in no order, some more than once. Between two of them the policy is the same.
    pub fn dates_between(&self, first: u32, last: u32) -> impl Iterator<Item = u32> {
        let of_rules = self
            .rules
            .dates
            .iter()
            .filter_map(|date| u32::try_from(*date).ok());
        let of_places = self.space.begins().iter().copied();
        of_rules
            .chain(of_places)
            .filter(move |date| first < *date && *date <= last)
    }

    /// The groups that facts of an interface could put an address of this network in where only its interface and
    /// instance are known, or not even those; sorted.
    pub fn groups_in_doubt(
        &self,
        network: NetworkId,
        interface: Option<&str>,
        instance: Option<&str>,
    ) -> Vec<GroupId> {
        let is_in_doubt = |group: &Group| {
            group.network.is_none_or(|of| of == network)
                && (interface.is_none() && !group.interfaces.is_empty()
                    || instance.is_none() && !group.instances.is_empty()
                    || !group.tags.is_empty()
                    || !group.ecs_services.is_empty()
                    || !group.interface_types.is_empty())
        };
        let groups = self.places.groups.iter().enumerate();
        groups
            .filter(|(_, group)| is_in_doubt(group))
            .map(|(place, _)| GroupId(place as u16))
            .collect()
    }

    /// Whether both policies have the same groups by facts of interfaces, by name and definition.
    pub fn has_same_groups_by_facts(&self, other: &Policy) -> bool {
        fn defined(policy: &Policy) -> impl Iterator<Item = impl PartialEq> {
            let groups = policy.places.groups.iter();
            groups.filter(|group| group.is_by_facts()).map(|group| {
                let network = group.network.map(|network| policy.network_name(network));
                let listed = [&group.interfaces, &group.instances, &group.ecs_services];
                (
                    &group.name,
                    network,
                    listed,
                    &group.tags,
                    &group.interface_types,
                )
            })
        }
        defined(self).eq(defined(other))
    }
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        let head = "[policy]\nid = \"P\"\n[[subnets]]\nnetwork = \"prod\"\ntier = \"app\"\ncidrs = [\"10.0.0.0/24\"]\n";
        let text = format!("{head}{text}");
        let read = |_: &str| unreachable!("it pins nothing");
        Policy::parse("p.toml", &text, &read)
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)))
    }

    const PROD: &str = "[networks.prod]\ncidrs = [\"10.0.0.0/16\"]\n";

    #[test]
    fn policies_share_their_ground_whatever_their_tiers_and_rules() {
        fn check(other: &str, expected: &[&str]) {
            let (one, other) = (policy(PROD), policy(other));
            assert_eq!(one.other_ground(&other), expected);
            assert_eq!(other.other_ground(&one), expected);
        }
        check(PROD, &[]);
        check(
            &format!(
                "{PROD}[groups.web]\ncidrs = [\"10.0.0.0/28\"]\n[[allow]]\nid = \"a\"\nfrom = \"web\"\nto = \"any\"\n"
            ),
            &[],
        );
        check(
            "[networks.prod]\ncidrs = [\"10.0.0.0/15\"]\n",
            &["networks"],
        );
        check(
            &format!("{PROD}[networks.other]\nvpcs = [\"vpc-1\"]\ncidrs = [\"10.9.0.0/16\"]\n"),
            &["networks"],
        );
        check(
            &format!(
                "{PROD}[[subnets]]\nnetwork = \"prod\"\ntier = \"app\"\ncidrs = [\"10.0.1.0/24\"]\n"
            ),
            &["prefixes of subnets"],
        );
        check(
            &format!(
                "{PROD}[[subnets]]\nnetwork = \"prod\"\ntier = \"app\"\nvalid_from = 2026-01-01\ncidrs = [\"10.0.1.0/24\"]\n"
            ),
            &["prefixes of subnets"],
        );
        check(
            &format!("{PROD}[transit]\nnat = [\"10.0.0.9\"]\n"),
            &["transit addresses"],
        );
    }

    #[test]
    fn an_epoch_ends_with_the_instant_at_which_a_rule_does() {
        let ends = "[[allow]]\nid = \"a\"\nfrom = \"app\"\nto = \"app\"\nexpires = 1970-01-01T00:01:40Z\nowner = \"o\"\nticket = \"t\"\n";
        let policy = policy(&format!("{PROD}{ends}"));
        for (first, last, expected) in [
            (0, 99, true),
            (0, 100, false),
            (100, 100, true),
            (100, 500, true),
            (99, 101, false),
        ] {
            let is_one_epoch = policy.dates_between(first, last).next().is_none();
            assert_eq!(is_one_epoch, expected, "{first} {last}");
        }
    }

    #[test]
    fn an_epoch_ends_with_the_instant_at_which_a_place_does() {
        let policy = policy(&format!(
            "{PROD}[groups.web]\ncidrs = [\"10.0.0.0/28\"]\nvalid_from = 1970-01-01T00:01:40Z\n"
        ));
        let between = |first, last| policy.dates_between(first, last).collect::<Vec<u32>>();
        assert_eq!(between(0, 99), [0; 0]);
        assert_eq!(between(0, 100), [100]);
        assert_eq!(between(100, 500), [0; 0]);
    }

    #[test]
    fn groups_are_in_doubt_where_the_facts_that_make_them_are_not_known() {
        let groups = "[groups.a]\ninstances = [\"i-1\"]\n[groups.b]\ninterfaces = [\"eni-1\"]\n[groups.c]\ntags = { k = \"v\" }\n[groups.d]\ncidrs = [\"10.0.0.0/28\"]\n";
        let policy = policy(&format!("{PROD}{groups}"));
        let names = |interface, instance| -> Vec<&str> {
            let groups = policy.groups_in_doubt(NetworkId(0), interface, instance);
            let names = groups.into_iter().map(|group| policy.group_name(group));
            names.collect()
        };
        assert_eq!(names(None, None), ["a", "b", "c"]);
        assert_eq!(names(Some("eni-2"), None), ["a", "c"]);
        assert_eq!(names(Some("eni-2"), Some("i-2")), ["c"]);
    }

    #[test]
    fn groups_by_facts_are_the_same_by_definition() {
        let group = |what: &str| policy(&format!("{PROD}[groups.a]\n{what}\n"));
        let one = group("instances = [\"i-1\"]");
        assert!(
            one.has_same_groups_by_facts(&group(
                "instances = [\"i-1\"]\ncidrs = [\"10.0.0.0/28\"]"
            ))
        );
        assert!(!one.has_same_groups_by_facts(&group("instances = [\"i-2\"]")));
        assert!(!one.has_same_groups_by_facts(&group("cidrs = [\"10.0.0.0/28\"]")));
    }
}
