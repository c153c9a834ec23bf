//! `policy fix`: what would end a finding, in the network or in the policy. It reads and tells; it changes nothing.
//!
//! The lake's findings are looked up, then the edges behind them. With a configuration of AWS the compliant edges are read
//! too, so that nothing that the policy allows is lost with a rule; and once more against what is proposed.

mod lookup;
mod network;
mod seen;

pub use lookup::Found;
pub use seen::{PairSeen, Seen};

use std::path::PathBuf;

use super::batch::runtime;
use super::config_files::load_either;
use super::error::ScanError;
use super::over::{self, check_judged_by, lake_expected_at, no_hour};
use super::policy_file;
use super::replay::PolicyName;
use crate::config::{Config, is_known};
use crate::detect::advice;
use crate::fix::check::Losses;
use crate::fix::close::Closing;
use crate::fix::evidence::{Missing, missing};
use crate::fix::mute::{Muting, mute};
use crate::fix::open::Opening;
use crate::fix::permission::{Asked, Permission, permit};
use crate::fix::place::{Placing, place};
use crate::judge::Kind;
use crate::policy::{NetworkId, Policy, PolicyErrors, PortsBetween};

/// How many pairs of addresses a change is made for: the heaviest.
pub const MAX_PAIRS: usize = 10;

/// How many findings are looked at in one run: of each up to a few megabytes are held.
const MAX_FINDINGS: usize = 200;

/// How long an exception or a mute is proposed to last, days after the finding was last seen.
const DAYS: u32 = 30;

/// What is asked.
#[derive(Clone, Debug)]
pub struct FixSettings {
    /// Ids of findings, or what they begin with.
    pub ids: Vec<String>,
    /// The lake, in a folder or below `s3://`.
    pub lake: String,
    /// The policy file that it was judged by.
    pub policy: Option<PathBuf>,
    /// Files that say how AWS is configured; none for none.
    pub config: Vec<PathBuf>,
    /// Only hours from this time on, seconds since 1970.
    pub since: Option<u32>,
    /// Only hours before this time, seconds since 1970.
    pub until: Option<u32>,
}

/// What would end findings.
#[derive(Debug)]
pub struct Fixes {
    /// The lake, as named.
    pub lake: String,
    /// The policy, if one was given.
    pub policy: Option<PolicyName>,
    /// The configuration, if one was given.
    pub config: Option<Config>,
    /// For each finding, in the order of the ids.
    pub fixes: Vec<Fix>,
    /// What there is to know about the answer, a sentence each.
    pub notes: Vec<String>,
}

/// What would end a finding.
#[derive(Debug)]
pub struct Fix {
    /// The finding, and when it was found.
    pub found: Found,
    /// The edges behind it.
    pub seen: Seen,
    /// What the network has to do with it.
    pub network: InNetwork,
    /// What the policy has; none without a policy.
    pub policy: Option<InPolicy>,
    /// The mute by which it is accepted; none without a policy.
    pub mute: Option<Result<Muting, PolicyErrors>>,
}

/// What the network has to do with a finding.
#[derive(Debug)]
pub enum InNetwork {
    /// Nothing: it is about no connections that the network lets through or holds.
    Nothing,
    /// It holds already; where the source is, as far as it is known.
    Held,
    /// What lets it through, and the changes that end that.
    Close {
        /// The changes.
        closing: Closing,
        /// Compliant connections of the lake that would be lost.
        losses: Losses,
    },
    /// What holds it, and the changes that end that.
    Open(Opening),
    /// It would have to be looked up in a configuration, and none was given.
    NoConfig,
    /// The configuration holds no VPC of the finding's network.
    OtherNetwork,
}

/// What the policy has to do with a finding.
#[derive(Debug)]
pub enum InPolicy {
    /// What would permit it.
    Permit(Result<Permission, PolicyErrors>),
    /// It permits it.
    Permits,
    /// What is missing to decide.
    Evidence(Vec<Missing>),
    /// Where the address could belong.
    Place(Result<Placing, PolicyErrors>),
    /// What the detector's page advises.
    Advice(String),
    /// Its network is none of the policy.
    NoNetwork,
    /// None of its edges is there any more.
    NoEdges,
}

