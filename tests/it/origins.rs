//! Whose addresses are, by files that the policy names: told of findings in every report and alert, and nothing else.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use flate2::write::GzEncoder;
use serde_json::Value;
use tidegate::net::{Addr, Prefix};

use super::cli_program::{ok, run};
use super::watch::{alerts, assert_conform, assert_same_lake, assert_valid};

/// What `tests/origins/write.py` writes.
const OWNERS: [(&str, i64, &str, &str); 4] = [
    ("192.0.2.0/24", 64496, "Example Hosting", "DE"),
    ("198.51.100.0/24", 64497, "Example Transit", "NL"),
    ("203.0.113.0/25", 64498, "Example Cloud", "US"),
    ("2001:db8::/32", 64499, "Example Six", "JP"),
];

/// Of the sample's policy, what its networks hold.
const INSIDE: [&str; 2] = ["10.0.0.0/16", "2600:1f16:abcd:ef00::/56"];

const DATA: &str = "\n[data]\nasn = \"files/asn.mmdb\"\ngeo = \"files/country.mmdb\"\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with logs, the sample's policy without files (`plain.toml`), with them (`p.toml`), and the files.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let policy = fs::read_to_string(root().join("policies/sec-003.toml")).expect("the policy");
    fs::write(at("plain.toml"), &policy).expect("written");
    fs::write(at("p.toml"), format!("{policy}{DATA}")).expect("written");
    fs::create_dir(at("files")).expect("made");
    for name in ["asn.mmdb", "country.mmdb"] {
        let from = root().join("tests/origins").join(name);
        fs::copy(from, at("files").join(name)).expect("copied");
    }
    let logs = at("logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25");
    fs::create_dir_all(&logs).expect("made");
    let name =
        "123456789012_vpcflowlogs_us-east-2_fl-0a1b2c3d4e5f60718_20260225T0605Z_5e6f7a8b.log.gz";
    let file = fs::File::create(logs.join(name)).expect("made");
    let mut packed = GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all(log().as_bytes()).expect("written");
    packed.finish().expect("written");
    folder
}

/// Connections that the policy forbids and the network let through: out to addresses of each owner, to some of nobody's, and
/// within the network.
fn log() -> String {
    let mut log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
        log-status vpc-id tcp-flags\n"
        .to_owned();
    let (v4, v6) = ("10.0.33.5", "2600:1f16:abcd:ef01::5");
    let ways = [
        (v4, "192.0.2.7"),
        (v4, "192.0.2.99"),
        (v4, "198.51.100.9"),
        (v4, "203.0.113.9"),
        (v4, "203.0.113.200"),
        (v4, "8.8.8.8"),
        (v4, "10.0.64.20"),
        (v6, "2001:db8::9"),
        (v6, "2001:db8:cf::9"),
        (v6, "2600:1f16:abcd:ef02::9"),
        (v6, "2a00::1"),
    ];
    for (port, (client, server)) in (40_000..).zip(ways) {
        let mut record = |ends: String, bytes: u32, flags: u8| {
            log.push_str(&format!(
                "5 123456789012 eni-0a1b2c3d4e5f60001 {ends} 6 5 {bytes} 1771999200 1771999230 ACCEPT OK \
                vpc-0a1b2c3d4e5f60718 {flags}\n"
            ));
        };
        record(format!("{client} {server} {port} 4444"), 900, 2);
        record(format!("{server} {client} 4444 {port}"), 500, 18);
    }
    log
}

fn holds(prefix: &str, addr: &str) -> bool {
    let (prefix, addr): (Prefix, Addr) = (
        prefix.parse().expect("a prefix"),
        addr.parse().expect("an address"),
    );
    prefix.contains(addr)
}

/// Whose an address is, looked up slowly.
fn owner(addr: &str) -> Option<(i64, &'static str, &'static str)> {
    if INSIDE.iter().any(|prefix| holds(prefix, addr)) {
        return None;
    }
    let mut owners = OWNERS.iter().filter(|(prefix, ..)| holds(prefix, addr));
    let (_, asn, name, country) = owners.next()?;
    Some((*asn, name, country))
}

