//! What is planted: connections that break `policies/sec-003.toml`, and the findings that must come of them.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use super::SLOT_SECS;
use super::breach;
use super::connection::{Connection, End, ICMP, Route};
use super::fleet::{Fleet, Role};
use super::flowlog::FlowLogs;

/// A finding that a scan must report: a line of `planted.ndjson`.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Planted {
    /// What was done, for people.
    pub what: &'static str,
    /// The finding's kind.
    pub kind: &'static str,
    /// The finding's severity.
    pub severity: &'static str,
    /// The verdict of its connections.
    pub verdict: &'static str,
    /// The client's subject; empty where the finding is not about one.
    pub client: String,
    /// The server's subject; empty where the finding is not about one.
    pub server: String,
    /// The server's port; null where the protocol has none.
    pub server_port: Option<u16>,
    /// IANA protocol number.
    pub protocol: u8,
    /// The rule that decides.
    pub rule: Cow<'static, str>,
    /// How many connections, each counted once per slot.
    pub connections: u32,
}

/// All that is planted: the findings, and the connections that they come of.
pub(super) struct Plants {
    pub planted: Vec<Planted>,
    pub connections: Vec<Connection>,
}

/// What a finding says: kind, severity, verdict, rule.
pub(super) type Says = (&'static str, &'static str, &'static str, &'static str);

/// Everything planted in a run of so many slots from `first`. `focus` is the slot in which one of the logs is Parquet.
pub(super) fn plant(fleet: &Fleet, logs: &FlowLogs, first: u32, slots: u32, focus: u32) -> Plants {
    let mut bed = Bed::new(fleet, logs, first, slots);
    breach::sow_all(&mut bed, focus);
    bed.finish()
}

/// Where things are planted: slot after slot.
pub(super) struct Bed<'a> {
    pub fleet: &'a Fleet,
    pub logs: &'a FlowLogs,
    first: u32,
    slots: u32,
    pub slot: u32,
    plants: Plants,
}

impl<'a> Bed<'a> {
    /// A bed in which nothing is planted yet, of a run of so many slots from `first`.
    pub(super) fn new(fleet: &'a Fleet, logs: &'a FlowLogs, first: u32, slots: u32) -> Bed<'a> {
        Bed {
            fleet,
            logs,
            first,
            slots,
            slot: 1 % slots,
            plants: Plants {
                planted: Vec::new(),
                connections: Vec::new(),
            },
        }
    }

    /// All that was planted.
    pub(super) fn finish(self) -> Plants {
        self.plants
    }

    /// An inside end with a client's port, another one for each finding.
    pub(super) fn client(&self, role: Role, zone: usize, number: usize) -> End {
        self.server(role, zone, number, 45000 + self.plants.planted.len() as u16)
    }

    pub(super) fn server(&self, role: Role, zone: usize, number: usize, port: u16) -> End {
        let hosts = self.fleet.hosts(role, zone);
        End::inside(self.fleet, hosts[number % hosts.len()], false, port)
    }

    pub(super) fn nat(&self, zone: usize) -> Route {
        Route::Nat {
            gateway: self.fleet.hosts(Role::Nat, zone)[0],
            port: 20000 + self.plants.planted.len() as u16,
        }
    }

    /// A connection in the midst of the current slot.
    pub(super) fn established(&self, client: End, server: End) -> Connection {
        let start = self.first + self.slot * SLOT_SECS + 90 + self.plants.planted.len() as u32;
        Connection::tcp(client, server, (start, start + 25))
    }

    /// Says that the last finding's client has a finding of its own, being in no tier: about the address alone.
    pub(super) fn sow_stranger(&mut self, what: &'static str) {
        let last = self
            .plants
            .planted
            .last()
            .expect("something was planted before")
            .clone();
        self.plants.planted.push(Planted {
            what,
            kind: "unassigned",
            severity: "low",
            server: String::new(),
            server_port: None,
            protocol: 0,
            rule: Cow::Borrowed(""),
            ..last
        });
    }

    /// Plants these connections as one finding, and goes on to another slot.
    pub(super) fn sow(
        &mut self,
        what: &'static str,
        says: Says,
        outside: &str,
        connections: &[Connection],
    ) {
        let planted = self.finding(what, says, outside, connections);
        self.expect(planted);
        self.play(connections);
        self.slot = (self.slot + 5) % self.slots;
    }

    /// Lets these connections happen.
    pub(super) fn play(&mut self, connections: &[Connection]) {
        self.plants.connections.extend_from_slice(connections);
    }

    /// Says that this finding must be reported.
    pub(super) fn expect(&mut self, planted: Planted) -> &mut Planted {
        self.plants.planted.push(planted);
        self.plants
            .planted
            .last_mut()
            .expect("a finding was added just now")
    }

    /// The finding of these connections. The outside end's subject is `outside`; an inside end's is its workload, where a flow
    /// log names it, or its address.
    pub(super) fn finding(
        &self,
        what: &'static str,
        (kind, severity, verdict, rule): Says,
        outside: &str,
        connections: &[Connection],
    ) -> Planted {
        let subject = |end: End| match end.interface.map(|index| &self.fleet.interfaces[index]) {
            None => outside.to_owned(),
            Some(interface) => interface
                .workload()
                .filter(|_| self.logs.name_workloads(interface, self.slot))
                .map_or_else(|| end.addr.to_string(), str::to_owned),
        };
        let one = connections[0];
        let slots_of = |connection: &Connection| {
            let slot = |at: u32| ((at - self.first) / SLOT_SECS).min(self.slots - 1);
            slot(connection.end) - slot(connection.start) + 1
        };
        Planted {
            what,
            kind,
            severity,
            verdict,
            client: subject(one.client),
            server: subject(one.server),
            server_port: (one.protocol != ICMP).then_some(one.server.port),
            protocol: one.protocol,
            rule: Cow::Borrowed(rule),
            connections: connections.iter().map(slots_of).sum(),
        }
    }
}

/// An end outside.
pub(super) fn outside(addr: &str, port: u16) -> End {
    let addr: IpAddr = addr.parse().expect("planted addresses are well formed");
    End::outside(addr, port)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fleet::Scale;
    use super::*;

    #[test]
    fn every_planted_finding_is_one_of_its_own() {
        let fleet = Fleet::new(Scale {
            etl: 5,
            vector_service: 3,
            worker: 6,
            vector_db: 3,
            warehouse: 4,
        });
        let plants = plant(&fleet, &FlowLogs::mixed(12), 0, 24, 12);
        let keys: BTreeSet<_> = plants
            .planted
            .iter()
            .map(|planted| {
                (
                    planted.kind,
                    &planted.client,
                    &planted.server,
                    planted.server_port,
                    planted.protocol,
                    &planted.rule,
                )
            })
            .collect();
        assert_eq!(keys.len(), plants.planted.len());
        assert!(
            plants
                .planted
                .iter()
                .any(|planted| planted.connections == 3)
        );
    }
}
