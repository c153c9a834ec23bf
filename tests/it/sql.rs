//! `tidegate sql`: tables, functions and pushdown against rows that stand beside the questions; what is refused; what is
//! asked of S3.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::cli_program::{Ran, command, run};
use crate::s3_server::{Fault, Op, S3Server};

pub(crate) const POLICY: &str = "policies/sec-003.toml";
/// Files that tell whose addresses are, and where.
pub(crate) const PLACES: [&str; 4] = [
    "--asn",
    "tests/origins/asn.mmdb",
    "--geo",
    "tests/origins/country.mmdb",
];
pub(crate) const SAMPLE: &str = "sample-logs/logs";

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A lake of the sample with all records, made once.
pub(crate) fn lake() -> &'static str {
    static LAKE: OnceLock<TempDir> = OnceLock::new();
    let folder = LAKE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = folder.path().join("lake");
        let lake = lake.to_str().expect("UTF-8");
        let ran = run(
            root(),
            &[
                "scan", SAMPLE, "--policy", POLICY, "--lake", lake, "--keep", "all",
            ],
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        folder
    });
    let lake = folder.path().join("lake");
    Box::leak(
        lake.into_os_string()
            .into_string()
            .expect("UTF-8")
            .into_boxed_str(),
    )
}

pub(crate) fn sql(more: &[&str]) -> Ran {
    run(root(), &[&["sql"], more].concat())
}

