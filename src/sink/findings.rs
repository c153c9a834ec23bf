//! The `findings` table: what a person is told of a day.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columns::{BATCH_ROWS, Columns, count_at, seconds_at, table, text_at};
use super::table::{TableWriter, part_name};
use super::{Day, Lake, LakeError, Table};
use crate::judge::{Confidence, Finding, Kind, Outcome, ServerNames, Subject};
use crate::policy::{DomainLevel, Path, Severity};

/// The note in a file of findings that says what it was made from.
const MADE_FROM: &str = "tidegate.made_from";
/// The note that says how many connections would have made findings beyond the bound of a day.
const LET_GO: &str = "tidegate.let_go";

/// A finding with the policy that made it.
struct FindingRow<'a> {
    finding: &'a Finding,
    policy_id: &'a str,
    policy_hash: &'a str,
}

table! {
    /// Rows of `findings`.
    FindingBatch, row: &FindingRow<'_> {
        finding_id: Text = row.finding.finding_id.as_str();
        kind: Text = row.finding.kind.as_str();
        severity: Text = row.finding.severity.as_str();
        confidence: Text = row.finding.confidence.as_str();
        title: Text = row.finding.title.as_str();
        network: Text = row.finding.network.as_str();
        client_subject: Text = row.finding.client.subject.as_str();
        client_tier: Text = row.finding.client.zone.as_str();
        client_addresses: Count = row.finding.client.addresses;
        client_heaviest: Weights = row.finding.client.heaviest.as_slice();
        server_subject: Text = row.finding.server.subject.as_str();
        server_tier: Text = row.finding.server.zone.as_str();
        server_addresses: Count = row.finding.server.addresses;
        server_heaviest: Weights = row.finding.server.heaviest.as_slice();
        server_names: Texts = &mut row.finding.server_names.names.iter().map(String::as_str);
        server_names_total: Count = row.finding.server_names.total;
        server_names_level: Text null = row.finding.server_names.level.map(DomainLevel::as_str);
        server_port: Int32 null = row.finding.server_port.map(i32::from);
        protocol: Int32 null = row.finding.protocol.map(i32::from);
        rule: Text = row.finding.rule.as_str();
        reason: Text null = not_empty(&row.finding.reason);
        owner: Text null = not_empty(&row.finding.owner);
        controls: Texts = &mut row.finding.controls.iter().map(String::as_str);
        lacked: Text null = row.finding.lacked.as_deref();
        outcome: Text null = row.finding.outcome.map(Outcome::as_str);
        via: Text null = row.finding.via.map(Path::as_str);
        account_id: Text null = row.finding.account_id.as_deref();
        region: Text null = row.finding.region.as_deref();
        vpc_id: Text null = row.finding.vpc_id.as_deref();
        subnet_id: Text null = row.finding.subnet_id.as_deref();
        interface_id: Text null = row.finding.interface_id.as_deref();
        instance_id: Text null = row.finding.instance_id.as_deref();
        first_seen: Time null = Some(row.finding.first_seen);
        last_seen: Time null = Some(row.finding.last_seen);
        records: Count = row.finding.records;
        connections: Count = row.finding.connections;
        packets: Count = row.finding.packets;
        bytes: Count = row.finding.bytes;
        source: Text = row.finding.source.as_str();
        line: Count = row.finding.line;
        policy_id: Text = row.policy_id;
        policy_hash: Text = row.policy_hash;
        muted: Bool = row.finding.muted;
    }
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The schema of batches of `findings`.
pub(super) fn findings_schema() -> SchemaRef {
    Arc::new(Schema::new(FindingBatch::fields()))
}

