//! What AWS would do with a connection, by a network's configuration: which security groups and network ACLs it passes, and
//! by which of their rules.
//!
//! A connection passes, in this order, the client's security groups outwards, the network ACL of the client's subnet
//! outwards, that of the server's subnet inwards, and the server's security groups inwards; its replies then pass the ACLs
//! once more, the other way, from the server's port to the client's. Security groups know connections, so they do not look at
//! replies; network ACLs do, and see only what leaves a subnet. Any one rule of any one group suffices; of an ACL's entries
//! the first by number decides, and what none matches is denied.
//!
//! Only what groups and ACLs say is looked at. Routes, gateways and public addresses are no part of a [`Config`]: what is let
//! through here need not find a way. Nor does AWS filter what it exempts: its own DNS, DHCP, time, metadata and licence
//! services.
//!
//! Source: AWS, *Amazon VPC User Guide*, "Security group rules", "Network ACL basics" and "Ephemeral ports".
//!
//! [`Permits::ask`] asks for one connection. What is about all ports asks hop by hop: a [`Screen`] is what stands there
//! between two ends, tells what becomes of one **code**, and at which codes that may change. A code is the server's port; of
//! ICMP, whose types and codes rules may name and flow logs do not tell, 256 times the type and the code; of others 0.

mod end;
mod group;
mod screen;
mod told;

#[cfg(test)]
mod tests;

use crate::net::{Addr, protocol};

use super::{Config, Direction};

pub use end::End;
pub use screen::Screen;
pub use told::{Reference, Unknown};

/// Ports from which systems open connections, and so those that replies go to: those of all systems that AWS's guide lists.
pub const EPHEMERAL: (u16, u16) = (1024, u16::MAX);

/// A configuration that is asked.
pub struct Permits<'c> {
    config: &'c Config,
    ends: end::Ends<'c>,
}

/// A connection, as far as it is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection {
    /// Who opens it.
    pub client: Addr,
    /// Who is asked.
    pub server: Addr,
    /// IANA protocol number.
    pub protocol: u8,
    /// The server's port; 0 where the protocol has none.
    pub server_port: u16,
}

/// What a connection passes on its way, and its replies on theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// The client's security groups, outwards.
    ClientGroups,
    /// The network ACL of the client's subnet, outwards.
    ClientAcl,
    /// The network ACL of the server's subnet, inwards.
    ServerAcl,
    /// The server's security groups, inwards.
    ServerGroups,
    /// The network ACL of the server's subnet, outwards, for replies.
    ServerAclReply,
    /// The network ACL of the client's subnet, inwards, for replies.
    ClientAclReply,
}

impl Step {
    /// What a request passes, in order.
    pub const REQUEST: [Step; 4] = [
        Step::ClientGroups,
        Step::ClientAcl,
        Step::ServerAcl,
        Step::ServerGroups,
    ];

    /// What a reply passes, in order.
    pub const REPLY: [Step; 2] = [Step::ServerAclReply, Step::ClientAclReply];
}

/// What becomes of something at one hop.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lets<'c> {
    /// It is let through: by any one of these rules, or by this entry.
    Yes(Vec<Reference<'c>>),
    /// It is not, by this entry, or for want of a rule.
    No(Reference<'c>),
    /// The configuration does not tell, for all of these reasons.
    Unknown(Vec<Unknown<'c>>),
}

/// What becomes of some codes at one hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<'c> {
    /// The lowest code.
    pub first: u16,
    /// The highest code.
    pub last: u16,
    /// What becomes of them.
    pub lets: Lets<'c>,
}

/// A hop of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop<'c> {
    /// What is passed.
    pub step: Step,
    /// What becomes of each code that was asked for, ascending; neighbours differ.
    pub parts: Vec<Part<'c>>,
}

/// How much comes through.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Through {
    /// Everything.
    All,
    /// A part: some types of ICMP; replies to some of the ports that clients use. Of the rest, some may not be known.
    Part,
    /// Nothing.
    Nothing,
    /// What is known comes not through, and not everything is known.
    Unknown,
}

/// What AWS would do with a connection.
#[derive(Clone, Debug)]
pub struct Permit<'c> {
    /// Where the client is.
    pub client: End<'c>,
    /// Where the server is.
    pub server: End<'c>,
    /// The hops of the request that there are, in order.
    pub request: Vec<Hop<'c>>,
    /// The hops of replies that there are, in order; asked for [`EPHEMERAL`] ports of the client.
    pub reply: Vec<Hop<'c>>,
}

impl Permit<'_> {
    /// How much of the request comes through all of its hops. Where there is no hop, because neither end is in the
    /// configuration or both are one, all of it.
    pub fn request(&self) -> Through {
        through(&self.request)
    }

    /// How much of the replies comes through all of their hops.
    pub fn reply(&self) -> Through {
        through(&self.reply)
    }
}

