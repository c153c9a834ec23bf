use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use tidegate::flow::{
    Action, DecodeError, DecodeOptions, Decoded, Direction, Field, Fields, FlowsBuilder, Input,
    Layout, MalformedLine, Ranges, Record, RecordSink, Scratch, decode,
};
use tidegate::net::aws::{SERVICES, Service};

/// Writes down in words what it is handed, and builds rows of the `flows` table.
pub(crate) struct Words {
    lines: Vec<String>,
    unverified: bool,
    pub flows: FlowsBuilder,
}

impl Default for Words {
    fn default() -> Self {
        Words {
            lines: Vec::new(),
            unverified: false,
            flows: FlowsBuilder::new(None),
        }
    }
}

impl Words {
    fn take(&mut self, status: &str, record: &Record, fields: &impl Fields) {
        let line = format!("{}{status} {}", record.line, in_words(record, fields));
        self.lines.push(line.trim_end().to_owned());
        let times = (record.start, record.end);
        self.flows.push(times, fields, "object", record.line);
    }
}

impl RecordSink for Words {
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        self.take("", record, fields);
    }

    fn status(&mut self, record: &Record, skip: bool, fields: &impl Fields) {
        self.take(if skip { " skipdata" } else { " nodata" }, record, fields);
    }

    fn malformed(&mut self, line: u64, why: &MalformedLine, text: &[u8]) {
        assert!(text.len() <= 64 << 10);
        self.lines.push(format!("{line} malformed: {why}"));
    }

    fn unverified(&mut self) {
        assert!(
            self.lines.is_empty(),
            "said only after something was handed on"
        );
        self.unverified = true;
    }
}

/// What a record says that is not simply absent.
fn in_words(record: &Record, fields: &impl Fields) -> String {
    let mut words = Vec::new();
    if record.complete {
        let ports = |addr, port| format!("{addr}:{port}");
        words.push(format!(
            "{} > {} {}",
            ports(record.src, record.src_port),
            ports(record.dst, record.dst_port),
            record.protocol
        ));
    }
    if (record.pkt_src, record.pkt_dst) != (record.src, record.dst) {
        words.push(format!("pkt {} > {}", record.pkt_src, record.pkt_dst));
    }
    if (record.packets, record.bytes) != (0, 0) {
        words.push(format!("{}/{}", record.packets, record.bytes));
    }
    if (record.start, record.end) != (0, 0) {
        words.push(format!("{}-{}", record.start, record.end));
    }
    match record.action {
        Action::Accept => words.push("accept".into()),
        Action::Reject => words.push("reject".into()),
        Action::Absent => {}
    }
    match record.direction {
        Direction::Ingress => words.push("ingress".into()),
        Direction::Egress => words.push("egress".into()),
        Direction::Unknown => {}
    }
    words.extend(record.tcp_flags.map(|flags| format!("flags {flags}")));
    if record.traffic_path != 0 {
        words.push(format!("path {}", record.traffic_path));
    }
    words.extend(
        record
            .encryption
            .map(|status| format!("encryption {status}")),
    );
    for (end, service) in [("src", record.src_service), ("dst", record.dst_service)] {
        match service {
            Service::Unknown | Service::None => {}
            Service::Known(index) => words.push(format!("{end} {}", SERVICES[usize::from(index)])),
            Service::Other => words.push(format!("{end} other")),
        }
    }
    fields.extra(&mut |name, text| {
        words.push(format!("{name}={}", String::from_utf8_lossy(text)));
    });
    words.join(" ")
}

/// An object behind ranged requests, which may fail from some byte on.
pub(crate) struct Remote {
    pub bytes: Bytes,
    pub fails_at: u64,
}

impl Ranges for Remote {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, start: u64, length: usize) -> std::io::Result<Bytes> {
        if start + length as u64 > self.fails_at {
            return Err(std::io::Error::other("the connection broke"));
        }
        Ok(self.bytes.slice(start as usize..start as usize + length))
    }
}

/// Decodes and says in words what came of it; nothing may reach the sink of an object that breaks, but unverified.
pub(crate) fn in_words_of(input: Input<'_>, options: &DecodeOptions) -> (Vec<String>, String) {
    let mut words = Words::default();
    match decode(input, options, &mut Scratch::default(), &mut words) {
        Ok(decoded) => (words.lines, summary(&decoded)),
        Err(error) => {
            assert!(words.unverified || words.lines.is_empty());
            (Vec::new(), format!("error: {error}"))
        }
    }
}

