//! Protocol and ports of a rule, as security groups and network ACLs write them.

use std::fmt;

use crate::net::ports::PortRange;
use crate::net::protocol;

/// Protocol and ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Traffic {
    /// None is everything.
    pub ports: Option<PortRange>,
    /// The type and code of ICMP where only those are meant; no code is every code.
    pub icmp: Option<(u8, Option<u8>)>,
}

impl Traffic {
    /// Everything.
    pub const ALL: Traffic = Traffic {
        ports: None,
        icmp: None,
    };

    /// Reads what security groups say: a protocol's name or number (`-1` and `all` are everything), and two numbers that
    /// are ports, or type and code of ICMP (-1 or none is all). Only TCP and UDP have ports here: of other protocols AWS lets
    /// all through, whatever ports are given (*EC2 API Reference*, `IpPermission`).
    ///
    /// # Errors
    /// What was expected.
    pub fn read(protocol: &str, from: Option<i64>, to: Option<i64>) -> Result<Traffic, String> {
        if matches!(protocol, "-1" | "all") {
            return Ok(Traffic::ALL);
        }
        let number = protocol::number(protocol)
            .ok_or_else(|| format!("expected a protocol's name or number, got `{protocol}`"))?;
        let given = |value: Option<i64>| value.filter(|value| *value != -1);
        if protocol::is_icmp(number) {
            let byte = |value: i64, what: &str| {
                u8::try_from(value).map_err(|_| format!("expected an ICMP {what}, got {value}"))
            };
            let kind = given(from).map(|value| byte(value, "type")).transpose()?;
            let code = given(to).map(|value| byte(value, "code")).transpose()?;
            return Ok(Traffic {
                ports: Some(whole(number)),
                icmp: kind.map(|kind| (kind, code)),
            });
        }
        // Of all others AWS lets everything through, whatever ports are given.
        let has_ports = matches!(number, protocol::TCP | protocol::UDP);
        if !has_ports || (given(from), given(to)) == (None, None) {
            return Ok(Traffic {
                ports: Some(whole(number)),
                icmp: None,
            });
        }
        let port = |value: Option<i64>, open: u16| {
            given(value).map_or(Ok(open), |value| {
                u16::try_from(value).map_err(|_| format!("expected a port, got {value}"))
            })
        };
        let (first, last) = (port(from, 0)?, port(to, u16::MAX)?);
        if first > last {
            return Err(format!("expected ports in order, got {first} to {last}"));
        }
        Ok(Traffic {
            ports: Some(PortRange {
                protocol: number,
                first,
                last,
            }),
            icmp: None,
        })
    }
}

impl Traffic {
    /// The codes of a protocol that it names, first and last included; none if it does not name the protocol. A code is a
    /// port; of ICMP 256 times the type and the code; of other protocols 0.
    pub fn codes(&self, protocol: u8) -> Option<(u16, u16)> {
        let Some(ports) = self.ports else {
            return Some((0, u16::MAX));
        };
        if ports.protocol != protocol {
            return None;
        }
        Some(match self.icmp {
            Some((kind, code)) => {
                let first = u16::from(kind) << 8 | u16::from(code.unwrap_or(0));
                (first, first | code.map_or(0xff, |_| 0))
            }
            None if protocol::is_icmp(protocol) => (0, u16::MAX),
            None => (ports.first, ports.last),
        })
    }

    /// Whether it names a code of a protocol, as [`Traffic::codes`] has them.
    pub fn covers(&self, protocol: u8, code: u16) -> bool {
        self.codes(protocol)
            .is_some_and(|(first, last)| (first..=last).contains(&code))
    }
}

/// `everything`, `tcp/443`, `icmp type 3 code 4`.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ports {
            None => f.write_str("everything")?,
            Some(ports) => ports.fmt(f)?,
        }
        match self.icmp {
            None => Ok(()),
            Some((kind, None)) => write!(f, " type {kind}"),
            Some((kind, Some(code))) => write!(f, " type {kind} code {code}"),
        }
    }
}

/// All of a protocol.
fn whole(protocol: u8) -> PortRange {
    PortRange {
        protocol,
        first: 0,
        last: if protocol::has_ports(protocol) {
            u16::MAX
        } else {
            0
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_read_as_aws_means_it() {
        fn check(protocol: &str, from: Option<i64>, to: Option<i64>, expected: &str) {
            let found = match Traffic::read(protocol, from, to) {
                Ok(Traffic { ports: None, .. }) => "everything".to_owned(),
                Ok(Traffic {
                    ports: Some(ports),
                    icmp: None,
                }) => ports.to_string(),
                Ok(Traffic {
                    ports: Some(ports),
                    icmp: Some((kind, code)),
                }) => format!("{ports} {kind} {code:?}"),
                Err(error) => error,
            };
            assert_eq!(found, expected, "{protocol} {from:?} {to:?}");
        }
        check("-1", None, None, "everything");
        check("all", Some(0), Some(0), "everything");
        check("tcp", Some(443), Some(443), "tcp/443");
        check("6", Some(0), Some(65535), "tcp/*");
        check("tcp", None, None, "tcp/*");
        check("udp", Some(-1), Some(-1), "udp/*");
        check("icmp", Some(-1), Some(-1), "icmp");
        check("icmp", Some(8), Some(-1), "icmp 8 None");
        check("icmpv6", Some(128), Some(0), "icmpv6 128 Some(0)");
        check("50", Some(0), Some(0), "esp");
        check(
            "tcp",
            Some(9),
            Some(5),
            "expected ports in order, got 9 to 5",
        );
        check("icmp", Some(300), Some(0), "expected an ICMP type, got 300");
    }
}
