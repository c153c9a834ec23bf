//! What lets in more than it seems to: `any` to `any`, AWS services that are anybody's, content delivery networks.

use std::collections::HashSet;

use super::super::file::{self, File, RulePorts};
use super::super::fit::ANYBODYS;
use super::super::names::Name;
use super::super::problem::excerpt;
use super::super::section::Word;
use super::table::{ANY_TO_ANY, ANYBODYS_SERVICE, SHARED_CDN};
use super::{Found, Rules};

/// Domains under which content delivery networks and their like serve whoever is their customer, with what they are. One
/// address there answers for many customers, so a domain of one opens the others. Only what providers document as the
/// names of their shared edges; a customer's own name in front of them cannot be told.
const SHARED_CDNS: [(&str, &str); 19] = [
    ("cloudfront.net", "Amazon CloudFront"),
    ("akamaiedge.net", "Akamai"),
    ("akamaized.net", "Akamai"),
    ("akamaihd.net", "Akamai"),
    ("akamai.net", "Akamai"),
    ("edgekey.net", "Akamai"),
    ("edgesuite.net", "Akamai"),
    ("fastly.net", "Fastly"),
    ("fastlylb.net", "Fastly"),
    ("azureedge.net", "Azure CDN"),
    ("azurefd.net", "Azure Front Door"),
    ("cloudflare.net", "Cloudflare"),
    ("workers.dev", "Cloudflare Workers"),
    ("pages.dev", "Cloudflare Pages"),
    ("github.io", "GitHub Pages"),
    ("netlify.app", "Netlify"),
    ("vercel.app", "Vercel"),
    ("cdn77.org", "CDN77"),
    ("b-cdn.net", "bunny.net"),
];

pub(super) fn lint(file: &File, rules: &Rules<'_>, found: &mut Found) {
    any_to_any(rules, found);
    anybodys_words(rules, found);
    anybodys_destinations(file, found);
    shared_cdns(file, found);
}

fn any_to_any(rules: &Rules<'_>, found: &mut Found) {
    for rule in rules.all.iter().filter(|rule| !rule.is_deny()) {
        let condition = rule.condition;
        if !(condition.from.contains(&Name::Any) && condition.to.contains(&Name::Any)) {
            continue;
        }
        let ports = match rule.written.ports {
            RulePorts::Any => "on every port",
            RulePorts::Except(_) => "on all ports but some",
            RulePorts::Only(_) | RulePorts::Services(_) => "on its ports",
        };
        found.add(
            &ANY_TO_ANY,
            &rule.id.span,
            format!("{} permits any to reach any {ports}", rule.title()),
            "name who needs it and what they need to reach",
        );
    }
}

/// `aws:EC2` and the like in an allow.
fn anybodys_words(rules: &Rules<'_>, found: &mut Found) {
    for rule in rules.all.iter().filter(|rule| !rule.is_deny()) {
        for word in rule.written.from.iter().chain(&rule.written.to) {
            let Some(service) = word.strip_prefix("aws:") else {
                continue;
            };
            if service == "*" || ANYBODYS.contains(&service) {
                found.add(
                    &ANYBODYS_SERVICE,
                    &word.span,
                    format!(
                        "{} goes by `{}`: {}",
                        rule.title(),
                        &**word,
                        anybodys(service)
                    ),
                    HINT,
                );
            }
        }
    }
}

/// The same in a destination that an allow names, or that a deny spares.
fn anybodys_destinations(file: &File, found: &mut Found) {
    let mut opened: HashSet<&str> = HashSet::new();
    for rule in &file.rules {
        let lists = match rule.effect {
            file::Effect::Allow => [&rule.from, &rule.to],
            file::Effect::Deny => [&rule.from_except, &rule.to_except],
        };
        opened.extend(lists.into_iter().flatten().map(|word| word.text.as_str()));
    }
    for destination in &file.destinations {
        if !opened.contains(destination.name.text.as_str()) {
            continue;
        }
        for word in &destination.aws_services {
            if ANYBODYS.contains(&word.text.as_str()) {
                found.add(
                    &ANYBODYS_SERVICE,
                    &word.span,
                    format!(
                        "destination `{}` goes by the AWS service `{}`: {}",
                        &*destination.name,
                        &**word,
                        anybodys(word)
                    ),
                    HINT,
                );
            }
        }
    }
}

const HINT: &str = "name the service that is meant (S3, DYNAMODB, …), or prefixes";

fn anybodys(service: &str) -> &'static str {
    match service {
        "EC2" => "any customer's machine is inside",
        "AMAZON" | "*" => "it holds EC2, so any customer's machine is inside",
        _ => "any customer can serve from there",
    }
}

fn shared_cdns(file: &File, found: &mut Found) {
    for destination in &file.destinations {
        for word in &destination.domains {
            let Some((suffix, provider)) = shared_cdn(word) else {
                continue;
            };
            found.add(
                &SHARED_CDN,
                &word.span,
                format!(
                    "`{}` of destination `{}` is served by {provider}, whose addresses many customers share",
                    excerpt(word),
                    &*destination.name
                ),
                if word.text.len() > suffix.len() + 2 {
                    "an address that is opened for it serves others too: keep its rules to one port, and watch what is sent"
                } else {
                    "this is every customer of it: name the one that is meant"
                },
            );
        }
    }
}

/// The network that a domain is on.
fn shared_cdn(domain: &Word) -> Option<(&'static str, &'static str)> {
    let name = domain.text.to_ascii_lowercase();
    let is_under = |suffix: &str| {
        name.strip_suffix(suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    SHARED_CDNS.into_iter().find(|(suffix, _)| is_under(suffix))
}