/// The answer of a question over the sample's logs, as CSV.
fn flows(question: &str) -> String {
    let ran = sql(&["--logs", SAMPLE, "--format", "csv", "-c", question]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{question}");
    ran.stdout
}

/// The answer of a question over the sample's lake, as CSV.
fn of_lake(question: &str) -> String {
    let ran = sql(&[
        "--lake",
        lake(),
        "--policy",
        POLICY,
        "--format",
        "csv",
        "-c",
        question,
    ]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{question}");
    ran.stdout
}

/// Questions of a file under `tests/sql`, each with the rows that it is answered by:
///
/// ```text
/// select 1 as one
/// ----
/// one
/// 1
/// ```
///
/// A blank line ends the rows. `error: words` stands in place of rows where a question is refused.
fn check_file(name: &str, options: &[&str]) {
    for (question, expected) in questions(name) {
        let ran = sql(&[options, &["--format", "csv", "-c", &question]].concat());
        match expected.strip_prefix("error: ") {
            None => {
                assert_eq!((ran.code, &*ran.stderr), (0, ""), "{name}: {question}");
                assert_eq!(ran.stdout.trim_end(), expected, "{name}: {question}");
            }
            Some(words) => {
                assert_ne!(ran.code, 0, "{name}: {question}: {}", ran.stdout);
                let errors = &ran.stderr;
                assert!(errors.contains(words), "{name}: {question}: {errors}");
            }
        }
    }
}

/// Questions of such a file, and what stands below each.
fn questions(name: &str) -> Vec<(String, String)> {
    let path = root().join("tests/sql").join(name);
    let text = fs::read_to_string(&path).expect("a file of questions");
    let blocks = text.split("\n\n").map(str::trim);
    let blocks = blocks.filter(|block| !block.lines().all(|line| line.starts_with('#')));
    let questions = blocks.map(|block| {
        let (question, expected) = block
            .split_once("\n----\n")
            .expect("a question and its rows");
        (question.to_owned(), expected.to_owned())
    });
    let questions: Vec<(String, String)> = questions.collect();
    assert!(questions.len() > 5, "{name} has questions");
    questions
}

#[test]
fn functions_answer_as_their_file_says() {
    check_file(
        "functions.slt",
        &[&["--policy", POLICY], &PLACES[..]].concat(),
    );
}

#[test]
fn examples_of_functions_give_what_they_say() {
    for doc in tidegate::sql::docs() {
        let question = format!("select cast({} as varchar) as it", doc.example);
        let options = ["--policy", POLICY, "--format", "csv", "-c", &question];
        let ran = sql(&[&options[..], &PLACES].concat());
        assert_eq!(ran.code, 0, "{}: {}", doc.syntax, ran.stderr);
        let found = ran
            .stdout
            .trim_start_matches("it\n")
            .trim()
            .trim_matches('"');
        assert_eq!(found, doc.gives, "{}", doc.example);
    }
}

/// Each question of the file has a condition in braces. It is asked as it is, and as one that nothing can be concluded from
/// before a row is there; both have the rows that stand below.
fn check_pushdown(name: &str, ask: fn(&str) -> String, is_pushed: fn(&str) -> bool) {
    for (question, expected) in questions(name) {
        let (before, rest) = question.split_once('{').expect("a condition in braces");
        let (filter, behind) = rest.split_once('}').expect("a condition in braces");
        let pushed = format!("{before}{filter}{behind}");
        let kept = format!(
            "{before}nullif(length(concat(cast(({filter}) as varchar), '')), 5) = 4{behind}"
        );
        let [pushed_plan, kept_plan] =
            [&pushed, &kept].map(|question| ask(&format!("explain {question}")));
        assert!(is_pushed(&pushed_plan), "{filter}: {pushed_plan}");
        assert!(!is_pushed(&kept_plan), "{filter}: {kept_plan}");
        for asked in [pushed, kept] {
            assert_eq!(ask(&asked).trim_end(), expected, "{name}: {asked}");
        }
        assert!(
            !expected.contains("\n0,"),
            "{filter} finds something: {expected}"
        );
    }
}

#[test]
fn filters_mean_the_same_before_a_row_is_built_and_after() {
    let is_pushed = |plan: &str| plan.contains("tested_before_built");
    check_pushdown("flows_pushdown.slt", flows, is_pushed);
}

#[test]
fn filters_mean_the_same_where_they_leave_out_parts_of_a_lake_and_where_not() {
    // The filter of the rows that nothing is concluded from holds no statistics either.
    let is_pushed =
        |plan: &str| plan.contains("pruning_predicate") || plan.contains("file_groups={0");
    check_pushdown("lake_pushdown.slt", of_lake, is_pushed);
}

#[test]
fn layouts_and_parquet_are_one_table() {
    let by_kind = "select case when source like '%.parquet' then 'parquet' else 'text' end as kind, \
                   count(distinct source) > 0 as some, count(vpc_id) > 0 as has_vpc, count(tgw_id) > 0 as has_tgw \
                   from flows group by 1 order by 1";
    assert_eq!(
        flows(by_kind),
        "kind,some,has_vpc,has_tgw\nparquet,true,true,false\ntext,true,true,true\n"
    );
    // A field that an object's layout lacks is null in all of its rows, and no other object loses it by that.
    let mixed = flows(
        "select count(*) from (select source, count(vpc_id) as some from flows group by source) where some = 0",
    );
    assert!(!mixed.contains("\n0\n"), "{mixed}");
}

#[test]
fn every_row_of_the_logs_is_a_row_of_the_table() {
    let counted = of_lake("select sum(records + no_data + skip_data) as rows from objects");
    assert_eq!(flows("select count(*) as rows from flows"), counted);
}

#[test]
fn judged_on_the_fly_is_what_the_lake_holds() {
    for question in [
        "select verdict, rule, count(*), sum(bytes) from records group by verdict, rule order by 1, 2",
        "select verdict, rule, sum(connections), sum(records) from edges group by verdict, rule order by 1, 2",
        "select finding_id, severity, title from findings order by 1",
        "select count(*), sum(lines) from objects",
        // Later records of these hours change nothing of them, and earlier ones are their evidence.
        "select verdict, rule, count(*) from records where date = '2026-02-25' and hour = 6 group by verdict, rule order by 1, 2",
    ] {
        let ran = sql(&[
            "--logs", SAMPLE, "--policy", POLICY, "--format", "csv", "-c", question,
        ]);
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{question}");
        assert_eq!(ran.stdout, of_lake(question), "{question}");
    }
}

#[test]
fn records_are_the_same_in_every_column_whoever_asks_for_which() {
    let fly = |question: &str, more: &[&str]| {
        let asked = ["--logs", SAMPLE, "--policy", POLICY, "--format", "csv"];
        let ran = sql(&[&asked[..], &["-c", question], more].concat());
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{question}");
        ran.stdout
    };
    let all = "select * from records order by source, line";
    let lake = of_lake(all);
    assert_eq!(lake.lines().count(), 50_263 + 1);
    for more in [
        &[][..],
        &["--threads", "1"],
        &["--threads", "3", "--memory", "64MiB"],
    ] {
        // A failure would print both, which are long.
        assert!(fly(all, more) == lake, "{more:?}");
    }
    for question in [
        "select count(*) from records",
        "select date, hour, count(*) from records group by date, hour order by 1, 2",
        "select client_port, server_groups, count(*) as n from records group by 1, 2 order by n desc, 1, 2 limit 20",
        "select a.verdict, count(*) from records a join records b on a.source = b.source and a.line = b.line group by 1 order by 1",
        "select \"end\", denied_attempt, extra from records order by source, line limit 50",
    ] {
        assert_eq!(fly(question, &[]), of_lake(question), "{question}");
    }
    // Of these no object is read again; with the others all are.
    let of_rulings = [
        "network",
        "client_addr",
        "client_port",
        "server_addr",
        "server_port",
        "client_tier",
        "server_tier",
        "array_to_string(client_groups, ' ')",
        "array_to_string(server_groups, ' ')",
        "observer",
        "outcome",
        "via",
        "decision",
        "rule",
        "verdict",
        "severity",
        "denied_attempt",
        "egress_violation",
        "cross_tier_violation",
        "intra_tier_violation",
        "ingress_violation",
        "date",
        "hour",
    ];
    let others = ["orientation", "confidence"];
    for columns in [of_rulings.to_vec(), [&of_rulings[..], &others].concat()] {
        let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
        let (columns, places) = (columns.join(", "), places.join(", "));
        let question =
            format!("select {columns}, count(*) from records group by {places} order by {places}");
        let lake = of_lake(&question);
        for more in [&[][..], &["--threads", "1", "--memory", "128MiB"]] {
            assert!(fly(&question, more) == lake, "{columns} {more:?}");
        }
    }
    assert_eq!(
        fly("select verdict from records limit 7", &[])
            .lines()
            .count(),
        8
    );
}

#[test]
fn logs_without_a_flow_log_are_no_empty_table() {
    let empty = tempfile::tempdir().expect("a folder");
    let empty = empty.path().to_str().expect("UTF-8");
    for options in [
        &["-c", "select count(*) from flows"][..],
        &["-c", "select count(*) from records", "--policy", POLICY],
        &["top-violations", "--policy", POLICY],
    ] {
        let ran = sql(&[&["--logs", empty], options].concat());
        assert_eq!(
            (ran.code, &*ran.stdout),
            (2, ""),
            "{options:?}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains("no flow logs in"), "{}", ran.stderr);
    }
}

#[test]
fn hours_that_a_lake_does_not_have_are_no_rows_in_any_order() {
    for table in ["records", "edges", "findings", "objects"] {
        let question = format!("select * from {table} where date = '2031-01-01' order by source");
        let rows = of_lake(&question);
        assert_eq!(rows.lines().count(), 1, "{rows}");
    }
}

#[test]
fn what_does_not_only_read_is_refused() {
    let out = tempfile::tempdir().expect("a folder");
    let file = out.path().join("out.csv");
    let copy = format!("copy (select 1) to '{}'", file.display());
    let external = format!(
        "create external table x stored as csv location '{}'",
        root().display()
    );
    for statement in [
        &*copy,
        &*external,
        "create table x as select 1",
        "create view x as select 1",
        "create schema x",
        "create database x",
        "create function f() returns int return 1",
        "drop table edges",
        "drop view edges",
        "insert into edges select * from edges",
        "update edges set rule = 'x'",
        "delete from edges",
        "truncate table edges",
        "set datafusion.execution.batch_size = 1",
        "set time zone = 'UTC'",
        "reset datafusion.execution.batch_size",
        "prepare p as select 1",
        "execute p",
        "deallocate p",
        "begin",
        "commit",
        "analyze table edges",
        "explain copy (select 1) to '/tmp/x'",
        "explain analyze insert into edges select * from edges",
        "select 1; drop table edges",
        "select 1 into x",
        "merge into edges using edges e on true when matched then delete",
    ] {
        let ran = sql(&["--lake", lake(), "-c", statement]);
        assert_eq!(ran.code, 2, "{statement}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout, "", "{statement}");
        assert!(
            !ran.stderr.contains("panicked"),
            "{statement}: {}",
            ran.stderr
        );
    }
    assert!(!file.exists());
}

#[test]
fn no_other_file_is_read() {
    let readme = root().join("README.md");
    let readme = readme.display();
    for question in [
        format!("select * from '{readme}'"),
        format!("select * from 'file://{readme}'"),
        "select * from 's3://bucket/key.parquet'".to_owned(),
        format!("select * from read_csv('{readme}')"),
        format!("select * from parquet_metadata('{readme}')"),
    ] {
        let ran = sql(&["--lake", lake(), "-c", &question]);
        assert_eq!(
            (ran.code, &*ran.stdout),
            (2, ""),
            "{question}: {}",
            ran.stderr
        );
    }
}

#[test]
fn errors_name_what_is_nearest() {
    for (question, words) in [
        ("select * from edgs", "there is `edges`"),
        ("select * from flows", "`flows` needs --logs"),
        (
            "select * from policy_rules",
            "`policy_rules` needs --policy",
        ),
        ("select verdct from edges", "verdict"),
        (
            "select cidr_contain('10.0.0.0/8', client_addr) from edges",
            "cidr_contains",
        ),
        ("select 1 +", "SQL"),
        ("", "no statement"),
    ] {
        let ran = sql(&["--lake", lake(), "-c", question]);
        assert_eq!(ran.code, 2, "{question}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{question}: {}", ran.stderr);
    }
    let ran = sql(&["--lake", lake(), "top-violation"]);
    ran.refused(
        2,
        &[
            "there is no query `top-violation`",
            "there is `top-violations`",
        ],
    );
    let ran = sql(&["--lake", lake(), "host-timeline"]);
    ran.refused(2, &["needs addr=ADDR"]);
    let ran = sql(&["--lake", lake(), "top-violations", "--param", "most=x"]);
    ran.refused(
        2,
        &["expected a whole number for the parameter `most`, got `x`"],
    );
    let ran = sql(&["--lake", "sample-logs", "-c", "select 1"]);
    ran.refused(2, &["sample-logs/lake.json", "there is no such file"]);
    let ran = sql(&["--logs", "-", "-c", "select 1"]);
    ran.refused(2, &["standard input cannot be queried"]);
}

#[test]
fn places_of_a_policy_that_changes_are_asked_for_with_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = "[policy]\nid = \"P\"\n[networks.prod]\ncidrs = [\"10.0.0.0/16\"]\n\
                  [[subnets]]\ntier = \"old\"\ncidrs = [\"10.0.1.0/24\"]\nvalid_until = 2026-01-01\n\
                  [[subnets]]\ntier = \"new\"\ncidrs = [\"10.0.1.0/24\"]\nvalid_from = 2026-01-01\n\
                  [groups.web]\ncidrs = [\"10.0.1.0/28\"]\nvalid_from = 2026-01-01T12:00:00Z\n";
    std::fs::write(folder.path().join("p.toml"), policy).expect("written");
    let ask = |question: &str| {
        let options = [
            "sql", "--policy", "p.toml", "--format", "csv", "-c", question,
        ];
        run(folder.path(), &options)
    };
    let ran = ask(
        "select zone('10.0.1.7', at) as zone, array_to_string(groups('10.0.1.7', at), ' ') as of from \
         (values (timestamp '2025-12-31T23:59:59'), (timestamp '2026-01-01'), (timestamp '2026-01-01T12:00:00'), (null)) as t(at)",
    );
    assert_eq!(
        (ran.code, &*ran.stdout),
        (0, "zone,of\nold,\nnew,\nnew,web\n,\n"),
        "{}",
        ran.stderr
    );
    for question in ["select zone('10.0.1.7')", "select groups('10.0.1.7')"] {
        let ran = ask(question);
        let is_told =
            ran.stderr.contains("has more than one answer") && ran.stderr.contains("(addr, at)");
        assert!(
            ran.code == 2 && is_told,
            "{question}: {} {}",
            ran.code,
            ran.stderr
        );
    }
    let ran = ask(
        "select tier, valid_from is null as a, valid_until is null as b from policy_subnets order by tier",
    );
    assert_eq!(ran.stdout, "tier,a,b\nnew,false,true\nold,true,false\n");
    let ran = ask("select valid_from from policy_groups");
    assert!(ran.stdout.contains("2026-01-01T12:00:00"), "{}", ran.stdout);
}

#[test]
fn a_query_that_takes_too_much_ends_with_advice() {
    let heavy = "select sum(a.value * b.value) from generate_series(1, 10000000) a cross join generate_series(1, 100000) b";
    let ran = sql(&["--timeout", "1", "-c", heavy]);
    ran.refused(4, &["longer than its 1 s (--timeout)"]);
    let wide = "select array_agg(concat(cast(value as varchar), 'a text that takes some room of its own')) from generate_series(1, 10000000)";
    let ran = sql(&["--memory", "64MiB", "-c", wide]);
    ran.refused(4, &["--memory"]);
}

#[test]
fn objects_that_cannot_be_read_are_named_and_the_rest_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = gzip("version srcaddr\n2 10.0.0.1\n2 10.0.0.2\n");
    fs::write(folder.path().join("good.log.gz"), &good).expect("written");
    fs::write(folder.path().join("cut.log.gz"), &good[..good.len() - 9]).expect("written");
    let logs = folder.path().to_str().expect("UTF-8");
    let ran = sql(&[
        "--logs",
        logs,
        "--format",
        "csv",
        "-c",
        "select count(*) as rows from flows",
    ]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_eq!(ran.stdout, "rows\n2\n");
    assert!(ran.stderr.contains("cut.log.gz"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("none of its rows counts"),
        "{}",
        ran.stderr
    );
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).expect("packed");
    packer.finish().expect("packed")
}

/// A server whose bucket `logs` holds the sample.
fn sample_server() -> S3Server {
    let server = S3Server::start();
    let sample = root().join(SAMPLE);
    for entry in walkdir::WalkDir::new(&sample) {
        let entry = entry.expect("the sample can be read");
        if entry.file_type().is_file() {
            let key = entry
                .path()
                .strip_prefix(&sample)
                .expect("below the sample");
            let bytes = fs::read(entry.path()).expect("a file");
            server.put("logs", key.to_str().expect("UTF-8"), bytes);
        }
    }
    server
}

fn in_bucket(server: &S3Server, options: &[&str]) -> Ran {
    let mut command = command(root());
    command.arg("sql").args(options).envs(server.env());
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ran {
        code: output.status.code().expect("the program ends by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

#[test]
fn only_objects_that_can_hold_rows_are_fetched() {
    let server = sample_server();
    let gets = |filter: &str| {
        server.clear_log();
        let question = format!("select count(*) as rows from flows where {filter}");
        let options = ["--logs", "s3://logs", "--format", "csv", "-c", &question];
        let ran = in_bucket(&server, &options);
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{filter}");
        assert_eq!(ran.stdout, flows(&question), "{filter}");
        (server.log_of(Op::Get).len(), server.log_of(Op::List).len())
    };
    let (all, _) = gets("true");
    let (half, _) = gets("start >= '2026-02-25T06:30:00Z'");
    assert!(half > 0 && half < all / 2, "{half} of {all} objects");
    let (late, lists) = gets("start >= '2026-02-26T12:00:00Z'");
    assert_eq!(late, 0);
    let (none, fewer) = gets("key_region = 'eu-north-1'");
    assert!(none == 0 && fewer <= lists, "{fewer} of {lists} listings");
    let (account, _) = gets("key_account = '123456789012' and key_time < '2026-02-25T05:10:00Z'");
    assert!(
        account > 0 && account < all / 8,
        "{account} of {all} objects"
    );
}

#[test]
fn explain_analyze_tells_what_was_read() {
    let plan = flows(
        "explain analyze select count(*) from flows where start >= '2026-02-25T06:30:00Z' and action = 'REJECT'",
    );
    let told = |name: &str| -> usize {
        let rest = plan
            .split(&format!("{name}="))
            .nth(1)
            .unwrap_or_else(|| panic!("{name}: {plan}"));
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
        digits
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_else(|| panic!("{name}: {plan}"))
    };
    // Folders of hours that are not wanted are not listed.
    let (wanted, pruned) = (told("objects_wanted"), told("objects_pruned"));
    assert!(pruned > 0 && wanted > 0 && wanted + pruned < 169, "{plan}");
    assert_eq!(told("objects_read"), told("objects_wanted"), "{plan}");
    assert!(
        told("bytes_decoded") > 0 && told("rows_decoded") > 0,
        "{plan}"
    );
}

#[test]
fn a_limit_ends_the_reading() {
    let server = sample_server();
    let options = [
        "--logs",
        "s3://logs",
        "--threads",
        "2",
        "--format",
        "csv",
        "-c",
    ];
    let ran = in_bucket(
        &server,
        &[&options[..], &["select srcaddr from flows limit 3"]].concat(),
    );
    assert_eq!(
        (ran.code, ran.stdout.lines().count()),
        (0, 4),
        "{}",
        ran.stderr
    );
    let (gets, all) = (server.log_of(Op::Get).len(), server.keys("logs", "").len());
    assert!(gets < all / 10, "{gets} of {all} objects");
}

#[test]
fn objects_of_a_bucket_that_are_denied_are_named() {
    let server = sample_server();
    let denied = &server.keys("logs", "")[3];
    server.fail(Op::Get, denied, 9, Fault::access_denied());
    let options = ["--logs", "s3://logs", "-c", "select count(*) from flows"];
    let ran = in_bucket(&server, &options);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains(denied.as_str()) && ran.stderr.contains("access denied"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_lake_in_a_bucket_is_read_by_ranges() {
    let server = S3Server::start();
    server.create_bucket("lake");
    for entry in walkdir::WalkDir::new(lake()) {
        let entry = entry.expect("the lake can be read");
        if entry.file_type().is_file() {
            let key = entry.path().strip_prefix(lake()).expect("below the lake");
            server.put(
                "lake",
                key.to_str().expect("UTF-8"),
                fs::read(entry.path()).expect("a file"),
            );
        }
    }
    let question = "select rule, sum(connections) as connections from edges where hour = 6 group by rule order by rule";
    let options = ["--lake", "s3://lake", "--format", "csv", "-c", question];
    let ran = in_bucket(&server, &options);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert_eq!(ran.stdout, of_lake(question));
    let gets = server.log_of(Op::Get);
    let of_edges: Vec<&String> = gets.iter().filter(|get| get.contains("edges/")).collect();
    assert!(
        !of_edges.is_empty() && of_edges.iter().all(|get| get.contains("hour=06")),
        "{gets:?}"
    );
    let ranged = server
        .log()
        .iter()
        .filter(|request| request.to_string().contains(" range="))
        .count();
    assert!(ranged > 0);
}

#[test]
fn an_address_is_found_without_reading_the_other_row_groups() {
    let plan =
        of_lake("explain analyze select count(*) from records where client_addr = '203.0.113.254'");
    // Its text lies between the least and the greatest of both files; their bloom filters exclude it.
    let excluded = "row_groups_pruned_bloom_filter=2 total → 0 matched";
    assert!(plan.contains(excluded), "{plan}");
}

#[test]
fn hours_without_a_ledger_do_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(Path::new(lake()), folder.path());
    let lake = folder.path().to_str().expect("UTF-8");
    let hours = |lake: &str| {
        let question = "select distinct hour from edges order by hour";
        sql(&["--lake", lake, "--format", "csv", "-c", question]).stdout
    };
    assert_eq!(hours(lake), "hour\n5\n6\n");
    let ledger = folder
        .path()
        .join("objects/date=2026-02-25/hour=05/part-0000.parquet");
    fs::remove_file(ledger).expect("it was there");
    assert_eq!(hours(lake), "hour\n6\n");
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("it can be read");
        let target = to.join(entry.path().strip_prefix(from).expect("below"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).expect("made");
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn every_format_has_the_same_rows() {
    let question = "select client_tier, count(*) as edges, max(last_seen) as last_seen from edges group by 1 order by 1";
    let csv = of_lake(question);
    let rows = csv.lines().count() - 1;
    let answer = |format: &str| {
        let out = tempfile::tempdir().expect("a folder");
        let file = out.path().join("answer");
        let path = file.to_str().expect("UTF-8");
        let ran = sql(&[
            "--lake",
            lake(),
            "--format",
            format,
            "-o",
            path,
            "-c",
            question,
        ]);
        assert_eq!((ran.code, &*ran.stdout), (0, ""), "{}", ran.stderr);
        fs::read(&file).expect("written")
    };
    assert_eq!(answer("tsv"), csv.replace(',', "\t").into_bytes());
    let json: serde_json::Value = serde_json::from_slice(&answer("json")).expect("JSON");
    assert_eq!(json.as_array().expect("an array").len(), rows);
    let lines = String::from_utf8(answer("ndjson")).expect("UTF-8");
    let values: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(json, serde_json::Value::Array(values));
    assert!(
        csv.contains(json[0]["last_seen"].as_str().expect("a time")),
        "{json}"
    );
    let parquet = bytes::Bytes::from(answer("parquet"));
    let read = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(parquet, 1024);
    let read: usize = read
        .expect("Parquet")
        .map(|batch| batch.expect("rows").num_rows())
        .sum();
    assert_eq!(read, rows);
    let arrow =
        arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(answer("arrow")), None);
    let read: usize = arrow
        .expect("Arrow")
        .map(|batch| batch.expect("rows").num_rows())
        .sum();
    assert_eq!(read, rows);
    let table = String::from_utf8(answer("table")).expect("UTF-8");
    assert!(table.ends_with(&format!("\n{rows} rows\n")), "{table}");
    let ran = sql(&["--lake", lake(), "--rows", "2", "-c", question]);
    assert!(
        ran.stdout
            .contains(&format!("of which {} are not shown", rows - 2)),
        "{}",
        ran.stdout
    );
}

#[test]
fn sql_comes_from_a_file_and_from_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("q.sql");
    fs::write(&file, "select 1 as a; select 2 as b").expect("written");
    let ran = sql(&["--format", "csv", "-f", file.to_str().expect("UTF-8")]);
    assert_eq!((ran.code, &*ran.stdout), (0, "a\n1\nb\n2\n"));
    let mut command = command(root());
    let input = fs::File::open(&file).expect("opened");
    let output = command
        .args(["sql", "--format", "csv"])
        .stdin(input)
        .output()
        .expect("run");
    assert_eq!(output.stdout, ran.stdout.as_bytes());
}

#[test]
fn statements_for_other_engines_name_every_column() {
    use tidegate::sql::{Engine, ddl};
    for engine in Engine::ALL {
        let text = ddl(*engine, "s3://my-lake/tide/", &[]);
        for table in tidegate::sink::Table::ALL {
            assert!(
                text.contains(&format!("s3://my-lake/tide/{}", table.name())),
                "{text}"
            );
            if *engine == Engine::Duckdb {
                continue;
            }
            for field in table.schema().fields() {
                let names = [
                    format!("`{}` ", field.name()),
                    format!("\"{}\" ", field.name()),
                ];
                assert!(
                    names.iter().any(|name| text.contains(name.as_str())),
                    "{engine:?}: {}",
                    field.name()
                );
            }
        }
    }
    let ran = sql(&["--lake", "s3://my-lake/tide", "--ddl", "athena"]);
    assert_eq!(
        (ran.code, &*ran.stdout),
        (0, &*ddl(Engine::Athena, "s3://my-lake/tide", &[]))
    );
}

#[test]
fn long_and_deep_texts_are_answered_or_refused() {
    let chain = |word: &str, by: &str, count: usize| vec![word; count].join(by);
    for text in [
        format!(
            "select count(*) from edges where {}",
            chain("line = 7", " or ", 2_000)
        ),
        format!("select {}", chain("1", "+", 20_000)),
        chain("select 1", " union all ", 1_000),
        format!("select 1{}", "::int".repeat(3_000)),
        format!("{}select 1", "explain ".repeat(500)),
        format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        chain("select 1", ";", 100),
        format!("select '{}'", "x".repeat(200 << 10)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("long.sql");
        fs::write(&file, &text).expect("written");
        let options = ["--lake", lake(), "--timeout", "3", "--format", "csv", "-f"];
        let ran = sql(&[&options[..], &[file.to_str().expect("UTF-8")]].concat());
        let is_late = ran.code == 4 && ran.stderr.contains("(--timeout)");
        assert!(
            matches!(ran.code, 0 | 2) || is_late,
            "{}…: {}: {}",
            &text[..60],
            ran.code,
            ran.stderr
        );
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
}

#[test]
fn lists_and_maps_are_json_in_csv() {
    let nested = "select [1, 2] as l, named_struct('a', 'x,y', 'b', null) as s, make_array() as e, cast(null as int) as n";
    let ran = sql(&["--format", "csv", "-c", nested]);
    assert_eq!(
        (ran.code, &*ran.stdout),
        (
            0,
            "l,s,e,n\n\"[1,2]\",\"{\"\"a\"\":\"\"x,y\"\",\"\"b\"\":null}\",[],\n"
        ),
        "{}",
        ran.stderr
    );
    let ran = sql(&[
        "--logs",
        SAMPLE,
        "--format",
        "csv",
        "-c",
        "select * from flows limit 3",
    ]);
    assert_eq!(
        (ran.code, ran.stdout.lines().count()),
        (0, 4),
        "{}",
        ran.stderr
    );
}

#[test]
fn members_of_an_object_of_json_have_names_of_their_own() {
    let question = "select * from (values (1, 2)) a(x, x_2) cross join (values (3)) b(x)";
    let ran = sql(&["--format", "ndjson", "-c", question]);
    assert_eq!(
        ran.stdout, "{\"x\":1,\"x_2\":2,\"x_3\":3}\n",
        "{}",
        ran.stderr
    );
}

#[test]
fn a_wrong_question_replaces_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("answer");
    fs::write(&file, "kept").expect("written");
    let path = file.to_str().expect("UTF-8");
    for question in ["drop table x", "select nothing", "select 1 +"] {
        let ran = sql(&["-o", path, "-c", question]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&file).expect("there"), "kept");
    }
    let ran = sql(&[
        "--format",
        "parquet",
        "-o",
        path,
        "-c",
        "select 1; select 2",
    ]);
    ran.refused(2, &["holds the answer of one statement"]);
}

#[test]
fn an_interrupted_query_leaves_nothing_aside() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut command = command(root());
    let endless = "select count(*) from edges; select sum(a.value + b.value) from generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    command.args([
        "sql", "--logs", SAMPLE, "--policy", POLICY, "--format", "csv", "-c", endless,
    ]);
    let mut child = command
        .env("TMPDIR", temp.path())
        .spawn()
        .expect("the program starts");
    // The first answer is there when the second query has not ended.
    let mut first = [0; 8];
    let mut answers = child.stdout.take().expect("piped");
    std::io::Read::read_exact(&mut answers, &mut first).expect("an answer");
    let pid = child.id().to_string();
    let told = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(told.expect("a shell's command").success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!(fs::read_dir(temp.path()).expect("listed").count(), 0);
}
