//! The malformed lines of one object, until it is known that the object counts.

use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::flow::MalformedLine;
use crate::sink::{QuarantineRow, QuarantinedLine};

use super::report::MalformedSample;

/// Bytes of lines that are kept in memory per object; more go to a temporary file.
const MEMORY: usize = 1 << 20;

/// Bytes that are kept of one line: enough to recognise it.
const TEXT_BYTES: usize = 4096;

/// Lines of an object that the report may show.
const SAMPLES: usize = 20;

/// Bytes of a line that the report shows.
const SAMPLE_BYTES: usize = 200;

/// Malformed lines of an object, in order.
pub struct MalformedLines {
    source: Arc<str>,
    first: Vec<MalformedSample>,
    lines: Vec<Line>,
    bytes: usize,
    spilled: Option<std::fs::File>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    line: u64,
    reason: String,
    text: Vec<u8>,
}

impl From<QuarantinedLine> for MalformedSample {
    fn from(line: QuarantinedLine) -> MalformedSample {
        let text = &line.text.as_bytes()[..line.text.len().min(SAMPLE_BYTES)];
        MalformedSample {
            text: String::from_utf8_lossy(text).into_owned(),
            source: line.source,
            line: line.line,
            reason: line.reason,
        }
    }
}

impl MalformedLines {
    /// None yet.
    pub fn new(source: Arc<str>) -> MalformedLines {
        MalformedLines {
            source,
            first: Vec::new(),
            lines: Vec::new(),
            bytes: 0,
            spilled: None,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.spilled.is_none()
    }

    /// Takes a line.
    ///
    /// # Errors
    /// When the temporary folder cannot take what does not fit in memory.
    pub fn push(
        &mut self,
        line: u64,
        why: &MalformedLine,
        text: &[u8],
        temp: &Path,
    ) -> io::Result<()> {
        if self.first.len() < SAMPLES {
            self.first.push(MalformedSample {
                source: self.source.to_string(),
                line,
                reason: why.to_string(),
                text: String::from_utf8_lossy(&text[..text.len().min(SAMPLE_BYTES)]).into_owned(),
            });
        }
        let text = text[..text.len().min(TEXT_BYTES)].to_vec();
        self.bytes += text.len() + 128;
        self.lines.push(Line {
            line,
            reason: why.to_string(),
            text,
        });
        if self.bytes < MEMORY {
            return Ok(());
        }
        let mut file = match self.spilled.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(temp)?,
        };
        let mut bytes = Vec::new();
        for line in self.lines.drain(..) {
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        file.write_all(&bytes)?;
        self.spilled = Some(file);
        self.bytes = 0;
        Ok(())
    }

    /// The first lines, for people.
    pub fn samples(&self) -> impl Iterator<Item = &MalformedSample> {
        self.first.iter()
    }

    /// Calls `each` with every line.
    ///
    /// # Errors
    /// When the temporary file cannot be read back, or `each` fails.
    pub fn each(
        self,
        mut each: impl FnMut(QuarantineRow<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let source = &*self.source;
        let mut visit = |line: &Line| {
            each(QuarantineRow {
                source,
                line: line.line,
                reason: &line.reason,
                text: &line.text,
            })
        };
        if let Some(mut file) = self.spilled {
            file.rewind()?;
            for text in BufReader::new(file).lines() {
                visit(&serde_json::from_str(&text?)?)?;
            }
        }
        self.lines.iter().try_for_each(visit)
    }
}
