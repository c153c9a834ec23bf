//! Where traffic is made: the chances, hosts and times that its kinds draw on.

use super::connection::{Connection, End, Life, Straggler};
use super::dice::Dice;
use super::fleet::{Fleet, Role};
use super::roster::Roster;
use super::{Pace, SLOT_SECS};

/// Where a slot's traffic is made.
pub(super) struct Stage<'a> {
    pub fleet: &'a Fleet,
    /// Who of the fleet is on duty.
    pub roster: Roster,
    /// Whether flow logs lack so much that no connection may depend on what a single one of them says.
    pub has_gaps: bool,
    pub dice: &'a mut Dice,
    /// The slot's beginning, seconds since 1970.
    pub from: u32,
    /// Whether the run begins with this slot, so that connections may be open already.
    pub is_first: bool,
    pub pace: Pace,
    /// Whether IPv6 is wanted, where the kind can have it.
    pub v6: bool,
    /// What happened.
    pub connections: Vec<Connection>,
    /// What came too late.
    pub stragglers: Vec<Straggler>,
}

/// How long something takes.
#[derive(Clone, Copy)]
pub(super) enum Length {
    /// A second or two.
    Moment,
    /// Usually less than a minute, sometimes a few.
    Request,
    /// Minutes.
    Session,
    /// Up to more than an hour.
    Standing,
}

impl Stage<'_> {
    /// A host of this role in the zone.
    pub(super) fn host(&mut self, role: Role, zone: usize) -> usize {
        self.dice.pick(self.roster.hosts(self.fleet, role, zone))
    }

    /// A vector database of the zone that answers searches.
    pub(super) fn database(&mut self, zone: usize) -> usize {
        self.dice.pick(self.roster.databases(self.fleet, zone))
    }

    /// One of the two zones.
    pub(super) fn zone(&mut self) -> usize {
        self.dice.below(2) as usize
    }

    /// A client's end with a port that its kind of host uses.
    pub(super) fn client(&mut self, host: usize) -> End {
        let low = self.fleet.interfaces[host].has_low_ports();
        let port = if low {
            self.dice.between(1024, 65535)
        } else {
            self.dice.between(32768, 60999)
        };
        End::inside(self.fleet, host, self.v6, port as u16)
    }

    /// A server's end.
    pub(super) fn server(&self, host: usize, port: u16) -> End {
        End::inside(self.fleet, host, self.v6, port)
    }

    /// First and last packet.
    pub(super) fn times(&mut self, length: Length) -> (u32, u32) {
        if let Pace::Windows(windows) = self.pace {
            let last = SLOT_SECS / 60 - windows;
            let minute = self.from + 60 * self.dice.between(0, last);
            let start = minute + self.dice.between(0, 29);
            return (
                start,
                minute + 60 * (windows - 1) + self.dice.between(30, 59),
            );
        }
        let start = self.from + self.dice.between(0, SLOT_SECS - 1);
        let duration = match length {
            Length::Moment => self.dice.between(0, 2),
            Length::Request if self.dice.percent(85) => self.dice.between(0, 40),
            Length::Request => self.dice.between(40, 240),
            Length::Session => self.dice.between(120, 900),
            Length::Standing => self.dice.between(900, 4800),
        };
        (start, start + duration)
    }

    /// A TCP connection between inside hosts.
    pub(super) fn tcp(
        &mut self,
        client: usize,
        server: usize,
        port: u16,
        length: Length,
    ) -> Connection {
        let (client, server) = (self.client(client), self.server(server, port));
        let (mut sent, received) = (self.dice.size(400), self.dice.size(900));
        let times = self.times(length);
        if matches!(length, Length::Standing) {
            // Logs and replicas flow all the time.
            sent += u64::from(times.1 - times.0) * 300;
        }
        let life = if self.dice.percent(8) {
            Life::Reset
        } else {
            Life::Whole
        };
        Connection {
            life,
            ..Connection::tcp(client, server, times).moving(sent, received)
        }
    }

    /// Lets a connection happen; once in a while a packet comes after its end.
    pub(super) fn play(&mut self, connection: Connection) {
        self.connections.push(connection);
        if !self.dice.percent(2) {
            return;
        }
        let from_client = self.dice.percent(30);
        let (least, flags) = if from_client {
            (350, 0)
        } else {
            (4, self.dice.pick(&[0, 1, 4]))
        };
        let at = connection.end + least + self.dice.between(0, 200);
        self.stragglers.push(Straggler {
            connection,
            from_client,
            at,
            flags,
        });
    }

    /// A host of app and the zone that it is in.
    pub(super) fn app_host(&mut self, roles: &[Role]) -> (usize, usize) {
        let (role, zone) = (self.dice.pick(roles), self.zone());
        (self.host(role, zone), zone)
    }
}
