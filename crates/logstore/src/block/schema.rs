//! The columns of a block.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};

/// The columns, in order. The trace's identifier has a column of its own, with a bloom filter, and is not among the
/// structured metadata.
const SCHEMA: &str = "
message log_entry {
  REQUIRED INT64 timestamp (TIMESTAMP(NANOS,true));
  REQUIRED GROUP labels (MAP) {
    REPEATED GROUP key_value {
      REQUIRED BYTE_ARRAY key (UTF8);
      REQUIRED BYTE_ARRAY value (UTF8);
    }
  }
  REQUIRED BYTE_ARRAY line (UTF8);
  OPTIONAL BYTE_ARRAY trace_id (UTF8);
  REQUIRED GROUP structured_metadata (MAP) {
    REPEATED GROUP key_value {
      REQUIRED BYTE_ARRAY key (UTF8);
      REQUIRED BYTE_ARRAY value (UTF8);
    }
  }
}
";

/// A column that is read, by its place in the file. Labels are there for other readers: the store has them from
/// `streams.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Column {
    Timestamp = 0,
    Line = 3,
    TraceId = 4,
    MetadataKey = 5,
    MetadataValue = 6,
}

/// How many columns there are.
pub(super) const COLUMNS: usize = 7;
/// The structured metadata that has a column of its own.
pub(super) const TRACE_ID: &str = "trace_id";

/// Level of zstd. Sealing is not in a request's way; past this, more time brings little.
const LEVEL: i32 = 6;
/// Most rows of a page: what a query for one entry has to decode at least.
const PAGE_ROWS: usize = 4096;

/// The schema of the file.
pub(super) fn schema() -> parquet::errors::Result<TypePtr> {
    parse_message_type(SCHEMA).map(Arc::new)
}

/// How the file is written. `rows` is the most rows of a row group.
pub(super) fn properties(rows: usize) -> parquet::errors::Result<WriterProperties> {
    let path = |parts: &[&str]| ColumnPath::new(parts.iter().map(|&part| part.to_owned()).collect());
    let plain = |name: &str| path(&[name]);
    Ok(WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by("mirante".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(true)
        .set_dictionary_page_size_limit(1 << 20)
        .set_data_page_size_limit(1 << 20)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(1024)
        .set_max_row_group_row_count(None)
        .set_column_statistics_enabled(plain("timestamp"), EnabledStatistics::Chunk)
        .set_column_dictionary_enabled(plain("timestamp"), false)
        .set_column_encoding(plain("timestamp"), Encoding::DELTA_BINARY_PACKED)
        // Lines hardly repeat: lengths apart from their bytes is what compresses best.
        .set_column_dictionary_enabled(plain("line"), false)
        .set_column_encoding(plain("line"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_bloom_filter_enabled(plain("trace_id"), true)
        .set_column_bloom_filter_fpp(plain("trace_id"), 0.01)
        .set_column_bloom_filter_max_ndv(plain("trace_id"), rows.max(1) as u64)
        .set_column_encoding(
            path(&["structured_metadata", "key_value", "value"]),
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
        )
        .build())
}
