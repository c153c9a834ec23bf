//! `tidegate policy explain`: how the policy decides on a flow, or how a record of a log is judged.

mod json;
mod ladder;
mod record;
mod text;

use std::path::PathBuf;

use clap::Args;

use crate::app::error::ScanError;
use crate::app::policy_file;
use crate::app::resolver;
use crate::app::settings::{DEFAULT_HORIZON, MAX_HORIZON};
use crate::cli::units::{self, When};
use crate::cli::{Exit, say};
use crate::net::{Addr, protocol};
use crate::policy::{Decision, Flow, FlowExplanation, NetworkId, Policy};

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    /// The policy file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Who opened the connection: an address, its port if you like: 10.0.32.5, [2001:db8::1]:41022.
    #[arg(value_name = "CLIENT[:PORT]", required_unless_present = "record", value_parser = client)]
    client: Option<Addr>,

    /// Who was asked, on which port and by which protocol: 10.0.64.20:443/tcp, 10.0.64.20/icmp.
    #[arg(value_name = "SERVER:PORT/PROTOCOL", required_unless_present = "record", value_parser = server)]
    server: Option<Server>,

    /// When: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d; default: now.
    #[arg(long, value_name = "TIME", value_parser = units::when)]
    at: Option<When>,

    /// The network from which the flow is seen; default: the first by name that holds one of its ends.
    #[arg(long, value_name = "NAME")]
    network: Option<String>,

    /// Instead of a flow, explain the judgement of this record: a file or s3://bucket/key and a line, or a row of Parquet: logs/a.log.gz:17.
    #[arg(long, value_name = "SOURCE:LINE", conflicts_with_all = ["client", "server", "at", "network"], value_parser = record)]
    record: Option<RecordPlace>,

    /// Where the logs of the record's slot and of the hour before it lie; default: the folder of its object; may be given several times.
    #[arg(long, value_name = "SOURCE", conflicts_with = "client")]
    logs: Vec<String>,

    /// The fields of lines that have no header: '${version} ${account-id} …'.
    #[arg(long, value_name = "FORMAT", conflicts_with = "client")]
    layout: Option<String>,

    /// Slots of five minutes that evidence of a connection's direction is carried over.
    #[arg(long, value_name = "SLOTS", default_value_t = DEFAULT_HORIZON, conflicts_with = "client",
          value_parser = clap::value_parser!(u32).range(0..=MAX_HORIZON as i64))]
    horizon: u32,

    /// Show every rule, those too of which several conditions fail.
    #[arg(long)]
    all: bool,

    /// The format of standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

/// The server of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Server {
    addr: Addr,
    protocol: u8,
    /// 0 where the protocol has no ports.
    port: u16,
}

/// A line of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
struct RecordPlace {
    source: String,
    line: u64,
}

/// Reads an object and a line.
fn record(text: &str) -> Result<RecordPlace, String> {
    let place = text.rsplit_once(':').and_then(|(source, line)| {
        let line = line.parse().ok().filter(|line| *line > 0)?;
        (!source.is_empty()).then(|| RecordPlace {
            source: source.to_owned(),
            line,
        })
    });
    place.ok_or_else(|| "expected an object and a line, like logs/a.log.gz:17".to_owned())
}

/// Reads an address, with or without a port, which no rule looks at.
fn client(text: &str) -> Result<Addr, String> {
    end(text).map(|(addr, _)| addr).ok_or_else(|| {
        "expected an address like 10.0.32.5, 10.0.32.5:41022 or [2001:db8::1]:41022".to_owned()
    })
}

/// Reads an address, its port and a protocol.
fn server(text: &str) -> Result<Server, String> {
    const EXPECTED: &str =
        "expected a server like 10.0.64.20:443/tcp, [2001:db8::1]:53/udp or 10.0.64.20/icmp";
    let (place, name) = text.rsplit_once('/').ok_or(EXPECTED)?;
    let protocol = protocol::number(name)
        .ok_or_else(|| format!("expected a protocol behind the `/`, got `{name}`"))?;
    let (addr, port) = end(place).ok_or(EXPECTED)?;
    match (protocol::has_ports(protocol), port) {
        (true, Some(port)) => Ok(Server {
            addr,
            protocol,
            port,
        }),
        (false, None) => Ok(Server {
            addr,
            protocol,
            port: 0,
        }),
        (true, None) => Err(format!("expected a port before `/{name}`")),
        (false, Some(_)) => Err(format!("expected no port before `/{name}`, which has none")),
    }
}

fn end(text: &str) -> Option<(Addr, Option<u16>)> {
    if let Ok(addr) = text.parse() {
        return Some((addr, None));
    }
    let with_port: std::net::SocketAddr = text.parse().ok()?;
    Some((Addr::from_ip(with_port.ip()), Some(with_port.port())))
}

pub(super) fn run(args: &ExplainArgs) -> Exit {
    explain(args).unwrap_or_else(|error| say::failure(&error))
}