/// The heaviest addresses of both ends of a finding or an alert.
fn heaviest(finding: &Value) -> impl Iterator<Item = &Value> {
    let ends = ["client_heaviest", "server_heaviest"];
    ends.into_iter()
        .flat_map(|end| finding[end].as_array().expect("addresses"))
}

/// That each address has whose it is, and those that are inside, or nobody's, have not even the names.
fn check(findings: &[Value]) {
    let (mut known, mut unknown) = (0, 0);
    for heavy in findings.iter().flat_map(heaviest) {
        let addr = heavy["addr"].as_str().expect("an address");
        match owner(addr) {
            Some((asn, name, country)) => {
                assert_eq!(heavy["asn"], asn, "{addr}");
                assert_eq!(heavy["as_name"], name, "{addr}");
                assert_eq!(heavy["country"], country, "{addr}");
                known += 1;
            }
            None => {
                assert_eq!(heavy.as_object().expect("an object").len(), 2, "{heavy}");
                unknown += 1;
            }
        }
    }
    assert!(known >= 6 && unknown >= 6, "{known} known, {unknown} not");
}

/// Findings without what is told of origins.
fn without_origins(mut findings: Vec<Value>) -> Vec<Value> {
    for finding in &mut findings {
        for end in ["client_heaviest", "server_heaviest"] {
            for heavy in finding[end].as_array_mut().expect("addresses") {
                let heavy = heavy.as_object_mut().expect("an object");
                heavy.retain(|name, _| name == "addr" || name == "bytes");
            }
        }
    }
    findings
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON")
}

/// The folder and what a scan of it wrote in every format, made once.
static SCANNED: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = folder();
    let mut arguments = vec!["scan", "logs", "--policy", "p.toml", "--limit", "all"];
    for output in [
        "json=r.json",
        "ndjson=r.ndjson",
        "csv=r.csv",
        "sarif=r.sarif",
        "text=r.txt",
    ] {
        arguments.extend(["--output", output]);
    }
    ok(folder.path(), &arguments);
    folder
});

fn read(name: &str) -> String {
    fs::read_to_string(SCANNED.path().join(name)).expect("the report")
}

#[test]
fn findings_say_whose_their_addresses_outside_are_and_are_the_same_otherwise() {
    let report: Value = serde_json::from_str(&read("r.json")).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    check(findings);
    assert_eq!(&lines(&read("r.ndjson")), findings);
    let plain = ["scan", "logs", "--policy", "plain.toml", "--format", "json"];
    let plain: Value = serde_json::from_str(&ok(SCANNED.path(), &plain).stdout).expect("JSON");
    let mut told = report.clone();
    told["findings"] = without_origins(findings.clone()).into();
    // The hash too: whose an address is decides nothing.
    assert_eq!(told, plain);
}

#[test]
fn text_csv_and_sarif_say_whose_addresses_are() {
    let findings = lines(&read("r.ndjson"));
    let [text, csv, sarif] = ["r.txt", "r.csv", "r.sarif"].map(read);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sarif: Value = serde_json::from_str(&sarif).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let mut seen = 0;
    for (finding, result) in findings.iter().zip(results) {
        for (end, name) in [
            ("client_heaviest", "clientOrigins"),
            ("server_heaviest", "serverOrigins"),
        ] {
            let heaviest = finding[end].as_array().expect("addresses");
            let told: Vec<String> = heaviest
                .iter()
                .filter_map(|heavy| {
                    let addr = heavy["addr"].as_str().expect("an address");
                    let (asn, name, country) = owner(addr)?;
                    let whose = format!("AS{asn} {name}, {country}");
                    assert!(csv.contains(&format!("{addr} ({}, {whose})", heavy["bytes"])));
                    Some(format!("{addr} ({whose})"))
                })
                .collect();
            let expected = match told.as_slice() {
                [] => Value::Null,
                told => told.into(),
            };
            assert_eq!(result["properties"][name], expected);
            let is_open = finding["muted"] == false;
            if let (true, Some(first)) = (is_open, told.first())
                && heaviest[0].get("asn").is_some()
            {
                assert!(text.contains(first), "{first} in:\n{text}");
                seen += 1;
            }
        }
    }
    assert!(seen > 3, "{seen} addresses are told of in the text");
}

