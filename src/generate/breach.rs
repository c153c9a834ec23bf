//! Each way of breaking `policies/sec-003.toml` that is planted, and what a scan must say of it.

use super::SLOT_SECS;
use super::connection::{Connection, End, Fate, ICMP, Route, UDP};
use super::fleet::Role;
use super::plant::{Bed, outside};

/// Plants everything. `focus` is the slot in which one of the logs is Parquet.
pub(super) fn sow_all(bed: &mut Bed<'_>, focus: u32) {
    ways_in(bed);
    ways_out(bed);
    across_tiers(bed, focus);
    broken_requires(bed);
    attempts(bed);
    too_strict(bed);
}

/// From outside to inside.
fn ways_in(bed: &mut Bed<'_>) {
    let says = (
        "ingress-violation",
        "critical",
        "violation",
        "load-balancer-only-from-cloudfront",
    );
    let balancer = bed.server(Role::LoadBalancer, 0, 0, 443);
    let bypass = bed
        .established(outside("198.18.40.7", 40100), balancer)
        .by(Route::InternetGateway);
    bed.sow(
        "a client on the internet goes round CloudFront",
        says,
        "internet",
        &[bypass],
    );

    let says = (
        "denied-attempt",
        "critical",
        "blocked",
        "load-balancer-only-from-cloudfront",
    );
    let balancer = bed.server(Role::LoadBalancer, 1, 1, 443);
    let knocks = ["198.18.51.1", "198.18.51.2", "198.18.77.9"].map(|client| {
        bed.established(outside(client, 41000), balancer)
            .by(Route::InternetGateway)
            .but(Fate::RejectedByServer)
    });
    bed.sow(
        "clients on the internet try to go round CloudFront",
        says,
        "internet",
        &knocks,
    );

    let says = (
        "ingress-violation",
        "high",
        "violation",
        "ssh-only-from-bastion",
    );
    let edge = bed.server(Role::Edge, 0, 1, 22);
    let ssh = bed
        .established(outside("198.18.66.6", 40102), edge)
        .by(Route::InternetGateway);
    bed.sow("ssh from the internet", says, "internet", &[ssh]);

    let says = ("ingress-violation", "high", "violation", "default");
    let attachment = bed.fleet.hosts(Role::TransitGateway, 0)[0];
    let bastion = bed.server(Role::Bastion, 0, 0, 3389);
    let desktop = bed
        .established(outside("172.20.3.44", 50201), bastion)
        .by(Route::TransitGateway { attachment });
    bed.sow(
        "the VPN uses another port than 443",
        says,
        "corp-vpn",
        &[desktop],
    );
}

/// From inside to outside.
fn ways_out(bed: &mut Bed<'_>) {
    let says = (
        "egress-violation",
        "critical",
        "violation",
        "no-way-out-but-https",
    );
    let worker = bed.client(Role::Worker, 0, 1);
    let shell = bed
        .established(worker, outside("198.19.77.5", 4444))
        .by(bed.nat(0));
    bed.sow("a reverse shell", says, "198.19.77.0/24", &[shell]);

    let worker = bed.client(Role::Worker, 0, 4);
    let query = bed
        .established(worker, outside("198.19.53.53", 53))
        .by(bed.nat(0));
    let query = Connection {
        protocol: UDP,
        request: (2, 160),
        reply: (2, 900),
        ..query
    };
    bed.sow("DNS past the resolvers", says, "198.19.53.0/24", &[query]);

    let says = (
        "egress-violation",
        "high",
        "violation",
        "no-straight-way-out",
    );
    let warehouse = bed.client(Role::Warehouse, 0, 1);
    let mut leak = bed
        .established(warehouse, outside("198.19.80.9", 443))
        .by(Route::InternetGateway)
        .moving(48_000_000, 91_000);
    // Over three slots: the later ones hold no SYN.
    leak.end = leak.start + 2 * SLOT_SECS;
    bed.sow(
        "data goes straight to the internet",
        says,
        "198.19.80.0/24",
        &[leak],
    );

    let says = ("egress-violation", "high", "violation", "default");
    let worker = bed.client(Role::Worker, 0, 2);
    let unlisted = bed
        .established(worker, outside("198.19.90.3", 443))
        .by(bed.nat(0));
    bed.sow(
        "an address that is not on the allowlist",
        says,
        "198.19.90.0/24",
        &[unlisted],
    );

    let etl = bed.client(Role::Etl, 1, 2);
    let unlisted = bed
        .established(etl, outside("198.19.94.3", 443))
        .by(bed.nat(1));
    bed.sow(
        "a task uses an address that is not on the allowlist",
        says,
        "198.19.94.0/24",
        &[unlisted],
    );

    let etl = bed.client(Role::Etl, 0, 1);
    let store = bed
        .established(etl, outside("192.0.2.70", 443).of("S3"))
        .by(bed.nat(0));
    bed.sow(
        "S3 through NAT instead of the gateway endpoint",
        says,
        "s3",
        &[store],
    );

    let worker = End::inside(bed.fleet, bed.fleet.hosts(Role::Worker, 0)[3], true, 45007);
    let v6 = bed
        .established(worker, outside("2001:db8:dead::5", 443))
        .by(Route::InternetGateway);
    bed.sow("a way out over IPv6", says, "2001:db8:dead::/48", &[v6]);
}

