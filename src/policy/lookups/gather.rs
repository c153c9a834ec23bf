//! Gathers answers into [`Lookups`], within a bound.
//!
//! Beyond the bound the entries with the smallest hashes stay, so that it does not matter who counts and in which order.
//! Entries of names that destinations list come before all others, because decisions go by them. What stays is all that
//! ranks before the first that has no room: an entry that would fit into what is left behind that one does not stay, as
//! whether it is there would depend on when it came.

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::{ANYBODY, AskedName, Entry, Key, Lookups, NO_NAME};
use crate::flow::resolver::ResolverQuery;
use crate::policy::Policy;

/// Bytes of names that are held whatever the bound: forgetting goes through all entries.
const NAMES_AT_LEAST: usize = 64 << 10;

/// Gathers answers for a policy.
#[derive(Clone)]
pub struct LookupsBuilder<'p> {
    policy: &'p Policy,
    grace: u32,
    /// What entries and their names may take, bytes.
    most: usize,
    /// Entries, of which those with the same key are not merged yet.
    entries: Vec<Entry>,
    /// Bytes of entries, each with its name.
    weight: usize,
    /// The rank of the first entry that has no room; it and what ranks behind it is let go.
    barrier: Option<Rank>,
    names: Names,
    /// The instants, first and last, that answers could speak for that could not be read.
    lacking: Vec<(u32, u32)>,
    told: Gathered,
}

/// What stays, least first: whether decisions do not go by it, then a hash.
type Rank = (bool, u64);

/// What was gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Queries of networks of the policy.
    pub queries: u64,
    /// Addresses that they were answered with.
    pub answers: u64,
    /// Queries of no network.
    pub out_of_scope: u64,
    /// The first and last query, seconds.
    pub times: Option<(u32, u32)>,
    /// Entries beyond the bound that were let go; one that came again counts again.
    pub let_go: u64,
    /// Of them, those that decisions go by.
    pub needed_let_go: u64,
}

impl Gathered {
    fn add(&mut self, other: &Gathered) {
        self.queries += other.queries;
        self.answers += other.answers;
        self.out_of_scope += other.out_of_scope;
        self.let_go += other.let_go;
        self.needed_let_go += other.needed_let_go;
        if let Some((first, last)) = other.times {
            self.see(first);
            self.see(last);
        }
    }

    fn see(&mut self, at: u32) {
        let (first, last) = self.times.unwrap_or((at, at));
        self.times = Some((first.min(at), last.max(at)));
    }
}

/// Names by number, each once. The first is no name.
#[derive(Clone)]
struct Names {
    numbers: HashMap<AskedName, u32>,
    /// By number: the hash of the text, its length, whether destinations list it.
    facts: Vec<(u64, usize, bool)>,
    /// Bytes of all their texts.
    weight: usize,
}

impl std::hash::Hash for AskedName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.aliases.hash(state);
    }
}

impl Names {
    fn new() -> Names {
        let mut names = Names {
            numbers: HashMap::new(),
            facts: Vec::new(),
            weight: 0,
        };
        names.number(AskedName::default());
        names
    }

    fn number(&mut self, name: AskedName) -> u32 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.facts.len() as u32;
        let mut text = name.name.as_bytes().to_vec();
        for alias in &name.aliases {
            text.push(b'\n');
            text.extend_from_slice(alias.as_bytes());
        }
        let is_needed = name.destinations != 0 || number == NO_NAME;
        self.facts.push((xxh3_64(&text), text.len(), is_needed));
        self.weight += text.len();
        self.numbers.insert(name, number);
        number
    }

    /// By number.
    fn take(&mut self) -> Vec<AskedName> {
        self.facts.clear();
        self.weight = 0;
        let mut names: Vec<(AskedName, u32)> = self.numbers.drain().collect();
        names.sort_unstable_by_key(|(_, number)| *number);
        names.into_iter().map(|(name, _)| name).collect()
    }
}

/// Sorts entries, and makes one of those with the same key.
fn merge(entries: &mut Vec<Entry>) {
    entries.sort_unstable_by_key(|entry| entry.key);
    entries.dedup_by(|later, earlier| {
        let is_same = later.key == earlier.key;
        if is_same {
            earlier.first = earlier.first.min(later.first);
            earlier.last = earlier.last.max(later.last);
        }
        is_same
    });
}

