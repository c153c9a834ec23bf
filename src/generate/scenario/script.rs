//! What is written into the day of a scenario: connections at a time of day, and what a detector must find of them.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use super::super::connection::{Connection, End, Route};
use super::super::fleet::{PROD, Role};
use super::super::plant::{Bed, Planted, Plants};
use super::super::roster::Roster;
use super::Scenario;

/// The first port of clients: each connection has another one.
const FIRST_PORT: u16 = 33_000;

/// The day, as far as it is written.
pub(super) struct Script<'a> {
    bed: Bed<'a>,
    scenario: Scenario,
    /// When the day begins, seconds since 1970.
    midnight: u32,
    next_port: u16,
}

impl<'a> Script<'a> {
    /// A day that begins at `midnight`, seconds since 1970.
    pub(super) fn new(bed: Bed<'a>, scenario: Scenario, midnight: u32) -> Script<'a> {
        Script {
            bed,
            scenario,
            midnight,
            next_port: FIRST_PORT,
        }
    }

    /// All that was written.
    pub(super) fn finish(self) -> Plants {
        self.bed.finish()
    }

    /// A time of the day, seconds since 1970.
    pub(super) fn at(&self, hour: u32, minute: u32) -> u32 {
        self.midnight + hour * 3600 + minute * 60
    }

    /// An inside end with a client's port.
    pub(super) fn client(&mut self, role: Role, zone: usize, number: usize) -> End {
        let port = self.port();
        self.server(role, zone, number, port)
    }

    /// An inside end with this port.
    pub(super) fn server(&self, role: Role, zone: usize, number: usize, port: u16) -> End {
        self.bed.server(role, zone, number, port)
    }

    /// The first host of the role that is on duty in the slot.
    pub(super) fn on_duty(&self, slot: u32, role: Role, zone: usize, port: u16) -> End {
        let hosts = Roster::Day { slot }.hosts(self.bed.fleet, role, zone);
        End::inside(self.bed.fleet, hosts[0], false, port)
    }

    /// The end with this address of the VPC: an interface's, if one has it.
    pub(super) fn at_address(&self, addr: Ipv4Addr, port: u16) -> End {
        let interfaces = &self.bed.fleet.interfaces;
        let found = interfaces
            .iter()
            .position(|interface| *interface.vpc == PROD && interface.v4 == addr);
        match found {
            Some(index) => End::inside(self.bed.fleet, index, false, port),
            None => End::outside(addr.into(), port),
        }
    }

    /// The way out through the zone's NAT gateway, from a port of its own.
    pub(super) fn nat(&mut self, zone: usize) -> Route {
        let gateway = self.gateway(zone);
        let port = self.port();
        Route::Nat { gateway, port }
    }

    /// The zone's NAT gateway, as an index.
    pub(super) fn gateway(&self, zone: usize) -> usize {
        self.bed.fleet.hosts(Role::Nat, zone)[0]
    }

    /// A port that nothing else in the script has.
    pub(super) fn port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    /// Lets something happen of which nothing is to be found.
    pub(super) fn play(&mut self, connection: Connection) {
        self.bed.play(&[connection]);
    }

    /// Lets these connections, of which there is at least one, happen, and says that the scenario's detector must find them.
    /// The subjects are those of the first connection's ends; that of an outside end is `outside`.
    pub(super) fn attack(
        &mut self,
        what: &'static str,
        outside: &str,
        connections: &[Connection],
    ) -> &mut Planted {
        let says = (self.scenario.as_str(), self.scenario.severity(), "", "");
        let planted = self.bed.finding(what, says, outside, connections);
        self.bed.play(connections);
        self.bed.expect(planted)
    }

    /// Says that the scenario's detector must find what a flow log lacks: its id stands in the client's place.
    pub(super) fn lacking(&mut self, what: &'static str, log: usize) {
        let planted = Planted {
            what,
            kind: self.scenario.as_str(),
            severity: self.scenario.severity(),
            verdict: "",
            client: format!("flow log {}", self.bed.logs.logs[log].id),
            server: String::new(),
            server_port: None,
            protocol: 0,
            rule: Cow::Borrowed(""),
            connections: 0,
        };
        self.bed.expect(planted);
    }
}

/// A TCP connection that begins at `start`, seconds since 1970, and lasts so many seconds.
pub(super) fn tcp(client: End, server: End, start: u32, seconds: u32) -> Connection {
    Connection::tcp(client, server, (start, start + seconds))
}
