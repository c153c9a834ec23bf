//! A policy drafted from a network's configuration: what its security groups and network ACLs permit, written down for
//! people to judge. No I/O.
//!
//! A connection between two interfaces is permitted if a group of the client lets it out **and** a group of the server lets
//! it in; one with the outside needs the one group only. So a draft's rules come from pairs of rules. What a network ACL
//! refuses becomes a deny. What neither language has in common is listed at the end of the draft.
//!
//! `names` makes names; `network` and `place` say where things are, `member` who carries which group, `let_out` what that lets
//! out to whom; `pair` and `rule` make the allows, `acl` the denies; `sheet` holds what is to be written, `write` writes it.

mod acl;
mod let_out;
mod member;
mod names;
mod network;
mod pair;
mod place;
mod ports;
mod rule;
mod sheet;
mod write;

use crate::config::{Config, EndpointKind};
use crate::policy::{Policy, PolicyErrors};

pub use write::quoted;

use network::Network;
use place::Places;
use sheet::Sheet;

/// What a draft is made by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the draft says it was made from.
    pub origin: String,
    /// The tag of subnets that names their tier; case does not matter.
    pub tier_tag: String,
    /// Tags of subnets that become labels.
    pub label_tags: Vec<String>,
}

/// A policy file, and what it leaves out.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The file.
    pub text: String,
    /// What could not be carried over, as it stands at the end of the file.
    pub left_out: Vec<String>,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// Nothing says which addresses are inside.
    #[error("nothing in the input says what addresses a VPC has")]
    NoNetwork,
    /// The draft is no policy: it is beyond a bound of the language, or the program is wrong.
    #[error("the draft is no valid policy:\n{0}")]
    Invalid(PolicyErrors),
}

/// Drafts a policy. The same configuration gives the same text.
///
/// # Errors
/// When no VPC has an address, and when what was written is no policy.
pub fn draft(config: &Config, settings: &Settings) -> Result<Draft, DraftError> {
    let mut sheet = Sheet::default();
    let mut places = Places::new();
    let networks = network::networks(config, settings, &mut places, &mut sheet);
    if networks.is_empty() {
        return Err(DraftError::NoNetwork);
    }
    let mut carriers = Vec::new();
    for network in &networks {
        carriers.push(member::carriers(config, network, &mut places, &mut sheet));
    }
    for (network, carriers) in networks.iter().zip(&carriers) {
        pair::allows(config, network, carriers, &mut places, &mut sheet);
        acl::denies(config, network, &networks, &mut places, &mut sheet);
        endpoints(config, network, &mut places, &mut sheet);
        nat(config, network, &mut sheet);
    }
    places.finish(&mut sheet);
    for gap in &config.gaps {
        sheet.note(format!("{}: {}", gap.about, gap.what));
    }
    let is_fully_known = networks.iter().all(|network| network.is_fully_known);
    let text = write::file(&sheet, settings, is_fully_known);
    let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    Policy::parse("draft", &text, &no_files).map_err(DraftError::Invalid)?;
    Ok(Draft {
        text,
        left_out: sheet.notes.into_iter().collect(),
    })
}

/// Interface endpoints are groups; gateway endpoints are paths, which the draft does not ask for.
fn endpoints(config: &Config, network: &Network<'_>, places: &mut Places, sheet: &mut Sheet) {
    let of_network = |vpc: &Option<String>| vpc.as_deref() == Some(network.id.as_str());
    for endpoint in config.endpoints.iter().filter(|one| of_network(&one.vpc)) {
        let id = &endpoint.id;
        let service = names::service(&endpoint.service);
        match endpoint.kind {
            EndpointKind::Gateway => sheet.note(format!(
                "{id}: a gateway endpoint to {service}; add via = [\"gateway-endpoint\"] to what should go through it only"
            )),
            EndpointKind::Interface | EndpointKind::Other => {
                let cidrs = network.held(&endpoint.addrs);
                if cidrs.is_empty() {
                    sheet.note(format!("{id}: the addresses of this endpoint ({service}) are not in the input"));
                } else {
                    let name = format!("{service}-endpoint");
                    places.group_of(network, &name, cidrs, &format!("{id}, {}", endpoint.service));
                }
            }
        }
    }
}

/// NAT gateways carry the flows of others.
fn nat(config: &Config, network: &Network<'_>, sheet: &mut Sheet) {
    let is_here = |vpc: &Option<String>| vpc.as_deref() == Some(network.id.as_str());
    for nat in config.nats.iter().filter(|nat| is_here(&nat.vpc)) {
        if nat.addrs.is_empty() {
            sheet.note(format!("{}: the address of this NAT gateway is not in the input; it is recognised by its own records", nat.id));
        }
        sheet.nat.extend(&nat.addrs);
    }
    for interface in config.interfaces.iter().filter(|one| is_here(&one.vpc)) {
        if interface.kind.as_deref() == Some("nat_gateway") {
            sheet.nat.extend(&interface.addrs);
        }
    }
}
