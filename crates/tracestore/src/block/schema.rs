//! The columns of a block.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};

/// The columns, in order. `start` and `duration_ns` give the end as well; kind and status are words; attribute values are
/// text, and `attribute_types` has a letter for each (`s` text, `i` integer, `d` double, `b` boolean, `y` bytes in base64,
/// `j` list or map as JSON, `n` nothing), null where all are text. `resource`, `scope`, `events` and `links` are JSON.
const SCHEMA: &str = "
message span {
  REQUIRED FIXED_LEN_BYTE_ARRAY (16) trace_id;
  REQUIRED FIXED_LEN_BYTE_ARRAY (8) span_id;
  OPTIONAL FIXED_LEN_BYTE_ARRAY (8) parent_span_id;
  REQUIRED INT64 start (TIMESTAMP(NANOS,true));
  REQUIRED INT64 duration_ns;
  REQUIRED BYTE_ARRAY name (UTF8);
  REQUIRED BYTE_ARRAY kind (UTF8);
  REQUIRED BYTE_ARRAY status_code (UTF8);
  OPTIONAL BYTE_ARRAY status_message (UTF8);
  REQUIRED BYTE_ARRAY service_name (UTF8);
  OPTIONAL BYTE_ARRAY trace_state (UTF8);
  REQUIRED INT64 flags;
  OPTIONAL INT64 dropped_attributes_count;
  OPTIONAL INT64 dropped_events_count;
  OPTIONAL INT64 dropped_links_count;
  REQUIRED GROUP attributes (MAP) {
    REPEATED GROUP key_value {
      REQUIRED BYTE_ARRAY key (UTF8);
      REQUIRED BYTE_ARRAY value (UTF8);
    }
  }
  OPTIONAL BYTE_ARRAY attribute_types (UTF8);
  REQUIRED BYTE_ARRAY resource (UTF8);
  REQUIRED BYTE_ARRAY scope (UTF8);
  OPTIONAL BYTE_ARRAY events (UTF8);
  OPTIONAL BYTE_ARRAY links (UTF8);
}
";

/// A column, by its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Column {
    TraceId = 0,
    SpanId,
    ParentSpanId,
    Start,
    Duration,
    Name,
    Kind,
    StatusCode,
    StatusMessage,
    ServiceName,
    TraceState,
    Flags,
    DroppedAttributes,
    DroppedEvents,
    DroppedLinks,
    AttributeKey,
    AttributeValue,
    AttributeTypes,
    Resource,
    Scope,
    Events,
    Links,
}

/// A set of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns(u32);

impl Columns {
    pub(super) const ALL: Self = Self(u32::MAX);

    pub(super) fn of(columns: &[Column]) -> Self {
        Self(columns.iter().fold(0, |set, column| set | 1 << *column as usize))
    }

    pub(super) fn with(self, condition: bool, columns: &[Column]) -> Self {
        if condition { Self(self.0 | Self::of(columns).0) } else { self }
    }

    pub(super) fn has(self, column: Column) -> bool {
        self.has_index(column as usize)
    }

    pub(super) fn has_index(self, column: usize) -> bool {
        self.0 & 1 << column != 0
    }
}

/// The schema of the file; `None` if the text above were no schema.
pub(super) fn schema() -> parquet::errors::Result<TypePtr> {
    parse_message_type(SCHEMA).map(Arc::new)
}

/// How the file is written. `traces` is the most traces of a row group.
pub(super) fn properties(traces: u64) -> parquet::errors::Result<WriterProperties> {
    let path = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by("mirante".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(
            std::env::var("ZL").ok().and_then(|l| l.parse().ok()).unwrap_or(LEVEL),
        )?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(true)
        .set_dictionary_page_size_limit(1 << 20)
        .set_data_page_size_limit(256 << 10)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(None)
        .set_column_dictionary_page_size_limit(path("trace_id"), 4 << 20)
        .set_column_bloom_filter_enabled(path("trace_id"), true)
        .set_column_bloom_filter_fpp(path("trace_id"), 0.01)
        .set_column_bloom_filter_max_ndv(path("trace_id"), traces.max(1));
    // An attribute whose value is an identifier is found without reading what does not have it.
    let value = ColumnPath::new(["attributes", "key_value", "value"].map(str::to_owned).to_vec());
    properties = properties
        .set_column_bloom_filter_enabled(value.clone(), true)
        .set_column_bloom_filter_fpp(value.clone(), 0.01)
        .set_column_bloom_filter_max_ndv(value, MOST_VALUES);
    for name in ["span_id", "parent_span_id"] {
        // Random bytes: neither a dictionary nor a compressor can do anything but parents, which repeat.
        properties = properties
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::PLAIN);
    }
    for name in ["start", "duration_ns"] {
        properties = properties
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in ["start", "name", "service_name"] {
        properties = properties.set_column_statistics_enabled(path(name), EnabledStatistics::Chunk);
    }
    Ok(properties.build())
}

/// Level of zstd. What is left after dictionaries and deltas is mostly identifiers: level 6 takes twice the time of level 3
/// for a hundredth less.
const LEVEL: i32 = 3;
/// Different attribute values of a row group that its bloom filter is made for; it is folded to what is there.
const MOST_VALUES: u64 = 1 << 17;
/// Most rows of a page: what a trace by id has to decode at least.
const PAGE_ROWS: usize = 8192;