/// Finds what would end findings.
///
/// # Errors
/// When the lake, the policy or the configuration are not as they should be, do not belong together, or an id names no
/// finding or several.
pub fn fix(settings: &FixSettings) -> Result<Fixes, ScanError> {
    if settings.ids.len() > MAX_FINDINGS {
        return Err(ScanError::Usage {
            message: format!(
                "expected at most {MAX_FINDINGS} ids, got {}",
                settings.ids.len()
            ),
            hint: Some("ask for some, then for others".to_owned()),
        });
    }
    let policy = settings.policy.as_deref();
    let policy = policy.map(policy_file::load_with_text).transpose()?;
    let config = match settings.config.is_empty() {
        true => None,
        false => Some(load_either(&settings.config)?),
    };
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let lake = lake_expected_at(
        &settings.lake,
        &runtime,
        temp.path(),
        "findings are in a lake: `scan --lake` makes one",
    )?;
    if let (Some(path), Some((_, policy))) = (&settings.policy, &policy) {
        check_judged_by(
            (&lake, &settings.lake),
            (policy, path),
            "a finding is of the policy that judged: give that one, or judge the lake anew with `scan --rejudge`",
        )?;
    }
    let hours = over::hours(&lake, settings.since, settings.until)?;
    if hours.is_empty() {
        return Err(no_hour(&settings.lake));
    }
    let found = lookup::findings(&lake, &hours, &settings.ids)?;
    let seen = seen::behind(&lake, &hours, &found)?;
    let parse = |text: &str| {
        let path = settings.policy.as_deref().unwrap_or("policy.toml".as_ref());
        let name = format!("{} with the change", path.display());
        Policy::parse(&name, text, &|pin| policy_file::pinned(path, pin))
    };
    let judged = policy.as_ref().map(|(text, policy)| Judged {
        text,
        policy,
        parse: &parse,
    });
    let both = (found.as_slice(), seen.as_slice());
    let networks = network::networks(&lake, &hours, both, config.as_ref(), judged.as_ref())?;
    let mut fixes = Vec::new();
    for ((found, seen), network) in found.into_iter().zip(seen).zip(networks) {
        let until = days_after(found.finding.last_seen, DAYS);
        let (in_policy, mute) = match &judged {
            None => (None, None),
            Some(judged) => (
                Some(judged.in_policy(&found, &seen, config.as_ref(), &until)),
                Some(mute(
                    &found.finding,
                    judged.policy,
                    judged.text,
                    &until,
                    judged.parse,
                )),
            ),
        };
        fixes.push(Fix {
            found,
            seen,
            network,
            policy: in_policy,
            mute,
        });
    }
    let asked = [settings.since, settings.until];
    let notes = over::widened_of(asked).into_iter().collect();
    Ok(Fixes {
        lake: settings.lake.clone(),
        policy: policy.as_ref().map(|(_, policy)| PolicyName::of(policy)),
        config,
        fixes,
        notes,
    })
}

/// The policy that judged.
struct Judged<'a> {
    text: &'a str,
    policy: &'a Policy,
    parse: &'a dyn Fn(&str) -> Result<Policy, PolicyErrors>,
}

impl<'a> Judged<'a> {
    fn network(&self, name: &str) -> Option<NetworkId> {
        let mut networks = self.policy.networks();
        networks.find(|network| self.policy.network_name(*network) == name)
    }

    /// What a configuration holds of the VPCs that the network of a finding sees: its own, and those connected to it.
    fn in_sight(&self, config: &Config, found: &Found) -> Config {
        let of_finding = self.network(&found.finding.network);
        config.of_vpcs(|vpc| {
            // What is only planned has no id that a policy could list.
            let id = is_known(&vpc.id).then_some(vpc.id.as_str());
            let (account, region) = (vpc.account.as_deref(), vpc.region.as_deref());
            let of_vpc = self.policy.network_of(id, account, region);
            of_finding
                .zip(of_vpc)
                .is_some_and(|(one, other)| self.policy.are_in_sight(one, other))
        })
    }

    /// Whether the network of a finding sees what is of another.
    fn sees(&self, found: &Found, network: &str) -> bool {
        let networks = [&found.finding.network, network].map(|name| self.network(name));
        match networks {
            [Some(one), Some(other)] => self.policy.are_in_sight(one, other),
            _ => false,
        }
    }

    /// What it says of what may go between two addresses, as the network of a finding sees them when it was last seen.
    fn between(&self, found: &Found) -> Option<PortsBetween<'a>> {
        let network = self.network(&found.finding.network)?;
        Some(PortsBetween::new(
            self.policy,
            network,
            found.finding.last_seen,
        ))
    }

    fn in_policy(
        &self,
        found: &Found,
        seen: &Seen,
        config: Option<&Config>,
        until: &str,
    ) -> InPolicy {
        let finding = &found.finding;
        if finding.kind.is_detected() {
            let advice = advice(finding.kind.as_str()).unwrap_or_default();
            return InPolicy::Advice(advice);
        }
        if finding.kind == Kind::Overblocked {
            return InPolicy::Permits;
        }
        let Some(network) = self.network(&finding.network) else {
            return InPolicy::NoNetwork;
        };
        if seen.edges.is_empty() {
            return InPolicy::NoEdges;
        }
        match finding.kind {
            Kind::Unproven => InPolicy::Evidence(missing(self.policy, network, &seen.edges)),
            Kind::Unassigned => {
                let subjects = [&finding.client.subject, &finding.server.subject];
                let addr = subjects.iter().find_map(|subject| subject.parse().ok());
                let Some(addr) = addr else {
                    return InPolicy::NoEdges;
                };
                // An edge tells where one inside end lives, which may be the other one.
                let is_its = seen.edges.iter().all(|edge| {
                    edge.client_addr == addr && !self.is_inside(&edge.server_zone)
                        || edge.server_addr == addr
                });
                let subnet = finding.subnet_id.as_deref().filter(|_| is_its);
                let placed = place(
                    (addr, subnet, finding.last_seen),
                    (self.policy, network, self.text),
                    config,
                    self.parse,
                );
                InPolicy::Place(placed)
            }
            _ => InPolicy::Permit(permit(&Asked {
                finding,
                edges: &seen.edges,
                policy: self.policy,
                text: self.text,
                parse: self.parse,
                network,
                until,
            })),
        }
    }

    fn is_inside(&self, zone: &str) -> bool {
        let zone = self.policy.zone_named(zone);
        zone.is_some_and(|zone| self.policy.zone_kind(zone).is_inside())
    }
}

/// The day so many days after an instant (seconds since 1970), as TOML writes it.
fn days_after(instant: u32, days: u32) -> String {
    let seconds = i64::from(instant) + i64::from(days) * 86_400;
    let time =
        jiff::Timestamp::from_second(seconds).expect("32 bits of seconds and a month are in range");
    time.strftime("%Y-%m-%d").to_string()
}
