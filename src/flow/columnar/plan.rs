//! Which columns of a Parquet object are read, and from where.

use std::io::Read;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::footer::{broken, fenced};
use crate::flow::decode::{DecodeError, DecodeOptions, Input};
use crate::flow::record::RecordSink;
use crate::flow::row::{excerpt, is_checked};
use crate::flow::{Column, Field, Layout};

/// Rows that are decoded at once.
const BATCH: usize = 8192;

/// Two ranges with less than this between them are asked for as one.
const GAP: u64 = 256 << 10;

/// Which columns are read, and what they are.
pub(super) struct Plan {
    /// All columns of the object that are not nested.
    pub layout: Arc<Layout>,
    /// The columns that are read: their index among the leaves, and what they are; by ascending index.
    pub columns: Vec<(usize, Column)>,
    mask: ProjectionMask,
}

impl Plan {
    pub fn new(metadata: &ParquetMetaData, sink: &impl RecordSink) -> Result<Plan, DecodeError> {
        let schema = metadata.file_metadata().schema_descr();
        let mut layout = Layout {
            columns: Vec::new(),
        };
        let mut columns = Vec::new();
        for (leaf, descriptor) in schema.columns().iter().enumerate() {
            let [name] = descriptor.path().parts() else {
                continue;
            };
            if descriptor.max_rep_level() > 0 {
                continue;
            }
            let column = match Column::from_name(&name.to_ascii_lowercase()) {
                known if layout.columns.contains(&known) => Column::Unknown(name.clone()),
                column => column,
            };
            let wanted = match &column {
                Column::Known(field) => always_read(*field) || sink.wants(*field),
                Column::Unknown(_) => sink.wants_extra(),
            };
            if wanted {
                columns.push((leaf, column.clone()));
            }
            layout.columns.push(column);
        }
        let telling = [
            Field::Srcaddr,
            Field::Dstaddr,
            Field::PktSrcaddr,
            Field::PktDstaddr,
            Field::InterfaceId,
            Field::LogStatus,
        ];
        if !telling.iter().any(|field| layout.has(*field)) {
            let names: Vec<&str> = layout.columns.iter().map(Column::name).collect();
            let names = excerpt(names.join(" ").as_bytes());
            return Err(DecodeError::Parquet(format!(
                "expected the columns of a flow log, got `{names}`"
            )));
        }
        let mask = ProjectionMask::leaves(schema, columns.iter().map(|(leaf, _)| *leaf));
        Ok(Plan {
            layout: Arc::new(layout),
            columns,
            mask,
        })
    }

    /// Reads the column chunks of a row group that are wanted, neighbours in one go.
    pub fn fetch(
        &self,
        group: &RowGroupMetaData,
        input: &Input<'_>,
        options: &DecodeOptions,
    ) -> Result<Chunks, DecodeError> {
        let size = input.size();
        if let Input::Bytes(bytes) = input {
            return Ok(Chunks {
                size,
                parts: vec![(0, (*bytes).clone())],
            });
        }
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (leaf, _) in &self.columns {
            let (start, length) = group.column(*leaf).byte_range();
            ranges.push((start, start + length));
        }
        ranges.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (start, end) in ranges {
            match joined.last_mut() {
                Some(last) if start <= last.1.saturating_add(GAP) => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        let total: u64 = joined.iter().map(|(start, end)| end - start).sum();
        if total > options.max_row_group {
            let limit = options.max_row_group;
            return Err(broken(format!(
                "a row group needs {total} bytes in memory, at most {limit} are allowed"
            )));
        }
        let read =
            |(start, end): (u64, u64)| Ok((start, input.read(start, (end - start) as usize)?));
        let parts = joined
            .into_iter()
            .map(read)
            .collect::<Result<_, DecodeError>>()?;
        Ok(Chunks { size, parts })
    }

    pub fn reader(
        &self,
        chunks: Chunks,
        metadata: &ArrowReaderMetadata,
        group: usize,
    ) -> Result<ParquetRecordBatchReader, DecodeError> {
        fenced(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata.clone())
                .with_projection(self.mask.clone())
                .with_row_groups(vec![group])
                .with_batch_size(BATCH)
                .build()
        })
    }
}

/// Whether a record cannot do without this field, if it is there.
fn always_read(field: Field) -> bool {
    is_checked(field) || matches!(field, Field::PktSrcAwsService | Field::PktDstAwsService)
}

/// The parts of an object that have been fetched.
pub(super) struct Chunks {
    size: u64,
    parts: Vec<(u64, Bytes)>,
}

impl Chunks {
    /// What has been fetched from `start` on.
    fn from(&self, start: u64) -> parquet::errors::Result<Bytes> {
        let part = self
            .parts
            .iter()
            .find(|(at, bytes)| *at <= start && start <= at + bytes.len() as u64);
        let Some((at, bytes)) = part else {
            return Err(ParquetError::EOF(format!("no column at byte {start}")));
        };
        Ok(bytes.slice((start - at) as usize..))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(Box::new(self.from(start)?.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!(
                "no {length} bytes at byte {start}"
            )));
        }
        Ok(bytes.slice(..length))
    }
}
