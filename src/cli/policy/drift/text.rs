//! The drift for people: kind by kind, the most exposed first, each group of connections with the policy's rule, what lets
//! through or stands in the way, and its traffic.

use super::Answer;
use crate::cli::policy::over::{self, hanging};
use crate::cli::report::words;
use crate::config::permit::{Lets, Step, Through, Unknown};
use crate::drift::{Aside, Cause, Gap, GapKind, Part, Seen, Side, Used};
use crate::net::ports::{NUM_PAIRS, PortSet};
use crate::policy::diff::prefixes;
use crate::policy::{Answer as Says, Policy};

/// How many prefixes, groups or rules a line shows; JSON has them all.
const MAX_SHOWN: usize = 4;

/// How many groups of connections of a gap are shown where not everything is.
const MAX_PARTS: usize = 3;

pub(super) fn text(answer: &Answer<'_>, limit: usize, width: usize) -> String {
    let drift = &answer.report.drift;
    let name = over::name(&crate::app::replay::PolicyName::of(answer.policy));
    let mut head = format!("Drift of {name} from {}", short(&answer.config));
    head.push_str(&format!(", at {}", words::moment(i64::from(answer.at))));
    let mut page = hanging("", &head, width);
    if let Some(traffic) = &answer.report.traffic {
        let mut line = format!("Traffic of {}", traffic.over);
        if let Some((first, last)) = traffic.times {
            line.push_str(&format!(", {}", words::interval(first, last)));
        }
        page.push_str(&hanging("", &line, width));
        let facts = [
            (traffic.unjudged, "not judged by the policy"),
            (
                traffic.elsewhere,
                "with an end that is none of those compared",
            ),
        ];
        for (counts, what) in facts {
            if counts.connections > 0 {
                let number = words::counted(counts.connections, "connection");
                page.push_str(&hanging("  ", &format!("{number} {what}"), width));
            }
        }
    }
    for line in aside(&drift.aside) {
        page.push_str(&hanging("  ", &line, width));
    }
    for kind in GapKind::ALL {
        let gaps: Vec<&Gap<'_>> = drift.gaps.iter().filter(|gap| gap.kind == *kind).collect();
        if !gaps.is_empty() {
            page.push_str(&format!("\n{}\n", title(*kind)));
            page.push_str(&of_kind(answer.policy, &gaps, limit, width));
        }
    }
    page.push('\n');
    page.push_str(&hanging("", &summary(&drift.gaps), width));
    page
}

fn title(kind: GapKind) -> &'static str {
    match kind {
        GapKind::Open => "Open: let through, and denied by the policy",
        GapKind::Closed => "Closed: allowed by the policy, and not let through",
        GapKind::ReplyCut => {
            "Replies cut: allowed and let through, and a network ACL stops replies"
        }
        GapKind::CannotTell => "Cannot be told",
        GapKind::Seen => "Seen: let through at the time, and not by this configuration",
    }
}

