//! Encodes one Parquet file on a thread of its own: whoever makes the rows makes the next ones meanwhile.

use std::fs::File;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

/// Batches that may wait. More would only take memory.
const WAITING: usize = 2;

/// A file that is being encoded.
pub(super) struct Encoder {
    batches: SyncSender<RecordBatch>,
    /// None after it failed.
    thread: Option<JoinHandle<Result<(), ParquetError>>>,
}

impl Encoder {
    /// Encodes into this writer.
    pub fn new(mut writer: ArrowWriter<File>) -> Encoder {
        let (batches, incoming) = sync_channel::<RecordBatch>(WAITING);
        let thread = std::thread::spawn(move || {
            for batch in incoming {
                writer.write(&batch)?;
            }
            writer.close().map(drop)
        });
        Encoder {
            batches,
            thread: Some(thread),
        }
    }

    /// Hands on a batch.
    ///
    /// # Errors
    /// When an earlier batch could not be encoded or written.
    pub fn write(&mut self, batch: RecordBatch) -> Result<(), ParquetError> {
        if self.batches.send(batch).is_ok() {
            return Ok(());
        }
        self.thread.take().map_or(Ok(()), join)?;
        Err(ParquetError::General("encoding ended early".to_owned()))
    }

    /// Ends the file.
    pub fn close(self) -> Result<(), ParquetError> {
        drop(self.batches);
        self.thread.map_or(Ok(()), join)
    }
}

fn join(thread: JoinHandle<Result<(), ParquetError>>) -> Result<(), ParquetError> {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
