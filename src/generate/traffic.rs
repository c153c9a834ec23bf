//! Ordinary traffic: what the VPC does all day, one function per kind. None of it breaks `policies/sec-003.toml`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::connection::{Connection, End, Fate, ICMP, Life, Route};
use super::fleet::Role;
use super::stage::{Length, Stage};

/// A kind of traffic.
pub(super) struct Kind {
    /// How often it happens, relative to the others.
    pub weight: u64,
    /// Whether it can be IPv6.
    pub can_v6: bool,
    /// Makes it happen.
    pub play: fn(&mut Stage<'_>),
}

const fn kind(weight: u64, can_v6: bool, play: fn(&mut Stage<'_>)) -> Kind {
    Kind {
        weight,
        can_v6,
        play,
    }
}

/// Everything that happens in the VPC that the policy is about.
pub(super) const KINDS: &[Kind] = &[
    kind(140, true, viewer_request),
    kind(60, false, api_job),
    kind(70, true, health_check),
    kind(130, true, data_key),
    kind(110, true, vector_write),
    kind(140, true, vector_search),
    kind(60, false, object_store),
    kind(40, false, job_state),
    kind(50, false, package),
    kind(120, false, lookup),
    kind(30, false, clock),
    kind(12, false, audit_log),
    kind(8, false, administration),
    kind(8, false, operator),
    kind(6, false, replication),
    kind(6, false, ping),
    kind(6, false, path_mtu),
];

/// What happens in the second VPC.
pub(super) const SANDBOX: Kind = kind(0, false, sandbox);

/// A request comes from CloudFront to a load balancer, which asks an ETL host of either zone.
fn viewer_request(stage: &mut Stage<'_>) {
    let (near, far) = (stage.zone(), stage.zone());
    let balancer = stage.host(Role::LoadBalancer, near);
    let edge = cloudfront(stage);
    let entrance = stage.server(balancer, 443);
    let target = stage.host(Role::Etl, far);
    let inner = stage.tcp(balancer, target, 443, Length::Request);
    let outer = Connection {
        client: edge,
        server: entrance,
        ..inner
    }
    .by(Route::InternetGateway);
    stage.play(outer);
    stage.play(inner);
}

/// An address of CloudFront: of the prefixes that the policy lists, or known by its service alone.
fn cloudfront(stage: &mut Stage<'_>) -> End {
    let host = stage.dice.between(1, 62);
    let addr = if stage.v6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xcf, 0, 0, 0, 0, host as u16))
    } else if stage.dice.percent(70) || stage.has_gaps {
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, host as u8))
    } else {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, host as u8))
    };
    End::outside(addr, stage.dice.between(1024, 65535) as u16).of("CLOUDFRONT_ORIGIN_FACING")
}

/// API Gateway hands a job to an ETL host of the zone.
fn api_job(stage: &mut Stage<'_>) {
    let zone = stage.zone();
    let (link, target) = (stage.host(Role::VpcLink, zone), stage.host(Role::Etl, zone));
    let connection = stage.tcp(link, target, 443, Length::Request);
    stage.play(connection);
}

/// A load balancer looks whether a target of either zone is well.
fn health_check(stage: &mut Stage<'_>) {
    let (near, far) = (stage.zone(), stage.zone());
    let (balancer, target) = if stage.dice.percent(70) {
        (
            stage.host(Role::LoadBalancer, near),
            stage.host(Role::Etl, far),
        )
    } else {
        // The database has no IPv6.
        stage.v6 = false;
        (
            stage.host(Role::VectorLb, near),
            stage.host(Role::VectorDb, far),
        )
    };
    let connection = stage
        .tcp(balancer, target, 443, Length::Moment)
        .moving(130, 210);
    stage.play(connection);
}

/// ETL, staging's too, asks KMS through its interface endpoint.
fn data_key(stage: &mut Stage<'_>) {
    let (host, zone) = if !stage.v6 && stage.dice.percent(5) {
        (stage.host(Role::StagingEtl, 0), 0)
    } else {
        stage.app_host(&[Role::Etl])
    };
    let near = if stage.dice.percent(80) {
        zone
    } else {
        1 - zone
    };
    let endpoint = stage.host(Role::KmsEndpoint, near);
    let connection = stage.tcp(host, endpoint, 443, Length::Request);
    stage.play(connection);
}