/// The answers, with the number of the set of their names' destinations.
fn by_set(entries: &[Entry], names: &[AskedName], sets: &[u64]) -> Vec<Entry> {
    let answers = entries.iter().filter(|entry| entry.key.addr != ANYBODY);
    let numbered = answers.map(|entry| {
        let set = names[entry.key.name as usize].destinations;
        let number = sets.binary_search(&set).expect("all of them are there");
        let key = Key {
            name: number as u32,
            ..entry.key
        };
        Entry { key, ..*entry }
    });
    let mut all: Vec<Entry> = Vec::new();
    for entry in numbered {
        // Names of one address and time follow each other.
        if let Some(last) = all.last_mut().filter(|last| last.key == entry.key) {
            (last.first, last.last) = (last.first.min(entry.first), last.last.max(entry.last));
        } else {
            all.push(entry);
        }
    }
    merge(&mut all);
    all.shrink_to_fit();
    all
}

impl<'p> LookupsBuilder<'p> {
    /// Nothing yet. Entries with their names take at most so many bytes, and twice as many while they are gathered.
    pub fn new(policy: &'p Policy, most: usize) -> LookupsBuilder<'p> {
        LookupsBuilder {
            policy,
            grace: policy.resolver_grace(),
            most,
            entries: Vec::new(),
            weight: 0,
            barrier: None,
            names: Names::new(),
            lacking: Vec::new(),
            told: Gathered::default(),
        }
    }

    /// One like it, for answers of which it is not yet known whether they count.
    pub fn aside(&self) -> LookupsBuilder<'p> {
        LookupsBuilder::new(self.policy, self.most)
    }

    /// Notes that there are answers that could not be read, and that could speak for instants from the first to the last,
    /// seconds: what was not answered then is not known.
    pub fn lacks(&mut self, first: u32, last: u32) {
        self.lacking.push((first, last));
    }

    /// Whether answers were let go that decisions go by.
    pub fn is_over(&self) -> bool {
        self.barrier.is_some_and(|(is_other, _)| !is_other)
    }

    /// Whether there was no query, in scope or not.
    pub fn is_empty(&self) -> bool {
        self.told.queries + self.told.out_of_scope == 0
    }

    /// Forgets answers of before an instant, seconds, as far as they speak for nothing after it.
    pub fn forget_before(&mut self, at: u32) {
        self.entries
            .retain(|entry| entry.last.saturating_add(self.grace) >= at);
        self.shrink();
        self.forget_names();
    }