fn explain(args: &ExplainArgs) -> Result<Exit, ScanError> {
    let policy = policy_file::load(&args.file)?;
    match (&args.record, args.client, args.server) {
        (Some(place), ..) => record::explain(args, &policy, place),
        (None, Some(client), Some(server)) => explain_flow(args, &policy, client, server),
        // clap has asked for one of the two before.
        (None, ..) => Ok(Exit::Usage),
    }
}

fn explain_flow(
    args: &ExplainArgs,
    policy: &Policy,
    client: Addr,
    server: Server,
) -> Result<Exit, ScanError> {
    let network = args
        .network
        .as_deref()
        .map(|name| network_named(policy, name))
        .transpose()?;
    let now = units::now();
    let at = args.at.map_or(now, |at| at.resolve(now));
    // Nobody asks for the name of what is inside.
    let is_outside = policy.networks_holding(&[server.addr]).next().is_none();
    let names = match is_outside {
        true => resolver::look_up_at(policy, &args.file, at)?,
        false => None,
    };
    let read = say::resolver(&names);
    let flow = Flow {
        client,
        server: server.addr,
        protocol: server.protocol,
        server_port: server.port,
        at: i64::from(at),
    };
    let about = policy.explain_flow(network, &flow);
    let told = Told {
        policy,
        flow,
        opposite: opposite(policy, about.network, &flow),
        about,
        shows_all: args.all,
    };
    let printed = say::printed(&match args.format.as_str() {
        "json" => format!("{:#}\n", json::value(&told)),
        _ => text::render(&told),
    });
    Ok(Exit::most_urgent([printed, read]))
}

/// How the policy decides on the opposite direction, where `scan` may not know who started and one allowed direction is
/// enough: protocols without ports, and symmetric services.
fn opposite(policy: &Policy, network: NetworkId, flow: &Flow) -> Option<Decision> {
    let one_is_enough =
        !protocol::has_ports(flow.protocol) || policy.is_symmetric(flow.protocol, flow.server_port);
    one_is_enough.then(|| {
        let opposite = Flow {
            client: flow.server,
            server: flow.client,
            ..*flow
        };
        let about = policy.explain_flow(Some(network), &opposite);
        about.explanation.decision
    })
}

fn network_named(policy: &Policy, name: &str) -> Result<NetworkId, ScanError> {
    let mut networks = policy.networks();
    let found = networks.find(|network| policy.network_name(*network) == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = policy
            .networks()
            .map(|network| policy.network_name(network))
            .collect();
        ScanError::Usage {
            message: format!("the policy has no network `{name}`"),
            hint: Some(format!("it has {}", known.join(", "))),
        }
    })
}

/// What is told of a flow.
struct Told<'p> {
    policy: &'p Policy,
    flow: Flow,
    about: FlowExplanation<'p>,
    /// The decision on the opposite direction, where one allowed direction is enough; none of a record, whose judgement
    /// asks for it itself.
    opposite: Option<Decision>,
    /// Whether rules are shown of which several conditions fail.
    shows_all: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_an_address_a_port_and_a_protocol() {
        fn check(text: &str, expected: &str) {
            let found = match server(text) {
                Ok(server) => format!("{} {} {}", server.addr, server.protocol, server.port),
                Err(error) => error,
            };
            assert!(found.contains(expected), "{text}: {found}");
        }
        check("10.0.64.20:443/tcp", "10.0.64.20 6 443");
        check("[2001:db8::1]:53/UDP", "2001:db8::1 17 53");
        check("2001:db8::1/icmpv6", "2001:db8::1 58 0");
        check("10.0.64.20/50", "10.0.64.20 50 0");
        check("10.0.64.20/tcp", "expected a port before `/tcp`");
        check("10.0.64.20:8/icmp", "expected no port before `/icmp`");
        check("10.0.64.20:443", "expected a server like");
        check("10.0.64.20:443/tpc", "expected a protocol");
        check("host:443/tcp", "expected a server like");
    }

    #[test]
    fn a_record_is_an_object_and_a_line() {
        let place = |source: &str, line| {
            Ok(RecordPlace {
                source: source.to_owned(),
                line,
            })
        };
        assert_eq!(record("logs/a.log.gz:17"), place("logs/a.log.gz", 17));
        assert_eq!(
            record("s3://b/k_T0600Z.gz:1"),
            place("s3://b/k_T0600Z.gz", 1)
        );
        for wrong in ["logs/a.log.gz", "logs/a.log.gz:0", ":17", "a:b", "s3://b/k"] {
            assert!(record(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_clients_port_may_be_given() {
        let addr: Addr = "2001:db8::1".parse().expect("an address");
        for text in ["2001:db8::1", "[2001:db8::1]:41022"] {
            assert_eq!(client(text), Ok(addr));
        }
        assert!(client("10.0.32.5/24").is_err());
        assert!(client("host").is_err());
    }
}