/// ETL writes vectors through the service of its zone.
fn vector_write(stage: &mut Stage<'_>) {
    let (host, zone) = stage.app_host(&[Role::Etl]);
    let service = stage.host(Role::VectorService, zone);
    let connection = stage.tcp(host, service, 443, Length::Request);
    stage.play(connection);
}

/// The vector service asks the internal load balancer of either zone, and that a database of either zone.
fn vector_search(stage: &mut Stage<'_>) {
    let (host, _) = stage.app_host(&[Role::VectorService]);
    let (near, far) = (stage.zone(), stage.zone());
    let balancer = stage.host(Role::VectorLb, near);
    let outer = stage.tcp(host, balancer, 443, Length::Request);
    stage.play(outer);
    stage.v6 = false;
    let database = stage.database(far);
    let client = stage.client(balancer);
    let inner = Connection {
        client,
        server: stage.server(database, 443),
        ..outer
    };
    stage.play(inner);
}

/// ETL and the vector service read and write S3 through the gateway endpoint.
fn object_store(stage: &mut Stage<'_>) {
    let (host, _) = stage.app_host(&[Role::Etl, Role::VectorService]);
    to_aws(stage, host, "S3", 64);
}

/// App keeps the state of its jobs in DynamoDB.
fn job_state(stage: &mut Stage<'_>) {
    let (host, _) = stage.app_host(&[Role::Etl, Role::Worker]);
    to_aws(stage, host, "DYNAMODB", 128);
}

fn to_aws(stage: &mut Stage<'_>, host: usize, service: &'static str, first: u8) {
    let addr = Ipv4Addr::new(192, 0, 2, first + stage.dice.between(1, 62) as u8);
    let code = if stage.dice.percent(90) { 7 } else { 2 };
    let server = End::outside(addr.into(), 443).of(service);
    let (client, times) = (stage.client(host), stage.times(Length::Request));
    let (sent, received) = (stage.dice.size(2000), stage.dice.size(3000));
    stage.play(
        Connection::tcp(client, server, times)
            .moving(sent, received)
            .by(Route::GatewayEndpoint { code }),
    );
}

/// App fetches a package through the NAT gateway of its zone.
fn package(stage: &mut Stage<'_>) {
    let (host, zone) = stage.app_host(&[Role::Etl, Role::Worker, Role::VectorService]);
    let gateway = stage.host(Role::Nat, zone);
    let addr = Ipv4Addr::new(198, 51, 100, stage.dice.between(1, 40) as u8);
    let (client, times) = (stage.client(host), stage.times(Length::Request));
    let port = stage.dice.between(1024, 65535) as u16;
    let (sent, received) = (stage.dice.size(500), stage.dice.size(9000));
    let connection =
        Connection::tcp(client, End::outside(addr.into(), 443), times).moving(sent, received);
    stage
        .connections
        .push(connection.by(Route::Nat { gateway, port }));
}

/// Hosts that use the shared services of mgmt and audit.
const ORDINARY: [Role; 6] = [
    Role::Etl,
    Role::VectorService,
    Role::Worker,
    Role::Warehouse,
    Role::Edge,
    Role::AuditHost,
];

/// A host asks a resolver of its zone.
fn lookup(stage: &mut Stage<'_>) {
    let (host, zone) = stage.app_host(&ORDINARY);
    let resolver = stage.host(Role::Resolver, zone);
    if stage.dice.percent(4) {
        let connection = stage.tcp(host, resolver, 53, Length::Moment);
        stage.connections.push(connection);
        return;
    }
    let (client, server, times) = (
        stage.client(host),
        stage.server(resolver, 53),
        stage.times(Length::Moment),
    );
    let (asked, answered) = (
        u64::from(stage.dice.between(52, 96)),
        u64::from(stage.dice.between(90, 420)),
    );
    stage.connections.push(Connection {
        request: (1, asked),
        reply: (1, answered),
        ..Connection::udp(client, server, times)
    });
}

/// A host sets its clock: both ends use port 123.
fn clock(stage: &mut Stage<'_>) {
    let (host, zone) = stage.app_host(&ORDINARY);
    let server = stage.host(Role::TimeServer, zone);
    let (client, server) = (stage.server(host, 123), stage.server(server, 123));
    let times = stage.times(Length::Moment);
    stage
        .connections
        .push(Connection::udp(client, server, times));
}