/// Between tiers, and where no tier is.
fn across_tiers(bed: &mut Bed<'_>, focus: u32) {
    type Place = (Role, usize, usize);
    let kind = "cross-tier-violation";
    let mut cross = |what, rule, (role, zone, number): Place, server: Place, port| {
        let client = bed.client(role, zone, number);
        let server = bed.server(server.0, server.1, server.2, port);
        let connection = bed.established(client, server);
        bed.sow(what, (kind, "high", "violation", rule), "", &[connection]);
    };
    cross(
        "ssh from app to data",
        "ssh-only-from-bastion",
        (Role::Worker, 0, 0),
        (Role::Warehouse, 0, 2),
        22,
    );
    cross(
        "ETL writes into the vector database",
        "etl-to-vector-db",
        (Role::Etl, 0, 2),
        (Role::VectorDb, 0, 0),
        443,
    );
    let rule = "vector-db-accepts-only-the-vector-service";
    cross(
        "a worker reads the vector database",
        rule,
        (Role::Worker, 0, 5),
        (Role::VectorDb, 0, 1),
        8080,
    );
    cross(
        "the vector service goes past its load balancer",
        "default",
        (Role::VectorService, 0, 1),
        (Role::VectorDb, 0, 2),
        443,
    );
    cross(
        "the second zone's warehouse asks app",
        "default",
        (Role::Warehouse, 1, 0),
        (Role::Worker, 1, 1),
        9200,
    );
    cross(
        "audit asks app",
        "default",
        (Role::AuditHost, 0, 0),
        (Role::Worker, 0, 3),
        8443,
    );
    cross(
        "a host of no tier asks app",
        "default",
        (Role::Unassigned, 0, 0),
        (Role::Worker, 0, 4),
        8080,
    );
    bed.sow_stranger("an address in no tier");

    bed.slot = focus;
    let (database, etl) = (
        bed.client(Role::VectorDb, 0, 0),
        bed.server(Role::Etl, 0, 3, 443),
    );
    let call = bed.established(database, etl);
    bed.sow(
        "the vector database opens a connection",
        (
            kind,
            "high",
            "violation",
            "vector-db-starts-only-replication",
        ),
        "",
        &[call],
    );

    // One step milder, because nothing was exchanged.
    let (worker, bastion) = (
        bed.client(Role::Worker, 0, 0),
        bed.server(Role::Bastion, 0, 0, 3389),
    );
    let refused = bed.established(worker, bastion).but(Fate::Refused);
    bed.sow(
        "a worker knocks at a closed port",
        (kind, "medium", "violation", "default"),
        "",
        &[refused],
    );

    let (worker, warehouse) = (
        bed.client(Role::Worker, 0, 2),
        bed.server(Role::Warehouse, 0, 3, 161),
    );
    let probe = Connection {
        protocol: UDP,
        request: (1, 71),
        ..bed.established(worker, warehouse)
    }
    .but(Fate::Delivered);
    bed.sow(
        "a worker probes a warehouse over UDP",
        (kind, "medium", "violation", "default"),
        "",
        &[probe],
    );
}