fn summary(gaps: &[Gap<'_>]) -> String {
    if gaps.is_empty() {
        return "The configuration lets through what the policy allows, and nothing else."
            .to_owned();
    }
    let counts = GapKind::ALL.iter().filter_map(|kind| {
        let of_kind = gaps.iter().filter(|gap| gap.kind == *kind);
        let groups: usize = of_kind.clone().map(|gap| gap.parts.len()).sum();
        let number = words::count(of_kind.count() as u64);
        let groups = words::counted(groups as u64, "group");
        (number != "0").then(|| format!("{number} {} ({groups})", kind.as_str()))
    });
    format!("Gaps: {}.", counts.collect::<Vec<_>>().join(", "))
}

/// Gaps of one kind: so many, each with its widest groups of connections; with [`usize::MAX`] everything.
fn of_kind(policy: &Policy, gaps: &[&Gap<'_>], limit: usize, width: usize) -> String {
    let mut page = String::new();
    let max_parts = if limit == usize::MAX {
        limit
    } else {
        MAX_PARTS
    };
    for gap in gaps.iter().take(limit) {
        page.push_str(&hanging("  ", &head(policy, gap), width));
        for part in gap.parts.iter().take(max_parts) {
            page.push_str(&part_text(gap, part, width));
        }
        let hidden = gap.parts.len().saturating_sub(max_parts);
        if hidden > 0 {
            let more = words::counted(hidden as u64, "more group");
            page.push_str(&hanging(
                "    ",
                &format!("… and {more} of connections"),
                width,
            ));
        }
    }
    let hidden = gaps.len().saturating_sub(limit);
    if hidden > 0 {
        let more = words::counted(hidden as u64, "more gap");
        let line = format!("… and {more}: --limit all shows everything");
        page.push_str(&hanging("  ", &line, width));
    }
    page
}

/// `internet -> app: denied by default`.
fn head(policy: &Policy, gap: &Gap<'_>) -> String {
    let [client, server] = gap.zones.map(|zone| policy.zone_name(zone));
    let answer = match gap.answer {
        Says::Allow => "allowed",
        Says::Deny => "denied",
        Says::Unproven => "unproven",
    };
    let rule = policy.rule(gap.rule);
    let mut head = format!("{client} -> {server}: {answer} by {}", rule.id);
    if !policy.has_one_network() {
        head.push_str(&format!(", seen from {}", policy.network_name(gap.network)));
    }
    head
}

fn part_text(gap: &Gap<'_>, part: &Part<'_>, width: usize) -> String {
    let ends = format!("{} -> {}", side(&part.client), side(&part.server));
    let line = format!(
        "{}: {ends}, e.g. {}",
        ports(&part.ports),
        part.example.flow()
    );
    let mut page = hanging("    ", &line, width);
    for cause in &part.causes {
        page.push_str(&hanging("      ", &cause_text(cause), width));
    }
    if part.request == Through::Part {
        page.push_str(&hanging("      ", "a part: some types of ICMP", width));
    }
    for line in part.used.iter().flat_map(|used| used_text(gap.kind, used)) {
        page.push_str(&hanging("      ", &line, width));
    }
    page
}

fn cause_text(cause: &Cause<'_>) -> String {
    let at = match cause.step {
        Step::ClientGroups => "client's groups",
        Step::ClientAcl => "client's network ACL",
        Step::ServerAcl => "server's network ACL",
        Step::ServerGroups => "server's groups",
        Step::ServerAclReply => "replies at the server's network ACL",
        Step::ClientAclReply => "replies at the client's network ACL",
    };
    let ports = match cause.ports {
        Some((first, last)) if first == last => format!(" to port {first}"),
        Some((first, last)) => format!(" to ports {first}-{last}"),
        None => String::new(),
    };
    let what = match &cause.lets {
        Lets::Yes(by) => {
            let by: Vec<String> = by.iter().map(ToString::to_string).collect();
            format!("let through by {}", any_of(&by))
        }
        Lets::No(by) => format!("stopped by {by}"),
        Lets::Unknown(why) => {
            let why: Vec<String> = why.iter().map(why_text).collect();
            format!("not known: {}", short(&why))
        }
    };
    format!("{at}{ports}: {what}")
}

/// Why something is not known, of all ends of a kind.
pub(super) fn why_text(why: &Unknown<'_>) -> String {
    match why {
        Unknown::NoInterface(_) => "no interface of the input has such an address".to_owned(),
        Unknown::NoSubnet(_) => "no subnet of the input has such an address".to_owned(),
        why => why.to_string(),
    }
}

fn used_text(kind: GapKind, used: &Used) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(seen) = &used.accepted {
        lines.push(format!("used: {}", seen_text(seen)));
    }
    if let Some(seen) = &used.rejected {
        lines.push(format!("rejected: {}", seen_text(seen)));
    }
    if kind == GapKind::Open && used.accepted.is_none() {
        lines.push("not used by this traffic".to_owned());
    }
    lines
}

fn seen_text(seen: &Seen) -> String {
    format!(
        "{}, {}, {}:{}",
        over::counts(&seen.counts),
        words::interval(seen.first, seen.last),
        seen.source,
        seen.line
    )
}

/// `all [sg-0a1b] (3 interfaces)`, `10.0.0.5/32 [sg-0a1b]`, `all`.
fn side(side: &Side<'_>) -> String {
    let mut text = if side.is_whole {
        "all".to_owned()
    } else {
        let cidrs: Vec<String> = prefixes(&side.ranges)
            .iter()
            .map(ToString::to_string)
            .collect();
        short(&cidrs)
    };
    if !side.groups.is_empty() {
        let groups: Vec<String> = side.groups.iter().map(|id| (*id).to_owned()).collect();
        text.push_str(&format!(" [{}]", short(&groups)));
    }
    if side.interfaces > 1 {
        let number = words::counted(side.interfaces as u64, "interface");
        text.push_str(&format!(" ({number})"));
    }
    text
}

/// A set of ports, or what it lacks, whichever is shorter.
pub(super) fn ports(ports: &PortSet) -> String {
    if ports.num_pairs() == NUM_PAIRS {
        return "any port".to_owned();
    }
    let rest = ports.complement();
    if rest.ranges().len() < ports.ranges().len() {
        format!("any port but {rest}")
    } else {
        ports.to_string()
    }
}

/// What was left out and what was assumed, a sentence each.
fn aside(aside: &Aside<'_>) -> Vec<String> {
    let owned = |ids: &[&str]| -> Vec<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
    let cidrs = |ranges: &[crate::policy::diff::Range]| -> Vec<String> {
        prefixes(ranges).iter().map(ToString::to_string).collect()
    };
    let facts = [
        (
            owned(&aside.unlisted_vpcs),
            "not compared: no network of the policy has these VPCs",
        ),
        (
            aside.missing_networks.clone(),
            "not compared: the input has no VPC of these networks",
        ),
        (
            cidrs(&aside.missing),
            "not compared: the policy's networks have these addresses, and no VPC of the input has",
        ),
        (
            cidrs(&aside.strays),
            "in a VPC, and in no network of the policy",
        ),
        (
            owned(&aside.carriers),
            "not compared: carry what others send",
        ),
        (
            owned(&aside.partly_known),
            "not all interfaces are in the input",
        ),
        (
            owned(&aside.without_acl),
            "the network ACL is not in the input, and is taken to let everything through",
        ),
    ];
    let told = facts.into_iter().filter(|(all, _)| !all.is_empty());
    told.map(|(all, what)| format!("{}: {what}", short(&all)))
        .collect()
}

/// The first few of a list.
fn short(all: &[String]) -> String {
    listed(all, ", ", " and ")
}

/// The first few of what suffices each.
fn any_of(all: &[String]) -> String {
    listed(all, "; or ", "; or ")
}

fn listed(all: &[String], between: &str, before_more: &str) -> String {
    let shown = all[..all.len().min(MAX_SHOWN)].join(between);
    match all.len() - all.len().min(MAX_SHOWN) {
        0 => shown,
        more => format!("{shown}{before_more}{} more", words::count(more as u64)),
    }
}
