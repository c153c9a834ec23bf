//! What the program promises, part by part.

// What `generate` writes.
mod cli_generate;
// Policies with and without errors.
mod cli_policy;
// What is no error in a policy but probably not meant: shown, as JSON, as SARIF, explained.
mod cli_policy_check;
// What a lake evidences of the controls that rules implement.
mod cli_policy_controls;
// How a policy decides, told step by step.
mod cli_policy_explain;
// What would end a finding, in the network and in the policy.
mod cli_policy_fix;
// The tests of a policy, and tests made from findings.
mod cli_policy_test;
// Two policies over the same traffic, and what traffic uses of one.
mod cli_policy_replay;
// Drafts of policies, from describe calls and from Terraform.
mod cli_policy_import;
// The difference of two policies, as its users see it.
mod cli_policy_diff;
// What a policy intends, what AWS is configured to let through, what the logs show.
mod cli_policy_drift;
// A policy learned from traffic, and how it fits that traffic.
mod cli_policy_suggest;
// The program as its users run it: what they type, what they get back.
mod cli_program;
// A scan of the sample: reports, exit codes, errors for people.
mod cli_scan;
// Help, wrong usage, wrong paths, broken pipes.
mod cli_usage;
// Bytes of an object become records: every dress, layout, wrapping and quirk.
mod decode;
// Parquet objects give what the same rows give as text; broken ones say so.
mod decode_parquet;
// Scans, beacons, volumes, silence: each found, and a quiet day quiet.
mod detect;
// What is given for operation.
mod deploy;
// What the manual shows works.
mod docs;
// Broken and hostile objects: counted or named, never a crash.
mod hostile;
// A draft decides what its security groups and network ACLs decide.
mod import_twin;
// A lake in DuckDB, Polars and PyArrow.
mod interop;
// AWS's documented examples, judged.
mod judge_aws;
// Who is the client: every row of the ladder, and what has misled others.
mod judge_orientation;
// Every kind of REJECT, of observer, of transit, of reason not to judge.
mod judge_rejects;
// Where an endpoint belongs, what a rule decides: every word, step and rank.
mod judge_rules;
// Every row of outcome, verdict, flags and severity.
mod judge_verdict;
// A lake: what is written is read back, the same rows give the same bytes, a crash repeats and loses nothing.
mod lake;
// Records of an hour in a lake: any order and any memory give the same bytes, in the order of the table.
mod lake_records;
// The same lake in S3, over HTTP: as in a folder, and through throttling, broken answers and refusals.
mod lake_s3;
// An inventory: groups, types and public addresses by files beside the policy.
mod inventory;
// Dependencies between modules point down only, and the core does no I/O.
mod layers;
// A memory limit holds: the kernel is asked for the peak of a run.
#[cfg(target_os = "linux")]
mod memory;
// AWS's S3, SQS, SNS and Security Hub as Moto plays them.
mod moto;
// Whose addresses are, by files that the policy names.
mod origins;
// The difference of two policies against every question asked of both.
mod policy_diff;
// The policy reference: its examples parse, its tables are complete.
mod policy_docs;
// The prompt of `sql`: edited, completed, interrupted.
#[cfg(target_os = "linux")]
mod prompt;
// Curated queries: each against stored rows.
mod queries;
// Samples: all that was planted is found, and nothing else.
mod sample;
// Rules by domain, judged by Resolver logs.
mod resolver_logs;
// The policies that ship: whole, with tests that hold, and traffic from each is judged as planted.
mod shipped_policies;
// An S3 server for the tests, over real HTTP.
mod s3_server;
// A scan by several policies, each of which judges its days.
mod several_policies;
// One answer, byte for byte, whatever the threads, the memory, the order, the division in time, or a kill.
mod same_lake;
// Sources: which objects are found, by which requests; half an object never counts.
mod source;
// The program and its sources: a bucket says what a folder says, what cannot be read is named, exit codes.
mod source_program;
// `tidegate sql`: tables, functions, pushdown, what is refused.
mod sql;
// `tidegate watch`: the lake of a scan, alerts, crashes, lateness.
mod watch;
// A watch and the targets of its alerts.
mod watch_alerts;
// A watch and the targets of its alerts in AWS.
mod watch_aws;
// A watch as it is operated.
mod watch_operation;
// Who of several watches writes to a lake.
mod watch_lease;
// A watch whose policy goes by Resolver logs.
mod watch_names;
// `watch` under steady load: its memory stays as it is.
#[cfg(target_os = "linux")]
mod watch_soak;
// A watch as time goes by.
mod watch_time;
// A watch and its queue.
mod watch_queue;
// What the program shows on a terminal and nowhere else.
#[cfg(target_os = "linux")]
mod terminal;
// The slow, obvious twin of the judge.
mod twin;
