//! Encodes a column of words or of integers for one row group: a dictionary page, then pages of places in it.
//!
//! Parquet's own writer looks every word up by its text. Batches come with their texts numbered already, so that only a
//! batch's distinct texts need be looked up, and a row costs no more than its number. There is no way back to plain pages:
//! a row group has few rows enough that a dictionary of nothing but different values is hardly larger than they are.
//!
//! The format is that of Apache Parquet (`Encodings.md`: "Dictionary Encoding", "Run Length Encoding / Bit-Packing
//! Hybrid"; data pages of version 1).

use std::borrow::Cow;

use arrow::array::{Array, ArrowPrimitiveType, AsArray, DictionaryArray, PrimitiveArray};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::distinct::{Distinct, Integer, Integers};
use super::hybrid::{bit_width, write_hybrid};
use crate::flow::Dictionary;

/// How hard pages are compressed.
pub(super) const ZSTD_LEVEL: i32 = 1;
/// Rows of a page: the least that a reader skips by the page index, and what a batch need not exceed.
pub(super) const PAGE_ROWS: usize = 16 * 1024;
/// The place that stands for null.
const ABSENT: i32 = -1;

/// A column that is being encoded.
pub(super) struct DictionaryColumn<D> {
    column: ColumnDescPtr,
    has_statistics: bool,
    /// The rate at which its bloom filter fails to exclude a value; none if it has none.
    bloom: Option<f64>,
    values: D,
    /// By place, the page in which the value was met last, counted from one.
    met: Vec<u32>,
    page: OpenPage,
    pages: Vec<EndedPage>,
    rows: usize,
}

/// The rows of a page that is being filled.
#[derive(Default)]
struct OpenPage {
    places: Vec<i32>,
    nulls: usize,
    distinct: Vec<i32>,
}

/// A page in its compressed form.
struct EndedPage {
    bytes: Vec<u8>,
    uncompressed: usize,
    rows: usize,
    nulls: usize,
    /// The places of the least and the greatest value; none if it has none or nobody asks.
    range: Option<(i32, i32)>,
}

/// An encoded column.
pub(super) struct DictionaryChunk {
    bytes: Bytes,
    close: ColumnCloseResult,
}

impl DictionaryColumn<Dictionary> {
    /// Takes words.
    ///
    /// # Errors
    /// When a page cannot be compressed.
    pub fn write_words(
        &mut self,
        rows: &DictionaryArray<Int32Type>,
        zstd: &mut Compressor<'_>,
    ) -> Result<(), ParquetError> {
        let texts = rows.values().as_string::<i32>();
        if texts.is_empty() {
            return self.write_nulls(rows.len(), zstd);
        }
        let keys = rows.keys();
        // Only a null can be `ABSENT`; ours all are.
        let absent = keys.values().iter().filter(|key| **key == ABSENT).count();
        let places = if absent == keys.null_count() {
            Cow::Borrowed(&keys.values()[..])
        } else {
            keys.iter().map(|key| key.unwrap_or(ABSENT)).collect()
        };
        if self.values.is_empty() && are_first_met(&places, texts.len()) {
            // The batch's dictionary is what the row group's becomes.
            self.values = Dictionary::of(texts);
            return self.push_all(&places, zstd);
        }
        let mut places = places.into_owned();
        // Where the batch's texts stand in the row group's dictionary, looked up when a row first has them.
        let mut known = vec![ABSENT; texts.len()];
        for place in places.iter_mut().filter(|place| **place != ABSENT) {
            let key = *place as usize;
            if known[key] == ABSENT {
                known[key] = self.values.place_of(texts.value(key).as_bytes());
            }
            *place = known[key];
        }
        self.push_all(&places, zstd)
    }
}

impl<T: Integer> DictionaryColumn<Integers<T>> {
    /// Takes integers.
    ///
    /// # Errors
    /// When a page cannot be compressed.
    pub fn write_integers<A: ArrowPrimitiveType<Native = T>>(
        &mut self,
        rows: &PrimitiveArray<A>,
        zstd: &mut Compressor<'_>,
    ) -> Result<(), ParquetError> {
        if rows.null_count() == rows.len() {
            return self.write_nulls(rows.len(), zstd);
        }
        let (mut last, mut place) = (T::default(), ABSENT);
        let mut places = Vec::with_capacity(PAGE_ROWS);
        let mut from = 0;
        while from < rows.len() {
            // A page at a time: its places take as many bits as there are values by then.
            let count = (rows.len() - from).min(PAGE_ROWS - self.page.places.len());
            let some = rows.slice(from, count);
            from += count;
            places.clear();
            places.extend(some.iter().map(|value| {
                let Some(value) = value else { return ABSENT };
                if place == ABSENT || value != last {
                    (last, place) = (value, self.values.place_of(value));
                }
                place
            }));
            self.push_all(&places, zstd)?;
        }
        Ok(())
    }
}