#[test]
fn a_lake_is_the_same_with_such_files_and_without() {
    let folder = folder();
    for (policy, lake) in [("plain.toml", "one"), ("p.toml", "other")] {
        ok(
            folder.path(),
            &["scan", "logs", "--policy", policy, "--lake", lake],
        );
    }
    assert_same_lake(folder.path(), "one", "other");
    // What a lake holds is told of like what was judged just now.
    let again = [
        "scan", "logs", "--policy", "p.toml", "--lake", "one", "--format", "ndjson",
    ];
    check(&lines(&ok(folder.path(), &again).stdout));
}

#[test]
fn alerts_say_whose_addresses_are() {
    let folder = folder();
    let watch = [
        "watch",
        "logs",
        "--policy",
        "p.toml",
        "--state",
        "state",
        "--until-idle",
        "--alert",
        "file:alerts",
        "--alert",
        "file:ocsf?format=ocsf",
        "--alert",
        "file:asff?format=asff",
    ];
    ok(folder.path(), &watch);
    let at = |name: &str| alerts(&folder.path().join(name));
    let told = at("alerts");
    check(&told);
    assert_conform(&told);
    let events = at("ocsf");
    assert_valid(&events, &["tests/interop/validate_ocsf.py"]);
    let (mut known, mut unknown) = (0, 0);
    for (event, imported) in events.iter().zip(at("asff")) {
        for (end, word) in [("src_endpoint", "client"), ("dst_endpoint", "server")] {
            let shown = &event["evidences"][0][end];
            let field = &imported["ProductFields"][format!("tidegate/{word}-origin")];
            match shown["ip"].as_str().and_then(owner) {
                Some((asn, name, country)) => {
                    let system = serde_json::json!({ "number": asn, "name": name });
                    assert_eq!(shown["autonomous_system"], system);
                    assert_eq!(shown["location"]["country"], country);
                    assert_eq!(*field, format!("AS{asn} {name}, {country}"));
                    known += 1;
                }
                None => {
                    assert!(shown.get("autonomous_system").is_none(), "{shown}");
                    assert!(shown.get("location").is_none(), "{shown}");
                    unknown += 1;
                }
            }
        }
    }
    assert!(known >= 5 && unknown >= 5, "{known} known, {unknown} not");
}

#[test]
fn queries_answer_by_the_files_of_the_policy_too() {
    let folder = folder();
    let asked = "select asn('203.0.113.9') as asn, country('203.0.113.9') as country";
    let ask = |more: &[&str]| {
        let question = ["sql", "--format", "csv", "-c", asked];
        ok(folder.path(), &[&question, more].concat()).stdout
    };
    assert_eq!(ask(&[]), "asn,country\n,\n");
    assert_eq!(ask(&["--policy", "p.toml"]), "asn,country\n64498,US\n");
    let own = ["--policy", "p.toml", "--geo", "files/country.mmdb"];
    assert_eq!(ask(&own), "asn,country\n64498,US\n");
    let wrong = ["sql", "-c", "select 1", "--asn", "files/country.mmdb"];
    run(folder.path(), &wrong).refused(
        2,
        &["cannot use `files/country.mmdb`: expected autonomous systems"],
    );
}

#[test]
fn files_that_cannot_be_used_are_errors_of_the_policy_with_their_place() {
    let folder = folder();
    let path = folder.path().join("p.toml");
    let text = fs::read_to_string(&path).expect("the policy");
    let text = text.replace("files/asn.mmdb", "files/none.mmdb");
    fs::write(
        &path,
        text.replace("geo = \"files/country", "geo = \"files/asn"),
    )
    .expect("written");
    let line = text
        .lines()
        .position(|line| line.starts_with("asn = "))
        .expect("a line")
        + 1;
    run(folder.path(), &["policy", "check", "p.toml"]).refused(
        2,
        &[
            &format!("p.toml:{line}:"),
            "cannot read `files/none.mmdb`",
            "cannot use `files/asn.mmdb`: expected countries, got a database `GeoLite2-ASN` that has none",
        ],
    );
}