/// A host keeps a connection to a log collector of its zone, sometimes from a source port that is a service's.
fn audit_log(stage: &mut Stage<'_>) {
    let (host, zone) = stage.app_host(&[
        Role::Etl,
        Role::VectorService,
        Role::Worker,
        Role::Warehouse,
        Role::Edge,
    ]);
    let collector = stage.host(Role::Collector, zone);
    let odd = stage.dice.percent(5) && !stage.has_gaps;
    let length = if odd {
        Length::Request
    } else {
        Length::Standing
    };
    let mut connection = stage.tcp(host, collector, 6514, length);
    if odd {
        connection.client.port = 443;
    } else if stage.is_first && stage.dice.percent(40) {
        connection.life = Life::Middle;
    }
    stage.connections.push(connection);
}

/// The bastion administers a host of its zone.
fn administration(stage: &mut Stage<'_>) {
    let roles = [
        Role::Etl,
        Role::VectorService,
        Role::Worker,
        Role::VectorDb,
        Role::Warehouse,
        Role::Edge,
        Role::AuditHost,
    ];
    let (host, zone) = stage.app_host(&roles);
    let bastion = stage.host(Role::Bastion, zone);
    let connection = stage.tcp(bastion, host, 22, Length::Session);
    stage.connections.push(connection);
}

/// An operator reaches a bastion from the VPN, through the transit gateway.
fn operator(stage: &mut Stage<'_>) {
    let zone = stage.zone();
    let (bastion, attachment) = (
        stage.host(Role::Bastion, zone),
        stage.host(Role::TransitGateway, zone),
    );
    let addr = Ipv4Addr::new(172, 20, 3, stage.dice.between(2, 30) as u8);
    let client = End::outside(addr.into(), stage.dice.between(49152, 65535) as u16);
    let (sent, received) = (stage.dice.size(900), stage.dice.size(2500));
    let (server, times) = (stage.server(bastion, 443), stage.times(Length::Session));
    stage.connections.push(
        Connection::tcp(client, server, times)
            .moving(sent, received)
            .by(Route::TransitGateway { attachment }),
    );
}

/// A database node keeps another one, of either zone, up to date.
fn replication(stage: &mut Stage<'_>) {
    let (near, far) = (stage.zone(), stage.zone());
    let (client, server) = (
        stage.host(Role::VectorDb, near),
        stage.host(Role::VectorDb, far),
    );
    if client == server {
        return;
    }
    let port = if stage.dice.percent(80) { 7000 } else { 7001 };
    let mut connection = stage.tcp(client, server, port, Length::Standing);
    // The server's port is above the client's: only flags tell which is which.
    connection.client.port = stage.dice.between(1024, 6900) as u16;
    if stage.is_first && stage.dice.percent(40) {
        connection.life = Life::Middle;
    }
    stage.connections.push(connection);
}

/// Mgmt looks whether a host of its zone is alive.
fn ping(stage: &mut Stage<'_>) {
    let (host, zone) = stage.app_host(&ORDINARY);
    let bastion = stage.host(Role::Bastion, zone);
    let (client, server, times) = (
        stage.server(bastion, 0),
        stage.server(host, 0),
        stage.times(Length::Moment),
    );
    let echo = Connection {
        protocol: ICMP,
        request: (3, 252),
        reply: (3, 252),
        ..Connection::udp(client, server, times)
    };
    stage.connections.push(echo);
}

/// An ETL host tells a load balancer, in the midst of a request, that a packet was too large.
fn path_mtu(stage: &mut Stage<'_>) {
    let (host, zone) = stage.app_host(&[Role::Etl]);
    let balancer = stage.host(Role::LoadBalancer, zone);
    let mut connection = stage.tcp(balancer, host, 443, Length::Moment);
    // Not at the end of the slot, so that both are in it.
    connection.start = stage.from + stage.dice.between(60, 200);
    connection.end = connection.start + 5;
    let at = connection.start + 2;
    let error = Connection {
        client: End {
            port: 0,
            ..connection.server
        },
        server: End {
            port: 0,
            ..connection.client
        },
        protocol: ICMP,
        request: (1, 576),
        ..Connection::udp(connection.server, connection.client, (at, at))
    };
    stage.connections.push(connection);
    stage.connections.push(error.but(Fate::Delivered));
}

/// In the second VPC everybody uses everything: none of the policy's business.
fn sandbox(stage: &mut Stage<'_>) {
    let (host, _) = stage.app_host(&[Role::SandboxApp]);
    let (server, _) = stage.app_host(&[Role::SandboxData]);
    let port = stage.dice.pick(&[22, 443, 3306, 5432, 8080]);
    let connection = stage.tcp(host, server, port, Length::Request);
    stage.play(connection);
}