impl<'c> Permits<'c> {
    /// Makes a configuration ready to be asked.
    pub fn new(config: &'c Config) -> Permits<'c> {
        Permits {
            config,
            ends: end::Ends::new(config),
        }
    }

    /// What AWS would do with a connection. Of an address that several VPCs have, the VPC that the other end is in is meant;
    /// if none or several are, nothing is known of it.
    pub fn ask(&self, connection: &Connection) -> Permit<'c> {
        let Connection {
            client,
            server,
            protocol,
            server_port,
        } = *connection;
        let ends = self.ends.of_both([client, server]);
        let asked = if protocol::is_icmp(protocol) {
            codes(protocol)
        } else {
            (server_port, server_port)
        };
        let hops = |steps: &[Step], asked: (u16, u16)| {
            // What an address has for itself passes nothing.
            let steps = steps.iter().filter(|_| !ends[0].is_same(&ends[1]));
            let hops = steps.filter_map(|step| {
                let screen = self.screen(*step, ends.each_ref())?;
                Some(Hop::new(*step, &screen, protocol, asked))
            });
            hops.collect()
        };
        Permit {
            request: hops(&Step::REQUEST, asked),
            reply: hops(&Step::REPLY, reply_codes(protocol)),
            client: ends[0].clone(),
            server: ends[1].clone(),
        }
    }

    /// An address as an end in a VPC, or outside of all if there is none. Whether the VPC has the address is not asked.
    pub fn end(&self, vpc: Option<&str>, addr: Addr) -> End<'c> {
        self.ends.end(vpc, addr)
    }

    /// What stands at a hop between two ends, client and server, as if they were not the same; none where there is no such
    /// hop: outside, and for network ACLs within a subnet. Of replies the code is the client's port.
    pub fn screen(&self, step: Step, ends: [&End<'c>; 2]) -> Option<Screen<'c>> {
        let [client, server] = ends;
        let (inwards, outwards) = (Direction::Ingress, Direction::Egress);
        let stands = match step {
            Step::ClientGroups => self.groups(client, server, outwards),
            Step::ServerGroups => self.groups(server, client, inwards),
            Step::ClientAcl => screen::acl(client, server, outwards),
            Step::ServerAcl => screen::acl(server, client, inwards),
            Step::ServerAclReply => screen::acl(server, client, outwards),
            Step::ClientAclReply => screen::acl(client, server, inwards),
        };
        stands.map(Screen)
    }
}

impl<'c> Hop<'c> {
    /// A hop, asked for a range of codes.
    fn new(step: Step, screen: &Screen<'c>, protocol: u8, (first, last): (u16, u16)) -> Hop<'c> {
        let mut begins: Vec<u16> = screen.cuts(protocol).collect();
        begins.retain(|cut| (first..=last).contains(cut));
        begins.push(first);
        begins.sort_unstable();
        begins.dedup();
        let mut parts: Vec<Part<'c>> = Vec::new();
        for (at, begin) in begins.iter().enumerate() {
            let lets = screen.lets(protocol, *begin);
            let end = begins.get(at + 1).map_or(last, |next| next - 1);
            match parts.last_mut() {
                Some(before) if before.lets == lets => before.last = end,
                _ => parts.push(Part {
                    first: *begin,
                    last: end,
                    lets,
                }),
            }
        }
        Hop { step, parts }
    }
}

/// All codes of a protocol.
pub fn codes(protocol: u8) -> (u16, u16) {
    if protocol::has_ports(protocol) || protocol::is_icmp(protocol) {
        (0, u16::MAX)
    } else {
        (0, 0)
    }
}

/// The codes that replies have: ports that clients use; of ICMP any, because a reply has another type than its request.
pub fn reply_codes(protocol: u8) -> (u16, u16) {
    if protocol::has_ports(protocol) {
        EPHEMERAL
    } else {
        codes(protocol)
    }
}

/// How much comes through all hops, which were asked for the same codes.
fn through(hops: &[Hop<'_>]) -> Through {
    let mut begins: Vec<u16> = hops
        .iter()
        .flat_map(|hop| hop.parts.iter().map(|part| part.first))
        .collect();
    begins.sort_unstable();
    begins.dedup();
    let at = |code: &u16| {
        let lets = hops.iter().map(|hop| {
            let behind = hop.parts.partition_point(|part| part.first <= *code);
            Comes::of(&hop.parts[behind - 1].lets)
        });
        lets.min().unwrap_or(Comes::Through)
    };
    sum(begins.iter().map(at))
}

/// Whether something comes through, in the order in which the worst of several hops decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Comes {
    /// It is stopped.
    Not,
    /// The configuration does not tell.
    Unknown,
    /// It comes through.
    Through,
}

impl Comes {
    /// What becomes of something at a hop, in a word.
    pub fn of(lets: &Lets<'_>) -> Comes {
        match lets {
            Lets::Yes(_) => Comes::Through,
            Lets::No(_) => Comes::Not,
            Lets::Unknown(_) => Comes::Unknown,
        }
    }
}

/// How much comes through, by what becomes of each part; everything if there is none.
pub fn sum(parts: impl IntoIterator<Item = Comes>) -> Through {
    let mut has = [false; 3];
    for comes in parts {
        has[comes as usize] = true;
    }
    let [not, unknown, through] = has;
    match (through, not || unknown) {
        (_, false) => Through::All,
        (true, true) => Through::Part,
        (false, true) if unknown => Through::Unknown,
        (false, true) => Through::Nothing,
    }
}
