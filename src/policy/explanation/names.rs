//! By which names an address outside is known: what Resolver logs and snapshots tell of a connection's server.

use crate::net::Addr;
use crate::policy::{ByName, Domains, Lookup, Policy, Question, RuleId};

/// What Resolver logs tell of the server of a connection.
#[derive(Clone, Debug)]
pub struct NamesStory<'p> {
    /// What rules go by.
    pub domains: Domains,
    /// How long an answer speaks for connections, seconds.
    pub grace: u32,
    /// The names that the client was answered with this address for, by name.
    pub of_client: Vec<Lookup<'p>>,
    /// Those that only others of its network were.
    pub of_others: Vec<Lookup<'p>>,
    /// The destinations that all these names belong to, by name.
    pub destinations: Vec<&'p str>,
    /// How the names are known that the deciding allow holds by; none if it does not hold by names.
    pub by_name: Option<ByName>,
}

impl Policy {
    /// What is known of the server's names; none where nothing tells of names, or none are asked.
    pub(super) fn names_story(
        &self,
        [client, server]: [Addr; 2],
        question: &Question<'_>,
        rule: RuleId,
    ) -> Option<NamesStory<'_>> {
        let home = question.client.home?;
        if question.server.home.is_some() || !self.has_names() {
            return None;
        }
        let times = [question.at; 2];
        let asked_by = |client| {
            let lookups = self.lookups();
            lookups.map_or_else(Vec::new, |lookups| {
                lookups.names(home, client, server, times)
            })
        };
        let of_client = asked_by(Some(client));
        let mut of_others = asked_by(None);
        let is_same = |one: &Lookup<'_>, other: &Lookup<'_>| {
            one.name == other.name && one.aliases == other.aliases
        };
        of_others.retain(|other| !of_client.iter().any(|own| is_same(own, other)));
        let domains = question.server.domains;
        let destinations = self.places.destinations.iter().filter(|destination| {
            let bit = destination.domain_bit;
            bit.is_some_and(|bit| domains.all() >> bit & 1 == 1)
        });
        Some(NamesStory {
            domains,
            grace: self.resolver_grace,
            of_client,
            of_others,
            destinations: destinations
                .map(|destination| destination.name.as_str())
                .collect(),
            by_name: self.by_name(rule, &question.server, &question.client),
        })
    }
}