    /// What it holds now, bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.weight
    }

    /// Takes a query.
    pub fn add(&mut self, query: &ResolverQuery) {
        let network = self.policy.network_of(
            query.vpc.as_deref(),
            query.account.as_deref(),
            query.region.as_deref(),
        );
        let Some(network) = network else {
            self.told.out_of_scope += 1;
            return;
        };
        self.told.queries += 1;
        self.told.answers += query.addresses.len() as u64;
        self.told.see(query.at);
        let grace = self.grace;
        let entry = |client, addr, name| Entry {
            key: Key {
                network: network.0,
                client,
                addr,
                bucket: query.at / grace,
                name,
            },
            first: query.at,
            last: query.at,
        };
        self.push(entry(ANYBODY, ANYBODY, NO_NAME));
        if !query.addresses.is_empty() {
            let name = self.number(query);
            for addr in &query.addresses {
                for client in [query.client, ANYBODY] {
                    self.push(entry(client, *addr, name));
                }
            }
        }
        self.make_room();
    }

    /// The number of the name that was asked for.
    fn number(&mut self, query: &ResolverQuery) -> u32 {
        let patterns = &self.policy.patterns;
        let aliases = query.aliases.iter();
        self.names.number(AskedName {
            name: query.name.as_str().into(),
            aliases: aliases.clone().map(|alias| alias.as_str().into()).collect(),
            destinations: aliases.fold(patterns.of(&query.name), |bits, alias| {
                bits | patterns.of(alias)
            }),
        })
    }

    /// Takes what another one gathered.
    pub fn absorb(&mut self, mut other: LookupsBuilder<'_>) {
        self.told.add(&other.told);
        let names: Vec<u32> = other
            .names
            .take()
            .into_iter()
            .map(|name| self.names.number(name))
            .collect();
        self.lacking.append(&mut other.lacking);
        let barriers = [self.barrier, other.barrier];
        self.barrier = barriers.into_iter().flatten().min();
        for entry in other.entries {
            let name = names[entry.key.name as usize];
            let key = Key { name, ..entry.key };
            self.push(Entry { key, ..entry });
        }
        self.make_room();
    }

    /// All of it, and what there is to say about it.
    pub fn finish(mut self) -> (Lookups, Gathered) {
        self.shrink();
        self.forget_names();
        // Numbers in the order of the names, whatever the order in which they came.
        let names = self.names.take();
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|a, b| names[*a].cmp(&names[*b]));
        let mut numbers = vec![NO_NAME; names.len()];
        for (number, old) in order.iter().enumerate() {
            numbers[*old] = number as u32;
        }
        for entry in &mut self.entries {
            entry.key.name = numbers[entry.key.name as usize];
        }
        self.entries.sort_unstable_by_key(|entry| entry.key);
        self.entries.shrink_to_fit();
        let names: Vec<AskedName> = order.into_iter().map(|old| names[old].clone()).collect();
        let mut sets: Vec<u64> = names.iter().map(|name| name.destinations).collect();
        sets.sort_unstable();
        sets.dedup();
        let is_whole = !self.is_over();
        let lookups = Lookups {
            grace: self.grace,
            by_set: by_set(&self.entries, &names, &sets),
            sets,
            entries: self.entries,
            names,
            allowed: self.policy.patterns.allowed,
            is_whole,
            lacking: self.lacking,
        };
        (lookups, self.told)
    }

    fn push(&mut self, entry: Entry) {
        // Queries come in bursts.
        let last = self.entries.last_mut();
        if let Some(last) = last.filter(|last| last.key == entry.key) {
            last.first = last.first.min(entry.first);
            last.last = last.last.max(entry.last);
            return;
        }
        if let Some(barrier) = self.barrier
            && self.rank(&entry.key) >= barrier
        {
            return self.let_go(entry.key.name);
        }
        self.weight += self.weight_of(entry.key.name);
        self.entries.push(entry);
    }

    fn let_go(&mut self, name: u32) {
        let (_, _, is_needed) = self.names.facts[name as usize];
        self.told.let_go += 1;
        self.told.needed_let_go += u64::from(is_needed);
    }

    /// Keeps within twice the bound.
    fn make_room(&mut self) {
        if self.weight > 2 * self.most {
            self.shrink();
        }
        // Names stay behind of entries that were let go.
        if self.names.weight > 3 * self.most + NAMES_AT_LEAST {
            self.forget_names();
        }
    }

    fn weight_of(&self, name: u32) -> usize {
        size_of::<Entry>() + self.names.facts[name as usize].1
    }

    /// Merges entries with the same key, and lets go what is beyond the bound.
    fn shrink(&mut self) {
        merge(&mut self.entries);
        if let Some(barrier) = self.barrier {
            // Another one may have set it, when it was absorbed.
            let entries = std::mem::take(&mut self.entries);
            let ranks = |entry: &Entry| self.rank(&entry.key) < barrier;
            let (kept, gone): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(ranks);
            gone.iter().for_each(|entry| self.let_go(entry.key.name));
            self.entries = kept;
        }
        let names = self.entries.iter().map(|entry| entry.key.name);
        self.weight = names.map(|name| self.weight_of(name)).sum();
        if self.weight <= self.most {
            return;
        }
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by_cached_key(|entry| self.rank(&entry.key));
        let mut weight = 0;
        let fits = |entry: &&Entry| {
            weight += self.weight_of(entry.key.name);
            weight <= self.most
        };
        let kept = entries.iter().take_while(fits).count();
        self.barrier = entries.get(kept).map(|first| self.rank(&first.key));
        for gone in entries.drain(kept..) {
            self.let_go(gone.key.name);
        }
        self.entries = entries;
        self.forget_names();
        let names = self.entries.iter().map(|entry| entry.key.name);
        self.weight = names.map(|name| self.weight_of(name)).sum();
    }

    fn rank(&self, key: &Key) -> Rank {
        let (text, _, is_needed) = self.names.facts[key.name as usize];
        let mut bytes = [0; 46];
        bytes[..2].copy_from_slice(&key.network.to_le_bytes());
        bytes[2..18].copy_from_slice(&key.client.bits().to_le_bytes());
        bytes[18..34].copy_from_slice(&key.addr.bits().to_le_bytes());
        bytes[34..38].copy_from_slice(&key.bucket.to_le_bytes());
        bytes[38..].copy_from_slice(&text.to_le_bytes());
        (!is_needed, xxh3_64(&bytes))
    }

    /// Forgets names that no entry has.
    fn forget_names(&mut self) {
        let names = self.names.take();
        self.names = Names::new();
        let mut numbers: Vec<Option<u32>> = vec![None; names.len()];
        for entry in &mut self.entries {
            let old = entry.key.name as usize;
            let number = *numbers[old].get_or_insert_with(|| self.names.number(names[old].clone()));
            entry.key.name = number;
        }
    }
}