impl Lake {
    /// Puts the findings of a day in place, worst first, replacing those there are. `let_go` is how many connections would
    /// have made more than a day may have; `made_from` is what [`Lake::made_from`] says of the edges they were made from.
    ///
    /// # Errors
    /// When the store or a temporary file fails.
    pub fn write_findings(
        &self,
        day: Day,
        findings: &[Finding],
        let_go: u64,
        made_from: &str,
    ) -> Result<(), LakeError> {
        let folder = tempfile::tempdir_in(self.temp()).map_err(LakeError::Temporary)?;
        let schema = findings_schema();
        let mut notes = self.notes();
        notes.push((MADE_FROM, made_from.to_owned()));
        notes.push((LET_GO, let_go.to_string()));
        let mut writer = TableWriter::new(Table::Findings, schema.clone(), notes, folder.path())?;
        writer.at_least_one()?;

        let (policy_id, policy_hash) = self.policy();
        let mut order: Vec<&Finding> = findings.iter().collect();
        order.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then_with(|| a.finding_id.cmp(&b.finding_id))
        });
        let mut batch = FindingBatch::default();
        for finding in order {
            let row = FindingRow {
                finding,
                policy_id,
                policy_hash,
            };
            if batch.push(&[row]) == BATCH_ROWS {
                write(&mut writer, &mut batch, &schema)?;
            }
        }
        write(&mut writer, &mut batch, &schema)?;

        let place = Table::Findings.day_folder(day);
        let parts = writer.finish()?;
        for leftover in self.store().list(&place)? {
            let name = leftover.name.strip_prefix(&place).unwrap_or_default();
            if !(0..parts.len()).any(|part| part_name(part) == name) {
                self.store().delete(&leftover.name)?;
            }
        }
        // The first file last: it is the one whose note is read.
        for (index, path) in parts.iter().enumerate().rev() {
            self.store()
                .put_file(path, &format!("{place}{}", part_name(index)))?;
        }
        Ok(())
    }

    /// What the findings of a day were made from, and how many connections would have made more of them; none if there
    /// are none yet.
    ///
    /// # Errors
    /// When the store fails or the file is none of this program.
    pub fn findings_made_from(&self, day: Day) -> Result<Option<(String, u64)>, LakeError> {
        let name = format!("{}{}", Table::Findings.day_folder(day), part_name(0));
        let Some(file) = self.store().fetch(&name, self.temp())? else {
            return Ok(None);
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|error| LakeError::file(&name, error))?;
        let note = |key| super::lake::note(reader.metadata(), key);
        let let_go = note(LET_GO).and_then(|count| count.parse().ok());
        Ok(note(MADE_FROM).map(|made_from| (made_from, let_go.unwrap_or(0))))
    }

    /// The findings of a day as they were written.
    ///
    /// # Errors
    /// When the store fails or a file is none of this program.
    pub fn read_findings(&self, day: Day) -> Result<Vec<Finding>, LakeError> {
        let mut findings = Vec::new();
        for file in self.store().list(&Table::Findings.day_folder(day))? {
            if !super::lake::is_part(&file.name) {
                continue;
            }
            let reader = ParquetRecordBatchReaderBuilder::try_new(self.fetch(&file.name)?)
                .and_then(|builder| builder.build());
            for batch in reader.map_err(|error| LakeError::file(&file.name, error))? {
                let batch = batch.map_err(|error| LakeError::file(&file.name, error))?;
                findings.extend(read(&file.name, &batch, day)?);
            }
        }
        Ok(findings)
    }
}

fn write(
    writer: &mut TableWriter,
    batch: &mut FindingBatch,
    schema: &Arc<Schema>,
) -> Result<(), LakeError> {
    let batch = RecordBatch::try_new(schema.clone(), batch.finish());
    writer.write(&batch.map_err(|error| LakeError::file("findings", error))?)
}

fn read(file: &str, batch: &RecordBatch, day: Day) -> Result<Vec<Finding>, LakeError> {
    let columns = Columns { file, batch };
    let text = |name: &str| columns.text(name);
    let count = |name: &str| columns.count(name);
    let (finding_id, kind, severity, confidence) = (
        text("finding_id")?,
        text("kind")?,
        text("severity")?,
        text("confidence")?,
    );
    let (title, network, rule, reason) = (
        text("title")?,
        text("network")?,
        text("rule")?,
        text("reason")?,
    );
    let (owner, lacked, outcome, via, source) = (
        text("owner")?,
        text("lacked")?,
        text("outcome")?,
        text("via")?,
        text("source")?,
    );
    let controls = columns.any("controls")?;
    let (client, server) = (End::new(&columns, "client")?, End::new(&columns, "server")?);
    let server_names = Names::new(batch);
    let (server_port, protocol) = (columns.int32("server_port")?, columns.int32("protocol")?);
    let (account_id, region, vpc_id) = (text("account_id")?, text("region")?, text("vpc_id")?);
    let (subnet_id, interface_id, instance_id) = (
        text("subnet_id")?,
        text("interface_id")?,
        text("instance_id")?,
    );
    let (first_seen, last_seen) = (columns.time("first_seen")?, columns.time("last_seen")?);
    let (records, connections, packets) =
        (count("records")?, count("connections")?, count("packets")?);
    let (bytes, line, muted) = (count("bytes")?, count("line")?, columns.bool("muted")?);

    let owned = |column: &StringArray, row: usize| text_at(column, row).map(str::to_owned);
    (0..batch.num_rows())
        .map(|row| {
            Ok(Finding {
                finding_id: finding_id.value(row).to_owned(),
                day: day.start(),
                kind: word(file, &kind, row, Kind::from_word)?,
                severity: word(file, &severity, row, Severity::from_word)?,
                confidence: word(file, &confidence, row, Confidence::from_word)?,
                title: title.value(row).to_owned(),
                network: network.value(row).to_owned(),
                client: client.subject(row),
                server: server.subject(row),
                server_names: server_names.at(row),
                server_port: server_port
                    .is_valid(row)
                    .then(|| server_port.value(row) as u16),
                protocol: protocol.is_valid(row).then(|| protocol.value(row) as u8),
                rule: rule.value(row).to_owned(),
                reason: owned(&reason, row).unwrap_or_default(),
                owner: owned(&owner, row).unwrap_or_default(),
                controls: texts(&controls, row),
                lacked: owned(&lacked, row),
                outcome: text_at(&outcome, row)
                    .map(|_| word(file, &outcome, row, Outcome::from_word))
                    .transpose()?,
                via: text_at(&via, row)
                    .map(|_| word(file, &via, row, Path::from_word))
                    .transpose()?,
                account_id: owned(&account_id, row),
                region: owned(&region, row),
                vpc_id: owned(&vpc_id, row),
                subnet_id: owned(&subnet_id, row),
                interface_id: owned(&interface_id, row),
                instance_id: owned(&instance_id, row),
                first_seen: seconds_at(&first_seen, row),
                last_seen: seconds_at(&last_seen, row),
                records: count_at(&records, row),
                connections: count_at(&connections, row),
                packets: count_at(&packets, row),
                bytes: count_at(&bytes, row),
                source: source.value(row).to_owned(),
                line: count_at(&line, row),
                muted: muted.value(row),
            })
        })
        .collect()
}

