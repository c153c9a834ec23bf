//! Destinations: named places outside.

use super::{Destination, prefixes, sorted, sorted_by_name, texts};
use crate::policy::domains::MAX_BY_DOMAIN;
use crate::policy::file;
use crate::policy::names::{Name, Names};
use crate::policy::pinned::{Pinned, Range};
use crate::policy::problem::Problems;

pub(super) fn destinations(
    written: &[file::Destination],
    pinned: &Pinned,
    names: &mut Names,
    problems: &mut Problems,
) -> Vec<Destination> {
    let mut destinations = Vec::new();
    let mut bits = 0..MAX_BY_DOMAIN as u8;
    let has_names = pinned.has_resolver_logs || pinned.snapshots.is_some();
    for destination in sorted_by_name(written, |destination| &destination.name) {
        names.declare(
            &destination.name,
            Name::Destination(destinations.len() as u16),
            problems,
        );
        let services = destination
            .aws_services
            .iter()
            .filter_map(|word| names.services.resolve(word, word, problems))
            .fold(0, |bits, bit| bits | 1 << bit);
        let mut cidrs = prefixes(&destination.cidrs);
        let mut missing_lists = Vec::new();
        for id in &destination.prefix_lists {
            match &pinned.prefix_lists {
                None => missing_lists.push(id.text.clone()),
                Some(lists) => match lists.get(&id.text) {
                    Some(prefixes) => cidrs.extend(prefixes),
                    None => problems.unknown(
                        &id.span,
                        "prefix list, in no file of prefix_list_files:",
                        id,
                        lists.keys().map(String::as_str),
                    ),
                },
            }
        }
        if let Some(ranges) = &pinned.ranges {
            check_regions(destination, ranges, problems);
            let regions = texts(&destination.regions);
            let wanted = ranges.iter().filter(|range| {
                services >> range.service & 1 == 1
                    && (regions.is_empty() || regions.binary_search(&range.region).is_ok())
            });
            cidrs.extend(wanted.map(|range| range.prefix));
        }
        destinations.push(Destination {
            name: destination.name.text.clone(),
            validity: destination.validity,
            cidrs: sorted(cidrs),
            services,
            service_names: texts(&destination.aws_services),
            regions: texts(&destination.regions),
            domains: texts(&destination.domains),
            domain_bit: (has_names && !destination.domains.is_empty())
                .then(|| bits.next())
                .flatten(),
            missing_lists,
        });
    }
    destinations
}

fn check_regions(destination: &file::Destination, ranges: &[Range], problems: &mut Problems) {
    for region in &destination.regions {
        if !ranges.iter().any(|range| range.region == region.text) {
            let mut known: Vec<&str> = ranges.iter().map(|range| range.region.as_str()).collect();
            known.sort_unstable();
            known.dedup();
            problems.unknown(
                &region.span,
                "region, in no range of ip_ranges:",
                region,
                known,
            );
        }
    }
}