impl<D: Distinct> DictionaryColumn<D> {
    /// Begins a column, which is outside any list.
    pub fn new(column: ColumnDescPtr, properties: &WriterProperties) -> DictionaryColumn<D> {
        let path = column.path();
        let statistics = properties.statistics_enabled(path);
        let bloom = properties.bloom_filter_properties(path);
        DictionaryColumn {
            has_statistics: statistics == EnabledStatistics::Page,
            bloom: bloom.map(|bloom| bloom.fpp()),
            column,
            values: D::default(),
            met: Vec::new(),
            page: OpenPage::default(),
            pages: Vec::new(),
            rows: 0,
        }
    }

    /// Takes rows without a value.
    fn write_nulls(&mut self, count: usize, zstd: &mut Compressor<'_>) -> Result<(), ParquetError> {
        let nulls = [ABSENT; 1024];
        for from in (0..count).step_by(nulls.len()) {
            self.push_all(&nulls[..nulls.len().min(count - from)], zstd)?;
        }
        Ok(())
    }

    /// Takes rows by the places of their values. Pages end by the number of rows, wherever batches do.
    fn push_all(
        &mut self,
        mut places: &[i32],
        zstd: &mut Compressor<'_>,
    ) -> Result<(), ParquetError> {
        while !places.is_empty() {
            let room = PAGE_ROWS - self.page.places.len();
            let (some, others) = places.split_at(places.len().min(room));
            if self.has_statistics {
                self.note_distinct(some);
            }
            self.page.nulls += some.iter().filter(|place| **place == ABSENT).count();
            self.page.places.extend_from_slice(some);
            if self.page.places.len() == PAGE_ROWS {
                self.end_page(zstd)?;
            }
            places = others;
        }
        Ok(())
    }

    /// Notes which values the page has.
    fn note_distinct(&mut self, places: &[i32]) {
        self.met.resize(self.values.len(), 0);
        let number = self.pages.len() as u32 + 1;
        let mut last = ABSENT;
        for &place in places {
            if place != last && place != ABSENT {
                let met = &mut self.met[place as usize];
                if *met != number {
                    *met = number;
                    self.page.distinct.push(place);
                }
            }
            last = place;
        }
    }

    #[inline(never)]
    fn end_page(&mut self, zstd: &mut Compressor<'_>) -> Result<(), ParquetError> {
        let page = &mut self.page;
        let mut bytes = Vec::new();
        if self.column.max_def_level() > 0 {
            bytes.extend([0; 4]);
            let levels: Vec<u32> = page
                .places
                .iter()
                .map(|place| u32::from(*place != ABSENT))
                .collect();
            write_hybrid(&mut bytes, &levels, 1);
            let length = (bytes.len() - 4) as u32;
            bytes[..4].copy_from_slice(&length.to_le_bytes());
        }
        let width = bit_width(self.values.len());
        bytes.push(width as u8);
        let present: Vec<u32> = page
            .places
            .iter()
            .filter(|place| **place != ABSENT)
            .map(|place| *place as u32)
            .collect();
        write_hybrid(&mut bytes, &present, width);
        let by_value = |one: &&i32, other: &&i32| self.values.compare(**one, **other);
        let least = page.distinct.iter().min_by(by_value);
        let greatest = page.distinct.iter().max_by(by_value);
        self.rows += page.places.len();
        self.pages.push(EndedPage {
            uncompressed: bytes.len(),
            bytes: zstd.compress(&bytes)?,
            rows: page.places.len(),
            nulls: page.nulls,
            range: least.copied().zip(greatest.copied()),
        });
        page.places.clear();
        page.distinct.clear();
        page.nulls = 0;
        Ok(())
    }

