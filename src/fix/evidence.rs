//! What is missing to decide, and how to give it.

use crate::judge::Edge;
use crate::policy::{Flow, NetworkId, Policy, Standing};

/// Evidence that a rule goes by and that is missing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Missing {
    /// The rule that would allow it.
    pub rule: String,
    /// What of the rule is in doubt: a name, or the id of a require.
    pub word: String,
    /// What would have to be loaded or logged.
    pub evidence: &'static str,
    /// How.
    pub how: &'static str,
}

/// What is missing for these edges, by addresses alone; each once.
pub fn missing(policy: &Policy, network: NetworkId, edges: &[Edge]) -> Vec<Missing> {
    let mut found = std::collections::BTreeSet::new();
    for edge in edges {
        let flow = Flow {
            client: edge.client_addr,
            server: edge.server_addr,
            protocol: edge.protocol,
            server_port: edge.server_port.unwrap_or(0),
            at: i64::from(edge.first_seen),
        };
        let explained = policy.explain_flow(Some(network), &flow);
        let rules = explained.explanation.rules.iter();
        for rule in rules.filter(|rule| rule.standing == Standing::Unproven) {
            for doubt in &rule.unproven {
                found.extend(doubt.evidence.iter().map(|&evidence| Missing {
                    rule: policy.rule(rule.rule).id.clone(),
                    word: doubt.word.clone(),
                    evidence,
                    how: how(evidence),
                }));
            }
        }
    }
    found.into_iter().collect()
}

/// How evidence is given.
fn how(evidence: &str) -> &'static str {
    match evidence {
        "an inventory" => {
            "name an inventory of the network's interfaces in [data] inventory, or give the group its cidrs"
        }
        "Resolver logs" => {
            "name Route 53 Resolver query logs in [data] resolver_logs, or give the destination its cidrs"
        }
        "prefix lists" => "name files with the prefix lists' entries in [data] prefix_list_files",
        "the AWS service fields, or pinned ip_ranges" => {
            "add pkt-src-aws-service and pkt-dst-aws-service to the format of the flow log, or pin AWS's ip-ranges.json in [data] ip_ranges"
        }
        "the encryption-status field" => {
            "add encryption-status to the format of the flow log (its version 10 or later)"
        }
        _ => "see the policy's page: what a rule decides",
    }
}