fn word<T>(
    file: &str,
    column: &StringArray,
    row: usize,
    from: impl Fn(&str) -> Option<T>,
) -> Result<T, LakeError> {
    let text = column.value(row);
    from(text).ok_or_else(|| {
        LakeError::file(
            file,
            format_args!("expected a word of this table, got `{text}`"),
        )
    })
}

fn texts(column: &dyn Array, row: usize) -> Vec<String> {
    let Some(lists) = column.as_list_opt::<i32>() else {
        return Vec::new();
    };
    let items = lists.value(row);
    let Some(texts) = items.as_string_opt::<i32>() else {
        return Vec::new();
    };
    texts.iter().flatten().map(str::to_owned).collect()
}

/// The columns of names; findings of earlier versions have none.
struct Names<'b>([Option<&'b arrow::array::ArrayRef>; 3]);

impl<'b> Names<'b> {
    fn new(batch: &'b RecordBatch) -> Names<'b> {
        let names = ["server_names", "server_names_total", "server_names_level"];
        Names(names.map(|name| batch.column_by_name(name)))
    }

    fn at(&self, row: usize) -> ServerNames {
        let [names, total, level] = self.0;
        let total = total.and_then(|total| total.as_primitive_opt::<Int64Type>());
        let level = level.and_then(|level| level.as_string_opt::<i32>());
        ServerNames {
            names: names.map(|names| texts(names, row)).unwrap_or_default(),
            total: total.map_or(0, |total| count_at(total, row)),
            level: level
                .and_then(|level| text_at(level, row))
                .and_then(DomainLevel::from_word),
        }
    }
}

/// The columns of one end.
struct End {
    subject: StringArray,
    zone: StringArray,
    addresses: Int64Array,
    heaviest: arrow::array::ArrayRef,
}

impl End {
    fn new(columns: &Columns<'_>, end: &str) -> Result<End, LakeError> {
        Ok(End {
            subject: columns.text(&format!("{end}_subject"))?,
            zone: columns.text(&format!("{end}_tier"))?,
            addresses: columns.count(&format!("{end}_addresses"))?,
            heaviest: columns.any(&format!("{end}_heaviest"))?,
        })
    }

    fn subject(&self, row: usize) -> Subject {
        Subject {
            subject: self.subject.value(row).to_owned(),
            zone: self.zone.value(row).to_owned(),
            addresses: count_at(&self.addresses, row),
            heaviest: self.heaviest(row).unwrap_or_default(),
        }
    }

    fn heaviest(&self, row: usize) -> Option<Vec<(crate::net::Addr, u64)>> {
        let pairs = self.heaviest.as_list_opt::<i32>()?.value(row);
        let pairs = pairs.as_struct_opt()?;
        let addrs = pairs.column_by_name("addr")?.as_string_opt::<i32>()?;
        let bytes = pairs
            .column_by_name("bytes")?
            .as_primitive_opt::<Int64Type>()?;
        (0..pairs.len())
            .map(|at| Some((addrs.value(at).parse().ok()?, count_at(bytes, at))))
            .collect()
    }
}