fn summary(decoded: &Decoded) -> String {
    let tally = decoded.tally;
    assert!(tally.adds_up(), "{tally:?}");
    let mut words = vec![format!("{} lines", tally.lines)];
    for (count, what) in [
        (tally.blank, "blank"),
        (tally.headers, "headers"),
        (tally.records, "records"),
        (tally.no_data, "nodata"),
        (tally.skip_data, "skipdata"),
        (tally.malformed, "malformed"),
    ] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    if decoded.assumed {
        words.push("assumed".into());
    }
    words.join(" ")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// The same lines in every dress, in memory and behind ranges, must give what is expected: one line for each record,
/// status line and malformed line, and the account.
fn check_with(options: &DecodeOptions, text: impl AsRef<[u8]>, expected: &str) {
    let text = text.as_ref();
    let zstd = zstd::encode_all(text, 1).expect("writing to memory");
    for packed in [text.to_vec(), gzip(text), zstd] {
        let bytes = Bytes::from(packed);
        let remote = Remote {
            bytes: bytes.clone(),
            fails_at: u64::MAX,
        };
        for input in [Input::Bytes(&bytes), Input::Ranges(&remote)] {
            let (mut lines, summary) = in_words_of(input, options);
            lines.push(summary);
            let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
            assert_eq!(lines, expected);
        }
    }
}

fn check(text: impl AsRef<[u8]>, expected: &str) {
    check_with(&DecodeOptions::default(), text, expected);
}

const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
const FLAGS: &str = "version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport pkt-srcaddr pkt-dstaddr protocol bytes packets start end action tcp-flags log-status";
const SSH: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";
const SSH_WORDS: &str =
    "172.31.16.139:20641 > 172.31.16.21:22 6 20/4249 1418530010-1418530070 accept";

// AWS, Flow log record examples (VPC User Guide).

#[test]
fn aws_accepted_and_rejected_traffic() {
    let text = format!(
        "{DEFAULT}
{SSH}
2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK
"
    );
    check(
        text,
        "2 172.31.16.139:20641 > 172.31.16.21:22 6 20/4249 1418530010-1418530070 accept
         3 172.31.9.69:49761 > 172.31.9.12:3389 6 20/4249 1418530010-1418530070 reject
         3 lines 1 headers 2 records",
    );
}

#[test]
fn aws_no_data_and_skipped_records() {
    let text = format!(
        "{DEFAULT}
2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA
2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA
"
    );
    check(
        text,
        "2 nodata 1431280876-1431280934
         3 skipdata 1431280876-1431280934
         3 lines 1 headers 1 nodata 1 skipdata",
    );
}

#[test]
fn aws_ping_with_a_network_acl_that_rejects_the_reply() {
    let text = format!(
        "{DEFAULT}
2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK
2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 REJECT OK
"
    );
    check(
        text,
        "2 203.0.113.12:0 > 172.31.16.139:0 1 4/336 1432917027-1432917142 accept
         3 172.31.16.139:0 > 203.0.113.12:0 1 4/336 1432917094-1432917142 reject
         3 lines 1 headers 2 records",
    );
}

#[test]
fn aws_ipv6_traffic() {
    let text = format!(
        "{DEFAULT}
2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK
"
    );
    check(
        text,
        "2 2001:db8:1234:a100:8d6e:3477:df66:f105:34892 > 2001:db8:1234:a102:3304:8879:34cf:4071:22 6 54/8855 1477913708-1477913820 accept
         2 lines 1 headers 1 records",
    );
}

#[test]
fn aws_tcp_flag_sequence() {
    let text = format!(
        "{FLAGS}
3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK
3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43416 10.0.0.62 52.213.180.42 6 376 7 1566848875 1566848933 ACCEPT 18 OK
3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43418 10.0.0.62 52.213.180.42 6 63388 1219 1566933133 1566933170 ACCEPT 1 OK
"
    );
    check(
        text,
        "2 52.213.180.42:43416 > 10.0.0.62:5001 6 8/568 1566848875-1566848933 accept flags 2
         3 10.0.0.62:5001 > 52.213.180.42:43416 6 7/376 1566848875-1566848933 accept flags 18
         4 10.0.0.62:5001 > 52.213.180.42:43418 6 1219/63388 1566933133-1566933170 accept flags 1
         4 lines 1 headers 3 records",
    );
}

#[test]
fn aws_nat_gateway_legs() {
    // The documented format has neither ports nor protocol, so its records are there but cannot be judged.
    check(
        "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr
- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5
- eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5
- eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220
- eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5
i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5
",
        "2 pkt 10.0.1.5 > 203.0.113.5
         3
         4
         5 pkt 203.0.113.5 > 10.0.1.5
         6
         6 lines 1 headers 5 records",
    );
}

#[test]
fn aws_transit_gateway_attachment() {
    check(
        "version interface-id account-id vpc-id subnet-id instance-id srcaddr dstaddr srcport dstport protocol tcp-flags type pkt-srcaddr pkt-dstaddr action log-status
3 eni-33333333333333333 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb - 10.40.1.175 10.40.2.236 39812 80 6 3 IPv4 10.20.33.164 10.40.2.236 ACCEPT OK
",
        "2 10.40.1.175:39812 > 10.40.2.236:80 6 pkt 10.20.33.164 > 10.40.2.236 accept flags 3
         2 lines 1 headers 1 records",
    );
}

#[test]
fn aws_service_name_and_traffic_path() {
    check(
        "version srcaddr dstaddr srcport dstport protocol start end type packets bytes account-id vpc-id subnet-id instance-id interface-id region az-id sublocation-type sublocation-id action tcp-flags pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service traffic-path flow-direction log-status
5 52.95.128.179 10.0.0.71 80 34210 6 1616729292 1616729349 IPv4 14 15044 123456789012 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - ACCEPT 19 52.95.128.179 10.0.0.71 S3 - - ingress OK
5 10.0.0.71 52.95.128.179 34210 80 6 1616729292 1616729349 IPv4 7 471 123456789012 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - ACCEPT 3 10.0.0.71 52.95.128.179 - S3 8 egress OK
",
        "2 52.95.128.179:80 > 10.0.0.71:34210 6 14/15044 1616729292-1616729349 accept ingress flags 19 src S3
         3 10.0.0.71:34210 > 52.95.128.179:80 6 7/471 1616729292-1616729349 accept egress flags 3 path 8 dst S3
         3 lines 1 headers 2 records",
    );
}

#[test]
fn aws_transit_gateway_flow_log() {
    check(
        "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service
6 TransitGateway 123456789012 tgw-0123456789abcdef0 tgw-attach-0123456789abcdef0 123456789012 123456789012 vpc-0a vpc-0b subnet-0a subnet-0b eni-0a eni-0b use1-az1 use1-az2 tgw-attach-0abcdef0123456789 10.20.33.164 10.40.2.236 39812 80 6 10 1000 1616729292 1616729349 OK IPv4 0 0 0 0 2 us-east-1 ingress - -
",
        "2 10.20.33.164:39812 > 10.40.2.236:80 6 10/1000 1616729292-1616729349 ingress flags 2
         2 lines 1 headers 1 records",
    );
}

// Layouts.

#[test]
fn an_alphabetical_layout_is_read_by_its_header() {
    check(
        "account-id action bytes dstaddr dstport end interface-id log-status packets protocol srcaddr srcport start version
123456789010 ACCEPT 4249 172.31.16.21 22 1418530070 eni-0 OK 20 6 172.31.16.139 20641 1418530010 2
",
        &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"),
    );
}

#[test]
fn underscores_in_a_header_are_hyphens() {
    let text = format!("{}\n{SSH}\n", DEFAULT.replace('-', "_"));
    check(text, &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"));
}

#[test]
fn two_formats_with_as_many_fields_are_not_mixed_up() {
    check(
        "srcaddr dstaddr srcport dstport\n10.0.0.1 10.0.0.2 1 2\nsrcport dstport srcaddr dstaddr\n1 2 10.0.0.1 10.0.0.2\n10.0.0.1 10.0.0.2 1 2\n",
        "2
         4
         5 malformed: expected an IP address in `srcaddr`, got `1`
         5 lines 2 headers 2 records 1 malformed",
    );
}

#[test]
fn unknown_fields_go_into_extra() {
    check(
        "srcaddr brand-new dstaddr newer-still\n10.0.0.1 a=b 10.0.0.2 -\n",
        "2 brand-new=a=b\n2 lines 1 headers 1 records",
    );
}

#[test]
fn a_header_repeated_in_mid_file_counts_as_header() {
    let text = format!("{DEFAULT}\n{SSH}\n{DEFAULT}\n{SSH}\n");
    check(
        text,
        &format!("2 {SSH_WORDS}\n4 {SSH_WORDS}\n4 lines 2 headers 2 records"),
    );
}

#[test]
fn another_header_in_mid_file_switches_the_layout() {
    let text = format!("{DEFAULT}\n{SSH}\n\nprotocol dstaddr srcaddr\n1 10.0.0.2 10.0.0.1\n");
    check(
        text,
        &format!("2 {SSH_WORDS}\n5 10.0.0.1:0 > 10.0.0.2:0 1\n5 lines 1 blank 2 headers 2 records"),
    );
}

#[test]
fn a_layout_of_text_fields_only_still_sees_headers() {
    check(
        "interface-id vpc-id\neni-0 vpc-0\ninterface-id vpc-id\n{} x\n",
        "2
         4 malformed: expected JSON with `message` or `logEvents`, got `{}`
         5 malformed: expected 2 fields, got 1
         5 lines 2 headers 1 records 2 malformed",
    );
}

#[test]
fn without_a_header_the_default_format_is_assumed_if_the_first_line_fits() {
    check(
        format!("{SSH}\n{SSH}\n"),
        &format!("1 {SSH_WORDS}\n2 {SSH_WORDS}\n2 lines 2 records assumed"),
    );
    let none = "error: no header line, and the first line has 3 fields where the default format has 14; give --layout";
    check("some other file\n", none);
    check(
        SSH.replace("ACCEPT", "MAYBE"),
        &none.replace("3 fields", "14 fields"),
    );
}

#[test]
fn without_a_header_the_given_layout_is_used() {
    let layout = Layout::parse_format("${protocol} ${dstaddr} ${srcaddr}").expect("a layout");
    let options = DecodeOptions {
        layout: Some(Arc::new(layout)),
        ..DecodeOptions::default()
    };
    check_with(
        &options,
        "1 10.0.0.2 10.0.0.1\n",
        "1 10.0.0.1:0 > 10.0.0.2:0 1\n1 lines 1 records",
    );
    // A header in the file knows better.
    check_with(
        &options,
        format!("{DEFAULT}\n{SSH}\n"),
        &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"),
    );
}

// Quirks that break parsers.

#[test]
fn a_dash_may_stand_in_any_field() {
    let text =
        format!("{DEFAULT}\n- - - - - - - - - - - - - -\n- - - 10.0.0.1 - 1 - 6 - - - - - OK\n");
    check(text, "2 nodata\n3\n3 lines 1 headers 1 records 1 nodata");
}

#[test]
fn status_lines_may_have_other_columns_filled() {
    check(
        "interface-id vpc-id az-id start end srcaddr log-status\neni-0 vpc-0 use1-az4 1616729292 1616729349 - NODATA\neni-0 vpc-0 use1-az4 1616729292 1616729292 - SKIPDATA\n",
        "2 nodata 1616729292-1616729349
         3 skipdata 1616729292-1616729292
         3 lines 1 headers 1 nodata 1 skipdata",
    );
}

#[test]
fn without_a_status_field_a_missing_source_is_no_data() {
    check(
        "srcaddr dstaddr protocol start\n- - - 1616729292\n10.0.0.1 - 1 1616729292\n",
        "2 nodata 1616729292-0\n3 1616729292-0\n3 lines 1 headers 1 records 1 nodata",
    );
}

#[test]
fn milliseconds_lose_their_fraction() {
    let text = format!(
        "{DEFAULT}\n{}\n",
        SSH.replace("1418530010 1418530070", "1418530010999 1418530070000")
    );
    check(text, &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"));
}

#[test]
fn times_outside_2014_to_2100_are_malformed() {
    check(
        "start end\n1388534400 4102444799\n1388534399 -\n- 4102444800\n141853001 -\n4102444800000 -\n",
        "2 1388534400-4102444799
         3 malformed: expected a time between 2014 and 2100 in `start`, got `1388534399`
         4 malformed: expected a time between 2014 and 2100 in `end`, got `4102444800`
         5 malformed: expected a time between 2014 and 2100 in `start`, got `141853001`
         6 malformed: expected a time between 2014 and 2100 in `start`, got `4102444800000`
         6 lines 1 headers 1 records 4 malformed",
    );
}

#[test]
fn end_before_start_is_left_as_it_is() {
    check(
        "start end\n1616729349 1616729292\n",
        "2 1616729349-1616729292\n2 lines 1 headers 1 records",
    );
}

#[test]
fn accounts_and_interfaces_are_any_text() {
    check(
        "account-id interface-id srcaddr dstaddr protocol\nunknown eni-xxxx 10.0.0.1 10.0.0.2 1\n01234567890 - 10.0.0.1 10.0.0.2 1\n",
        "2 10.0.0.1:0 > 10.0.0.2:0 1
         3 10.0.0.1:0 > 10.0.0.2:0 1
         3 lines 1 headers 2 records",
    );
}

#[test]
fn the_version_need_not_be_that_of_the_fields() {
    check(
        "version srcaddr dstaddr protocol\n11 10.0.0.1 10.0.0.2 1\n- 10.0.0.1 10.0.0.2 1\nv2 10.0.0.1 10.0.0.2 1\n",
        "2 10.0.0.1:0 > 10.0.0.2:0 1
         3 10.0.0.1:0 > 10.0.0.2:0 1
         4 malformed: expected a version number in `version`, got `v2`
         4 lines 1 headers 2 records 1 malformed",
    );
}

#[test]
fn a_last_line_without_newline_counts() {
    check(
        format!("{DEFAULT}\n{SSH}"),
        &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"),
    );
}

#[test]
fn blank_lines_are_counted() {
    let text = format!("{DEFAULT}\n\n  \n{SSH}\n\t\n\n");
    check(
        text,
        &format!("4 {SSH_WORDS}\n6 lines 4 blank 1 headers 1 records"),
    );
}

#[test]
fn blanks_may_be_doubled_and_may_trail() {
    let text = format!(
        "  {}  \n {} \n",
        DEFAULT.replace(' ', "  "),
        SSH.replace(' ', " \t")
    );
    check(text, &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"));
}

#[test]
fn a_doubled_blank_is_no_field() {
    let text = format!(
        "{DEFAULT}\n{}\n",
        SSH.replace(" eni-1235b8ca123456789 ", "  ")
    );
    check(
        text,
        "2 malformed: expected 14 fields, got 13\n2 lines 1 headers 1 malformed",
    );
}

#[test]
fn carriage_returns_are_blanks() {
    let text = format!("{DEFAULT}\r\n{SSH}\r\n\r\n{SSH}\r\n");
    check(
        text,
        &format!("2 {SSH_WORDS}\n4 {SSH_WORDS}\n4 lines 1 blank 1 headers 2 records"),
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_header() {
    check(
        format!("\u{feff}{DEFAULT}\n{SSH}\n"),
        &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"),
    );
}

#[test]
fn nul_bytes_and_invalid_utf8_are_text() {
    let mut text = format!("{DEFAULT}\n").into_bytes();
    text.extend_from_slice(&SSH.replace("eni-1235b8ca123456789", "e\0i").into_bytes());
    text.push(b'\n');
    let mut invalid = SSH.as_bytes().to_vec();
    invalid[3] = 0xff;
    text.extend_from_slice(&invalid);
    text.extend_from_slice(
        format!("\n{}\n", SSH.replace("172.31.16.139", "172.31\0.16.139")).as_bytes(),
    );
    check(
        text,
        &format!(
            "2 {SSH_WORDS}
             3 {SSH_WORDS}
             4 malformed: expected an IP address in `srcaddr`, got `172.31\u{fffd}.16.139`
             4 lines 1 headers 2 records 1 malformed"
        ),
    );
}

#[test]
fn integers_wider_than_32_bits_hold() {
    check(
        "packets bytes\n9223372036854775807 4294967296\n9223372036854775808 1\n-1 1\n1.0 1\n",
        "2 9223372036854775807/4294967296
         3 malformed: expected a whole number in `packets`, got `9223372036854775808`
         4 malformed: expected a whole number in `packets`, got `-1`
         5 malformed: expected a whole number in `packets`, got `1.0`
         5 lines 1 headers 1 records 3 malformed",
    );
}

#[test]
fn each_field_of_a_record_must_be_what_it_promises() {
    for (field, good, bad, wants) in [
        ("srcaddr", "10.0.0.1", "10.0.0.256", "an IP address"),
        ("dstaddr", "fe80::1", "fe80::1%eth0", "an IP address"),
        ("pkt-srcaddr", "::", "1.2.3", "an IP address"),
        ("pkt-dstaddr", "1.2.3.4", "01.2.3.4", "an IP address"),
        ("srcport", "65535", "65536", "a port number"),
        ("dstport", "0", "https", "a port number"),
        ("protocol", "255", "256", "a protocol number"),
        ("packets", "0", "x", "a whole number"),
        ("bytes", "0", "1,000", "a whole number"),
        ("action", "REJECT", "Accept", "ACCEPT or REJECT"),
        ("log-status", "OK", "FINE", "OK, NODATA or SKIPDATA"),
        ("tcp-flags", "63", "256", "a number from 0 to 255"),
        ("traffic-path", "9", "S", "a number from 0 to 255"),
        ("encryption-status", "3", "nitro", "a number from 0 to 255"),
        ("flow-direction", "egress", "outbound", "ingress or egress"),
        ("version", "2", "two", "a version number"),
    ] {
        let text = Bytes::from(format!(
            "{field} vpc-id\n{good} vpc-0\n- vpc-0\n{bad} vpc-0\n"
        ));
        let (lines, summary) = in_words_of(Input::Bytes(&text), &DecodeOptions::default());
        assert_eq!(
            lines.last(),
            Some(&format!(
                "4 malformed: expected {wants} in `{field}`, got `{bad}`"
            ))
        );
        let data = if field == "srcaddr" {
            "1 records 1 nodata"
        } else {
            "2 records"
        };
        assert_eq!(
            summary,
            format!("4 lines 1 headers {data} 1 malformed"),
            "{field}"
        );
    }
}

#[test]
fn fields_that_nobody_reads_are_not_checked() {
    check(
        "type packets-lost-mtu-exceeded instance-tag protocol\nIPvX many a%20b 1\n",
        "2\n2 lines 1 headers 1 records",
    );
}

#[test]
fn ports_are_zero_where_the_protocol_has_none() {
    check(
        "srcaddr dstaddr protocol srcport dstport\n10.0.0.1 10.0.0.2 47 7 9\n10.0.0.1 10.0.0.2 58 - -\n10.0.0.1 10.0.0.2 17 - 53\n10.0.0.1 10.0.0.2 - 1 2\n",
        "2 10.0.0.1:0 > 10.0.0.2:0 47
         3 10.0.0.1:0 > 10.0.0.2:0 58
         4
         5
         5 lines 1 headers 4 records",
    );
}

#[test]
fn only_tcp_has_tcp_flags() {
    check(
        "protocol tcp-flags\n6 0\n6 -\n17 2\n",
        "2 flags 0\n3\n4\n4 lines 1 headers 3 records",
    );
}

#[test]
fn a_regional_nat_gateway_has_no_interface() {
    check(
        "interface-id subnet-id instance-id resource-id srcaddr dstaddr protocol\n- - - nat-0abc 203.0.113.1 198.51.100.1 1\n",
        "2 203.0.113.1:0 > 198.51.100.1:0 1\n2 lines 1 headers 1 records",
    );
}

#[test]
fn bpa_rejects_lack_bytes_and_reject_reasons_are_open() {
    check(
        "srcaddr dstaddr protocol packets bytes action reject-reason\n10.0.0.1 10.0.0.2 1 3 - REJECT BPA\n10.0.0.1 10.0.0.2 1 3 252 ACCEPT Accepted\n",
        "2 10.0.0.1:0 > 10.0.0.2:0 1 3/0 reject
         3 10.0.0.1:0 > 10.0.0.2:0 1 3/252 accept
         3 lines 1 headers 2 records",
    );
}

#[test]
fn addresses_come_in_any_spelling_and_family() {
    check(
        "srcaddr dstaddr pkt-srcaddr pkt-dstaddr protocol\n2a02:cf40:: 10.0.0.2 2A02:CF40:0:0:0:0:0:0 10.0.0.2 1\n::ffff:10.0.0.1 64:ff9b::a00:2 10.0.0.1 10.0.0.2 1\n",
        "2 2a02:cf40:::0 > 10.0.0.2:0 1
         3 10.0.0.1:0 > 10.0.0.2:0 1
         3 lines 1 headers 2 records",
    );
}

#[test]
fn packet_addresses_alone_make_a_record_complete() {
    check(
        "pkt-srcaddr pkt-dstaddr protocol\n10.0.0.1 10.0.0.2 1\n",
        "2 10.0.0.1:0 > 10.0.0.2:0 1\n2 lines 1 headers 1 records",
    );
}

#[test]
fn new_service_codes_are_kept_as_other() {
    check(
        "pkt-src-aws-service pkt-dst-aws-service\nAMAZON_NEW DYNAMODB\n",
        "2 src other dst DYNAMODB\n2 lines 1 headers 1 records",
    );
}

// Wrappings.

#[test]
fn lines_of_an_export_task_have_a_time_in_front() {
    let text = format!(
        "2025-02-25T12:25:04.000Z {SSH}\n2025-02-25T12:25:04.000Z {SSH}\n2025-02-25T12:25:04.000Z\n"
    );
    check(
        text,
        &format!(
            "1 {SSH_WORDS}
             2 {SSH_WORDS}
             3 malformed: expected a record behind the time, got `2025-02-25T12:25:04.000Z`
             3 lines 2 records 1 malformed assumed"
        ),
    );
}

#[test]
fn a_time_that_is_the_first_field_stays_one() {
    // The last row has too little behind it to go the fast way, and so has the one of two blanks.
    let row =
        "2025-02-25T12:25:04Z 10.0.0.1 10.0.1.2 40000 443 6 1 40 1772002800 1772002860 ACCEPT OK";
    let words = "10.0.0.1:40000 > 10.0.1.2:443 6 1/40 1772002800-1772002860 accept delivered-at=2025-02-25T12:25:04Z";
    check(
        format!(
            "delivered-at srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n{row}\n{}\n{row}\n2025-02-25T12:25:04Z {row}\n{row}",
            row.replacen(' ', "  ", 1)
        ),
        &format!(
            "2 {words}
             3 {words}
             4 {words}
             5 {words}
             6 {words}
             6 lines 1 headers 5 records"
        ),
    );
}

#[test]
fn the_events_of_a_subscription_are_lines() {
    let text = format!(
        r#"{{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}}]}}
{{"messageType":"DATA_MESSAGE","owner":"123456789010","logGroup":"g","logStream":"eni-0-all","subscriptionFilters":["f"],"logEvents":[{{"id":"1","timestamp":1418530010000,"message":"{SSH}","extractedFields":{{"a":"-"}}}},{{"id":"2","timestamp":1418530010000,"message":"{SSH}"}}]}}"#
    );
    check(
        text,
        &format!("2 {SSH_WORDS}\n3 {SSH_WORDS}\n3 lines 1 blank 2 records assumed"),
    );
}

#[test]
fn json_objects_on_one_line_are_lines_of_their_own() {
    let message = format!(r#"{{"message":"{SSH}"}}"#);
    check(
        format!("{message}{message} {message}\n{message}"),
        &format!(
            "1 {SSH_WORDS}\n2 {SSH_WORDS}\n3 {SSH_WORDS}\n4 {SSH_WORDS}\n4 lines 4 records assumed"
        ),
    );
}

#[test]
fn a_message_may_hold_several_lines_and_a_header() {
    check(
        format!(r#"{{"message":"{DEFAULT}\n{SSH}\n"}}"#),
        &format!("2 {SSH_WORDS}\n2 lines 1 headers 1 records"),
    );
}

#[test]
fn json_that_is_no_flow_log_is_malformed() {
    check(
        "{\"Records\":[]}\n{\"message\":\n{\"message\":7}\n{\"message\":\"x\"} rest\n",
        "1 malformed: expected JSON with `message` or `logEvents`, got `{\"Records\":[]}`
         2 malformed: expected a whole JSON object, got `{\"message\":`
         3 malformed: expected JSON with `message` or `logEvents`, got `{\"message\":7}`
         4 malformed: expected a header line, got `x`
         5 malformed: expected a header line, got `rest`
         5 lines 5 malformed",
    );
}

// Objects.

#[test]
fn empty_and_header_only_objects_are_fine() {
    check("", "0 lines");
    check(format!("{DEFAULT}\n"), "1 lines 1 headers");
    check(DEFAULT, "1 lines 1 headers");
}

#[test]
fn gzip_members_are_one_text() {
    let bytes = Bytes::from(
        [
            gzip(DEFAULT.as_bytes()),
            gzip(b""),
            gzip(format!("\n{SSH}\n").as_bytes()),
        ]
        .concat(),
    );
    let remote = Remote {
        bytes: bytes.clone(),
        fails_at: u64::MAX,
    };
    for input in [Input::Bytes(&bytes), Input::Ranges(&remote)] {
        let (lines, summary) = in_words_of(input, &DecodeOptions::default());
        assert_eq!(lines, [format!("2 {SSH_WORDS}")]);
        assert_eq!(summary, "2 lines 1 headers 1 records");
    }
}

#[test]
fn zstd_frames_are_one_text() {
    let frame = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("packs");
    let long = long_text();
    let frames = [frame(&long), frame(""), frame(&long), frame(&long)];
    let bytes = Bytes::from(frames.concat());
    let remote = Remote {
        bytes: bytes.clone(),
        fails_at: u64::MAX,
    };
    for input in [Input::Bytes(&bytes), Input::Ranges(&remote)] {
        let (lines, summary) = in_words_of(input, &DecodeOptions::default());
        assert_eq!(lines.len(), 15_000);
        assert_eq!(summary, "15003 lines 3 headers 15000 records");
    }
}

#[test]
fn the_bound_of_an_object_is_exact() {
    let text = format!("{DEFAULT}\n{}", "\n".repeat(300_000));
    let zstd = zstd::encode_all(text.as_bytes(), 1).expect("packs");
    for bytes in [gzip(text.as_bytes()), zstd].map(Bytes::from) {
        let remote = Remote {
            bytes: bytes.clone(),
            fails_at: u64::MAX,
        };
        for spare in [0, 1] {
            let limit = text.len() as u64 - spare;
            let options = DecodeOptions {
                max_bytes: limit,
                ..DecodeOptions::default()
            };
            let expected = match spare {
                0 => "300001 lines 300000 blank 1 headers".to_owned(),
                _ => format!("error: expected at most {limit} bytes after decompression, got more"),
            };
            for input in [Input::Bytes(&bytes), Input::Ranges(&remote)] {
                assert_eq!(in_words_of(input, &options).1, expected);
            }
        }
    }
}

/// An object that breaks must say so, whichever way it is read.
fn check_broken(object: Vec<u8>, expected: &str) {
    let bytes = Bytes::from(object);
    let remote = Remote {
        bytes: bytes.clone(),
        fails_at: u64::MAX,
    };
    for input in [Input::Bytes(&bytes), Input::Ranges(&remote)] {
        assert_eq!(in_words_of(input, &DecodeOptions::default()).1, expected);
    }
}

/// Text that does not pack well, so that a cut in its packed form is a cut in its middle.
fn long_text() -> String {
    let mut text = format!("{DEFAULT}\n");
    for number in 0..5000_u32 {
        let address = std::net::Ipv4Addr::from(number.wrapping_mul(2_654_435_761));
        text += &format!("{}\n", SSH.replace("172.31.16.139", &address.to_string()));
    }
    text
}

#[test]
fn truncated_streams_are_errors() {
    let packed = gzip(long_text().as_bytes());
    let bytes = Bytes::from(packed[..packed.len() / 2].to_vec());
    let (_, error) = in_words_of(Input::Bytes(&bytes), &DecodeOptions::default());
    assert!(
        error.starts_with("error: broken gzip stream after "),
        "{error}"
    );
    assert!(
        error.ends_with(" decompressed bytes: it ends too early"),
        "{error}"
    );
    let packed = zstd::encode_all(long_text().as_bytes(), 1).expect("packs");
    let bytes = Bytes::from(packed[..packed.len() / 2].to_vec());
    let (_, error) = in_words_of(Input::Bytes(&bytes), &DecodeOptions::default());
    assert!(
        error.starts_with("error: broken zstd stream after "),
        "{error}"
    );
    check_broken(
        gzip(b"")[..9].to_vec(),
        "error: broken gzip stream after 0 decompressed bytes: it ends too early",
    );
}

#[test]
fn a_wrong_checksum_is_an_error() {
    let mut packed = gzip(format!("{DEFAULT}\n{SSH}\n").as_bytes());
    let at = packed.len() - 8;
    packed[at] ^= 1;
    let bytes = Bytes::from(packed);
    let (_, error) = in_words_of(Input::Bytes(&bytes), &DecodeOptions::default());
    assert!(error.contains("checksum"), "{error}");
}

#[test]
fn garbage_behind_the_last_member_is_an_error() {
    let packed = [
        gzip(format!("{DEFAULT}\n{SSH}\n").as_bytes()),
        b"garbage".to_vec(),
    ]
    .concat();
    let bytes = Bytes::from(packed);
    let (_, error) = in_words_of(Input::Bytes(&bytes), &DecodeOptions::default());
    assert!(
        error.starts_with("error: broken gzip stream after "),
        "{error}"
    );
}

#[test]
fn a_bomb_is_an_error_before_it_fills_memory() {
    let zeros = vec![b' '; 16 << 20];
    let packed = gzip(&zeros);
    let limit = 1000 * packed.len() as u64;
    check_broken(
        packed,
        &format!("error: expected at most {limit} bytes after decompression, got more"),
    );
    let options = DecodeOptions {
        max_bytes: 1 << 20,
        ..DecodeOptions::default()
    };
    let text = Bytes::from(gzip(&long_text().repeat(20).into_bytes()));
    let expected = "error: expected at most 1048576 bytes after decompression, got more";
    assert_eq!(in_words_of(Input::Bytes(&text), &options).1, expected);
}

#[test]
fn a_failing_source_is_told_from_a_broken_stream() {
    for object in [long_text().into_bytes(), gzip(long_text().as_bytes())] {
        let remote = Remote {
            fails_at: 100,
            bytes: object.into(),
        };
        let result = decode(
            Input::Ranges(&remote),
            &DecodeOptions::default(),
            &mut Scratch::default(),
            &mut Words::default(),
        );
        let error = result.expect_err("the source fails");
        assert!(matches!(error, DecodeError::Io(_)), "{error:?}");
        assert_eq!(error.to_string(), "the connection broke");
    }
}

#[test]
fn what_an_object_was_is_told() {
    let text = Bytes::from(format!(
        "{DEFAULT}\n{SSH}\nstart end srcaddr\n1418530000 - 10.0.0.1\n1 2 3\n"
    ));
    let decoded = decode(
        Input::Bytes(&Bytes::from(gzip(&text))),
        &DecodeOptions::default(),
        &mut Scratch::default(),
        &mut Words::default(),
    )
    .expect("decodes");
    assert_eq!(decoded.layout, "start end srcaddr");
    assert_eq!(decoded.bytes, text.len() as u64);
    assert_eq!(decoded.times, Some((1418530000, 1418530070)));
}

#[test]
fn a_line_longer_than_the_bound_is_malformed_and_the_next_is_read() {
    let options = DecodeOptions {
        max_line: 200,
        ..DecodeOptions::default()
    };
    check_with(
        &options,
        format!(
            "{DEFAULT}\n{}\n{SSH}\n{}",
            "x".repeat(100_000),
            "y ".repeat(1000)
        ),
        &format!(
            "2 malformed: expected a line of at most 200 bytes, got more
             3 {SSH_WORDS}
             4 malformed: expected a line of at most 200 bytes, got more
             4 lines 1 headers 1 records 2 malformed"
        ),
    );
}

#[test]
fn a_json_object_longer_than_its_bound_is_malformed_and_the_next_is_read() {
    let options = DecodeOptions {
        max_line: 200,
        ..DecodeOptions::default()
    };
    let message = format!(r#"{{"message":"{SSH}"}}"#);
    check_with(
        &options,
        format!(r#"{message}{{"x":"{}"}}{message}"#, "y".repeat(10_000)),
        &format!(
            "1 {SSH_WORDS}
             2 malformed: expected a line of at most 3200 bytes, got more
             3 {SSH_WORDS}
             3 lines 2 records 1 malformed assumed"
        ),
    );
}

#[test]
fn text_of_a_field_is_none_where_missing() {
    #[derive(Default)]
    struct Texts(Vec<Option<String>>);
    impl RecordSink for Texts {
        fn record(&mut self, _: &Record, fields: &impl Fields) {
            for field in [
                Field::InterfaceId,
                Field::InstanceId,
                Field::VpcId,
                Field::Srcaddr,
            ] {
                let text = fields
                    .text(field)
                    .map(|text| String::from_utf8_lossy(text).into_owned());
                self.0.push(text);
            }
        }
        fn status(&mut self, _: &Record, _: bool, _: &impl Fields) {}
        fn malformed(&mut self, _: u64, _: &MalformedLine, _: &[u8]) {}
        fn unverified(&mut self) {}
    }
    let mut texts = Texts::default();
    let text = Bytes::from("instance-id srcaddr interface-id\n- 10.0.0.1 eni-0\n");
    decode(
        Input::Bytes(&text),
        &DecodeOptions::default(),
        &mut Scratch::default(),
        &mut texts,
    )
    .expect("decodes");
    assert_eq!(
        texts.0,
        [Some("eni-0".into()), None, None, Some("10.0.0.1".into())]
    );
}

proptest! {
    #[test]
    fn any_bytes_add_up_wherever_they_are(
        head in prop::sample::select(vec!["", DEFAULT, "\x1f\u{8b}", "PAR1", "(\u{b5}/\u{fd}", SSH]),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b' '), Just(b'{')], 0..300),
    ) {
        // The magic numbers' upper halves are bytes, not characters.
        let mut object: Vec<u8> = head.chars().map(|letter| letter as u8).collect();
        object.extend_from_slice(&bytes);
        let bytes = Bytes::from(object);
        let remote = Remote { bytes: bytes.clone(), fails_at: u64::MAX };
        let options = DecodeOptions::default();
        let whole = in_words_of(Input::Bytes(&bytes), &options);
        let parts = in_words_of(Input::Ranges(&remote), &options);
        prop_assert_eq!(whole.0, parts.0);
        // Where and why a broken stream broke depends on how much was asked of it at once.
        let what = |summary: &str| summary.split(" stream after ").next().map(str::to_owned);
        prop_assert_eq!(what(&whole.1), what(&parts.1));
    }
}
