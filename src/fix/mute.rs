//! The mute by which a finding is accepted.

use std::fmt::Write;

use super::words::{names, service_name};
use crate::draft::quoted;
use crate::judge::subject::is_muted;
use crate::judge::{Finding, Kind};
use crate::net::ports::{PortRange, PortSet};
use crate::policy::{Policy, PolicyErrors};

/// A mute to paste into a policy.
#[derive(Clone, Debug)]
pub struct Muting {
    /// The section.
    pub text: String,
    /// Whether the policy with it mutes the finding; not if a mute has no words for what it is about.
    pub holds: bool,
}

/// Makes the mute of a finding: as narrow as mutes are. `until` is when it ends, a bare date.
///
/// # Errors
/// What is wrong with the policy with the mute in it.
pub fn mute(
    finding: &Finding,
    policy: &Policy,
    text: &str,
    until: &str,
    parse: &dyn Fn(&str) -> Result<Policy, PolicyErrors>,
) -> Result<Muting, PolicyErrors> {
    let mut section = format!("[[mute]]\nfinding = {}\n", quoted(finding.kind.as_str()));
    for (key, end) in [("from", &finding.client), ("to", &finding.server)] {
        if let Some(word) = zone_word(policy, &end.zone) {
            let _ = writeln!(section, "{key} = {}", names(&[word]));
        }
    }
    if let (Some(protocol), Some(port)) = (finding.protocol, finding.server_port) {
        let range = PortRange {
            protocol,
            first: port,
            last: port,
        };
        let wanted: PortSet = [range].into_iter().collect();
        if let Some(name) = service_name(policy, &wanted) {
            let _ = writeln!(section, "service = {}", quoted(name));
        } else {
            let _ = writeln!(
                section,
                "# No entry of [services] is {range} alone, so that this accepts all services."
            );
        }
    }
    if !finding.rule.is_empty() && !finding.kind.is_detected() {
        let _ = writeln!(section, "rule = {}", quoted(&finding.rule));
    }
    let _ = write!(
        section,
        "owner = \"FILL IN\"\nreason = \"FILL IN: why this is accepted\"\nexpires = {until}  # FILL IN\n"
    );
    let muted = parse(&format!("{}\n\n{section}", text.trim_end()))?;
    let zones = [finding.client.zone.as_str(), finding.server.zone.as_str()];
    // What detectors find rests on no rule.
    let rule = match finding.kind.is_detected() {
        true => "",
        false => finding.rule.as_str(),
    };
    let what = (finding.protocol.unwrap_or(0), finding.server_port, rule);
    let holds = finding.kind != Kind::Unassigned
        && is_muted(&muted, finding.kind, zones, what, finding.first_seen);
    Ok(Muting {
        text: section,
        holds,
    })
}

/// The word of a zone, where there is one.
fn zone_word(policy: &Policy, zone: &str) -> Option<String> {
    policy.zone_named(zone)?;
    let is_word = !matches!(zone, "" | "local" | "aws:other");
    is_word.then(|| zone.to_owned())
}