    /// Ends the column.
    ///
    /// # Errors
    /// When a page cannot be compressed.
    pub fn close(mut self, zstd: &mut Compressor<'_>) -> Result<DictionaryChunk, ParquetError> {
        if !self.page.places.is_empty() {
            self.end_page(zstd)?;
        }
        let bloom_filter = self.bloom_filter()?;
        let mut file = TrackedWrite::new(Vec::new());
        let mut writer = SerializedPageWriter::new(&mut file);
        let dictionary = writer.write_page(self.dictionary_page(zstd)?)?;
        let (mut compressed, mut uncompressed) =
            (dictionary.compressed_size, dictionary.uncompressed_size);
        let mut data_offset = None;
        let mut offsets = OffsetIndexBuilder::new();
        for page in &mut self.pages {
            let spec = writer.write_page(page.take())?;
            compressed += spec.compressed_size;
            uncompressed += spec.uncompressed_size;
            data_offset.get_or_insert(spec.offset as i64);
            offsets.append_row_count(page.rows as i64);
            offsets.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
        }
        let mut metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(Compression::ZSTD(Default::default()))
            .set_encodings(vec![
                Encoding::PLAIN,
                Encoding::RLE,
                Encoding::RLE_DICTIONARY,
            ])
            .set_page_encoding_stats(vec![
                PageEncodingStats {
                    page_type: PageType::DICTIONARY_PAGE,
                    encoding: Encoding::PLAIN,
                    count: 1,
                },
                PageEncodingStats {
                    page_type: PageType::DATA_PAGE,
                    encoding: Encoding::RLE_DICTIONARY,
                    count: self.pages.len() as i32,
                },
            ])
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(compressed as i64)
            .set_total_uncompressed_size(uncompressed as i64)
            .set_dictionary_page_offset(Some(dictionary.offset as i64))
            .set_data_page_offset(data_offset.unwrap_or(compressed as i64));
        let mut column_index = None;
        if self.has_statistics {
            metadata = metadata.set_statistics(self.statistics());
            column_index = Some(self.column_index().build()?);
        }
        Ok(DictionaryChunk {
            close: ColumnCloseResult {
                bytes_written: compressed as u64,
                rows_written: self.rows as u64,
                metadata: metadata.build()?,
                bloom_filter,
                column_index,
                offset_index: Some(offsets.build()),
            },
            bytes: file.into_inner()?.into(),
        })
    }

    fn dictionary_page(&self, zstd: &mut Compressor<'_>) -> Result<CompressedPage, ParquetError> {
        let plain = self.values.plain();
        let page = Page::DictionaryPage {
            buf: zstd.compress(&plain)?.into(),
            num_values: self.values.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        Ok(CompressedPage::new(page, plain.len()))
    }

    fn bloom_filter(&self) -> Result<Option<Sbbf>, ParquetError> {
        let Some(rate) = self.bloom else {
            return Ok(None);
        };
        let mut filter = Sbbf::new_with_ndv_fpp(self.values.len() as u64, rate)?;
        self.values.fill(&mut filter);
        Ok(Some(filter))
    }

    fn statistics(&self) -> Statistics {
        let ranges = || self.pages.iter().filter_map(|page| page.range);
        let by_value = |one: &i32, other: &i32| self.values.compare(*one, *other);
        let least = ranges().map(|(least, _)| least).min_by(by_value);
        let greatest = ranges().map(|(_, greatest)| greatest).max_by(by_value);
        let nulls: usize = self.pages.iter().map(|page| page.nulls).sum();
        self.values.statistics(least.zip(greatest), nulls as u64)
    }

    fn column_index(&self) -> ColumnIndexBuilder {
        let mut index = ColumnIndexBuilder::new(D::TYPE);
        for page in &self.pages {
            let (least, greatest) = page
                .range
                .map_or_else(Default::default, |(least, greatest)| {
                    (self.values.bytes(least), self.values.bytes(greatest))
                });
            index.append(page.range.is_none(), least, greatest, page.nulls as i64);
        }
        index
    }
}

/// Whether so many places come first in their order, and no other.
fn are_first_met(places: &[i32], count: usize) -> bool {
    let mut met = 0;
    let mut in_order = true;
    for place in places {
        met += i32::from(*place == met);
        in_order &= *place < met;
    }
    in_order && met as usize == count
}

impl EndedPage {
    /// The page as Parquet's writer wants it, its bytes handed over.
    fn take(&mut self) -> CompressedPage {
        let page = Page::DataPage {
            buf: std::mem::take(&mut self.bytes).into(),
            num_values: self.rows as u32,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        CompressedPage::new(page, self.uncompressed)
    }
}

impl DictionaryChunk {
    /// Writes the column as the next one of a row group.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_to_row_group<W: std::io::Write + Send>(
        self,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        row_group.append_column(&self.bytes, self.close)
    }
}

#[cfg(test)]
mod tests;
