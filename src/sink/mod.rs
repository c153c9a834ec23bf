//! Where results go: a lake of Parquet files in a folder or below an S3 prefix.
//!
//! A [`Lake`] belongs to one [`Identity`] (policy, sources, accounts, regions), written in its `lake.json`. Its unit of
//! commit is an [`Hour`]: an [`HourWriter`] takes the rows of the hour's tables, writes their files aside, and a
//! [`Publication`] moves them into place, the `objects` file last. An hour counts if and only if that file is there, so a
//! run that dies leaves nothing that counts, and the next run leaves what an undisturbed one would have left: the bytes
//! of a file depend on its rows alone, on no clock, thread, or memory limit.
//!
//! | table | one file per | holds |
//! |---|---|---|
//! | `edges` | hour | connections summed up by who, where, port, outcome and rule |
//! | `records` | hour | judged records, as many as the run keeps |
//! | `quarantine` | hour | lines that could not be decoded |
//! | `objects` | hour | each object read, and what became of its lines: the ledger |
//! | `findings` | day | what a person is told |
//!
//! What does not fit into memory is sorted with [`RecordSorter`] (rows as bytes) and [`SortedRuns`] (rows of fixed size,
//! equal ones combined).

mod columns;
mod commit;
mod dictionary_column;
mod distinct;
mod edge_columns;
mod edges;
mod encoder;
mod error;
mod findings;
mod hour;
mod hour_asides;
mod hybrid;
mod identity;
mod lake;
mod lake_files;
mod lease;
mod merge;
mod objects;
mod packed;
mod quarantine;
mod record_batches;
mod record_columns;
mod record_parts;
mod records;
mod row_group;
mod rows;
mod shared_columns;
mod shared_parts;
mod spill;
mod store;
mod table;
mod turns;

pub use commit::{HourWriter, Publication, RowCounts};
pub use edges::{EdgeBlock, EdgeReader};
pub use error::LakeError;
pub use hour::{Day, Hour};
pub use hour_asides::HourAsides;
pub use identity::Identity;
pub use lake::Lake;
pub use lake_files::{LakeFile, LakeFiles};
pub use lease::{Asked, Beat, Lease};
pub use objects::ObjectRow;
pub use quarantine::{QuarantineRow, QuarantinedLine};
pub use record_batches::RecordBatches;
pub use record_columns::records_schema;
pub use records::{RecordBlock, RecordPacker, RecordSorter};
pub use shared_parts::PartNumber;
pub use spill::SortedRuns;
pub use store::{Listed, Store, StoreError};
pub use table::Table;