/// Allowed but for what the ends do not share.
fn broken_requires(bed: &mut Bed<'_>) {
    let (etl, service) = (
        bed.client(Role::Etl, 0, 3),
        bed.server(Role::VectorService, 1, 0, 443),
    );
    let crossing = bed.established(etl, service);
    bed.sow(
        "ETL uses the other zone's vector service",
        ("intra-tier-violation", "low", "violation", "same-az"),
        "",
        &[crossing],
    );

    let (staging, service) = (
        bed.client(Role::StagingEtl, 0, 0),
        bed.server(Role::VectorService, 0, 1, 443),
    );
    let mixing = bed.established(staging, service);
    bed.sow(
        "staging writes into production",
        ("intra-tier-violation", "medium", "violation", "same-env"),
        "",
        &[mixing],
    );
}

/// Denied and tried, but stopped or without an answer.
fn attempts(bed: &mut Bed<'_>) {
    let kind = "denied-attempt";
    let (worker, warehouse) = (
        bed.client(Role::Worker, 0, 4),
        bed.server(Role::Warehouse, 0, 0, 5432),
    );
    let blocked = bed
        .established(worker, warehouse)
        .but(Fate::RejectedByServer);
    bed.sow(
        "a warehouse turns a worker away",
        (kind, "medium", "blocked", "default"),
        "",
        &[blocked],
    );

    let mail = bed.client(Role::Worker, 0, 5);
    let mail = bed
        .established(mail, outside("198.19.91.25", 25))
        .by(Route::InternetGateway)
        .but(Fate::RejectedByClient);
    bed.sow(
        "mail is stopped at its sender",
        (kind, "critical", "blocked", "no-way-out-but-https"),
        "198.19.91.0/24",
        &[mail],
    );

    let worker = bed.client(Role::Worker, 0, 1);
    let gone = bed
        .established(worker, outside("10.0.68.250", 3306))
        .but(Fate::Unanswered);
    bed.sow(
        "a worker asks an address of data that nobody has",
        (kind, "medium", "attempted", "default"),
        "10.0.68.250",
        &[gone],
    );

    let (worker, warehouse) = (
        bed.client(Role::Worker, 0, 3),
        bed.server(Role::Warehouse, 0, 2, 0),
    );
    let echo = Connection {
        protocol: ICMP,
        request: (3, 252),
        reply: (3, 252),
        ..bed.established(End { port: 0, ..worker }, warehouse)
    };
    // ICMP without a rule of its own is at most low.
    bed.sow(
        "a ping whose answer is stopped",
        (kind, "low", "blocked", "default"),
        "",
        &[echo.but(Fate::ReplyRejected)],
    );
}

/// Allowed, but stopped.
fn too_strict(bed: &mut Bed<'_>) {
    let (service, balancer) = (
        bed.client(Role::VectorService, 0, 2),
        bed.server(Role::VectorLb, 0, 0, 443),
    );
    let stopped = bed.established(service, balancer).but(Fate::ReplyRejected);
    let says = (
        "overblocked",
        "medium",
        "overblocked",
        "vector-service-to-load-balancer",
    );
    bed.sow(
        "a network ACL stops the load balancer's answers",
        says,
        "",
        &[stopped],
    );

    let (etl, endpoint) = (
        bed.client(Role::Etl, 0, 4),
        bed.server(Role::KmsEndpoint, 0, 0, 443),
    );
    let stopped = bed.established(etl, endpoint).but(Fate::RejectedByServer);
    bed.sow(
        "a security group lacks a rule for ETL",
        ("overblocked", "medium", "overblocked", "etl-to-kms"),
        "",
        &[stopped],
    );
}
