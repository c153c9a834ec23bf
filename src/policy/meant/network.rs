//! Networks: whose records they judge, and what they reach.

use std::collections::HashMap;

use super::{Network, prefixes, sorted_by_name, texts};
use crate::net::Prefix;
use crate::policy::problem::Problems;
use crate::policy::section::Word;
use crate::policy::{NetworkId, file};

pub(super) fn networks(written: &[file::Network], problems: &mut Problems) -> Vec<Network> {
    let written = sorted_by_name(written, |network| &network.name);
    let by_name: HashMap<&str, usize> = written
        .iter()
        .enumerate()
        .map(|(i, network)| (&*network.name, i))
        .collect();
    let mut connected = vec![Vec::new(); written.len()];
    for (i, network) in written.iter().enumerate() {
        for word in &network.connected_to {
            match by_name.get(&**word) {
                Some(&other) if other == i => problems.add(
                    &word.span,
                    format!("network `{}` is connected to itself", &**word),
                ),
                Some(&other) => {
                    connected[i].push(NetworkId(other as u16));
                    connected[other].push(NetworkId(i as u16));
                }
                None => problems.unknown(&word.span, "network", word, by_name.keys().copied()),
            }
        }
    }
    check_scopes(&written, problems);
    written
        .iter()
        .zip(connected)
        .map(|(network, mut connected)| {
            connected.sort_unstable();
            connected.dedup();
            Network {
                name: network.name.text.clone(),
                vpcs: texts(&network.vpcs),
                accounts: texts(&network.accounts),
                regions: texts(&network.regions),
                cidrs: prefixes(&network.cidrs),
                connected,
            }
        })
        .collect()
}

/// No record may belong to two networks: a VPC is listed once, and networks without `vpcs` share no account and region.
fn check_scopes(networks: &[&file::Network], problems: &mut Problems) {
    let mut owner: HashMap<&str, &str> = HashMap::new();
    for network in networks {
        for vpc in &network.vpcs {
            match owner.insert(vpc, &network.name) {
                Some(other) if *other != *network.name => problems.add(
                    &vpc.span,
                    format!("`{}` is listed by network `{other}` too", &**vpc),
                ),
                _ => {}
            }
        }
    }
    let overlap = |a: &[Word], b: &[Word]| {
        a.is_empty() || b.is_empty() || a.iter().any(|a| b.iter().any(|b| a.text == b.text))
    };
    let by_account: Vec<&&file::Network> = networks
        .iter()
        .filter(|network| {
            network.vpcs.is_empty() && !(network.accounts.is_empty() && network.regions.is_empty())
        })
        .collect();
    for (i, network) in by_account.iter().enumerate() {
        let other = by_account[..i].iter().find(|other| {
            overlap(&network.accounts, &other.accounts) && overlap(&network.regions, &other.regions)
        });
        if let Some(other) = other {
            problems.add_with_hint(
                &network.name.span,
                format!(
                    "networks `{}` and `{}` claim the same account and region",
                    &*other.name, &*network.name
                ),
                "list their vpcs",
            );
        }
    }
}

/// The network that a word names, or the only one there is.
pub(super) fn network_named(
    word: Option<&Word>,
    networks: &[Network],
    problems: &mut Problems,
) -> Option<NetworkId> {
    let Some(word) = word else {
        return (networks.len() == 1).then_some(NetworkId(0));
    };
    let found = networks
        .iter()
        .position(|network| network.name == word.text);
    if found.is_none() {
        problems.unknown(
            &word.span,
            "network",
            word,
            networks.iter().map(|network| network.name.as_str()),
        );
    }
    found.map(|at| NetworkId(at as u16))
}

pub(super) fn holds(network: &Network, prefix: Prefix) -> bool {
    network.cidrs.iter().any(|cidr| cidr.covers(prefix))
}
