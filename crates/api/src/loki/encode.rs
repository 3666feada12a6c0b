//! Results of queries, in Loki's shape.

use std::collections::BTreeMap;

use logql::metadata_name;
use logstore::{FoundEntry, QueryStats, Selection};
use model::Labels;
use serde::ser::{SerializeMap, SerializeSeq, SerializeTuple};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// The flag that asks for structured metadata apart from the labels.
pub(super) const CATEGORIZE_LABELS: &str = "categorize-labels";

/// Where structured metadata goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labelling {
    /// Among the labels: entries that differ in it are in different streams of the result.
    Merged,
    /// Beside each entry.
    Categorized,
}

type Pairs = Vec<(String, String)>;

/// A response to a query for entries.
pub(super) fn streams(selection: &Selection, labelling: Labelling, took_ns: u64) -> impl Serialize {
    let mut streams: BTreeMap<String, Stream<'_>> = BTreeMap::new();
    for entry in &selection.entries {
        let (labels, beside) = labelled(entry, labelling);
        // Streams are ordered by their labels as text.
        let stream = streams
            .entry(labels.to_string())
            .or_insert_with(|| Stream { stream: Map(labels.into_pairs()), values: Vec::new() });
        stream.values.push(Entry { time_ns: entry.time_ns, line: &entry.line, beside });
    }
    Response {
        status: "success",
        data: Data {
            result_type: "streams",
            encoding_flags: (labelling == Labelling::Categorized).then_some([CATEGORIZE_LABELS]),
            result: streams.into_values().collect::<Vec<_>>(),
            stats: stats(&selection.stats, selection.entries.len(), took_ns),
        },
    }
}

/// The labels of an entry in the result, and what stands beside it.
fn labelled(entry: &FoundEntry, labelling: Labelling) -> (Labels, Option<Beside>) {
    let metadata = entry.metadata.iter().map(|(name, value)| {
        let hidden = !entry.labels.get(name).is_empty();
        (metadata_name(name, hidden).into_owned(), value.clone())
    });
    let error = entry.error.iter().flat_map(|error| {
        [
            ("__error__".to_owned(), error.error.to_owned()),
            ("__error_details__".to_owned(), error.details.clone()),
        ]
    });
    match labelling {
        Labelling::Categorized => {
            let beside = Beside { structured_metadata: metadata.collect(), parsed: error.collect() };
            (entry.labels.as_ref().clone(), Some(beside))
        }
        Labelling::Merged => {
            let stream = entry.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            (stream.chain(metadata).chain(error).collect(), None)
        }
    }
}

#[derive(Serialize)]
struct Response<T> {
    status: &'static str,
    data: Data<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<T> {
    result_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_flags: Option<[&'static str; 1]>,
    result: T,
    stats: Value,
}

#[derive(Serialize)]
struct Stream<'a> {
    stream: Map,
    values: Vec<Entry<'a>>,
}

/// Pairs as an object.
struct Map(Pairs);

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct Entry<'a> {
    time_ns: i64,
    line: &'a str,
    beside: Option<Beside>,
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serializer.serialize_seq(Some(2 + usize::from(self.beside.is_some())))?;
        values.serialize_element(&self.time_ns.to_string())?;
        values.serialize_element(self.line)?;
        if let Some(beside) = &self.beside {
            values.serialize_element(beside)?;
        }
        values.end()
    }
}

/// What stands beside an entry whose labels are categorized.
struct Beside {
    structured_metadata: Pairs,
    parsed: Pairs,
}

impl Serialize for Beside {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, pairs) in [("structuredMetadata", &self.structured_metadata), ("parsed", &self.parsed)] {
            if !pairs.is_empty() {
                map.serialize_entry(name, &MapRef(pairs))?;
            }
        }
        map.end()
    }
}

struct MapRef<'a>(&'a Pairs);

impl Serialize for MapRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A response with how much there is of each set of labels, at one time.
///
/// Without `with_values` only the names of the labels count, and their values are shown empty.
pub(super) fn vector(samples: Vec<(Labels, u64)>, time_ms: i64, with_values: bool) -> impl Serialize {
    let sample = |(labels, value): (Labels, u64)| {
        let mut pairs = labels.into_pairs();
        if !with_values {
            for (_, value) in &mut pairs {
                value.clear();
            }
        }
        Sample { labels: pairs, value, time_ms }
    };
    let result: Vec<Sample> = samples.into_iter().map(sample).collect();
    let stats = stats(&QueryStats::default(), 0, 0);
    Response { status: "success", data: Data { result_type: "vector", encoding_flags: None, result, stats } }
}

struct Sample {
    labels: Pairs,
    value: u64,
    time_ms: i64,
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Value<'a>(&'a Sample);
        impl Serialize for Value<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut value = serializer.serialize_tuple(2)?;
                value.serialize_element(&(self.0.time_ms as f64 / 1000.0))?;
                value.serialize_element(&self.0.value.to_string())?;
                value.end()
            }
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("metric", &MapRef(&self.labels))?;
        map.serialize_entry("value", &Value(self))?;
        map.end()
    }
}

/// What a query took, under Loki's names: the head stands for the ingester, blocks for the store.
fn stats(stats: &QueryStats, returned: usize, took_ns: u64) -> Value {
    let seconds = took_ns as f64 / 1e9;
    let (bytes, lines) = (stats.head_bytes + stats.block_bytes, stats.head_lines + stats.block_lines);
    let per_second = |amount: u64| if took_ns == 0 { 0 } else { (amount as f64 / seconds) as u64 };
    let cache = json!({
        "entriesFound": 0, "entriesRequested": 0, "entriesStored": 0, "bytesReceived": 0, "bytesSent": 0,
        "requests": 0, "downloadTime": 0, "queryLengthServed": 0,
    });
    let dataobj = json!({
        "prePredicateDecompressedRows": 0, "prePredicateDecompressedBytes": 0,
        "prePredicateDecompressedStructuredMetadataBytes": 0, "postPredicateRows": 0,
        "postPredicateDecompressedBytes": 0, "postPredicateStructuredMetadataBytes": 0, "postFilterRows": 0,
        "pagesScanned": 0, "pagesDownloaded": 0, "pagesDownloadedBytes": 0, "pageBatches": 0,
        "totalRowsAvailable": 0, "totalPageDownloadTime": 0, "wireBytesTransferred": 0,
    });
    let store = |chunks: u64, chunk: Value| {
        json!({
            "totalChunksRef": chunks, "totalChunksDownloaded": chunks, "chunksDownloadTime": 0,
            "queryReferencedStructuredMetadata": false, "queryUsedV2Engine": false, "chunk": chunk,
            "chunkRefsFetchTime": 0, "congestionControlLatency": 0, "pipelineWrapperFilteredLines": 0,
            "dataobj": dataobj,
        })
    };
    let chunk = |head: (u64, u64), decompressed: (u64, u64), matched: u64| {
        json!({
            "headChunkBytes": head.0, "headChunkLines": head.1, "decompressedBytes": decompressed.0,
            "decompressedLines": decompressed.1, "compressedBytes": 0, "totalDuplicates": stats.duplicates,
            "postFilterLines": matched, "headChunkStructuredMetadataBytes": 0,
            "decompressedStructuredMetadataBytes": 0,
        })
    };
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second(bytes), "linesProcessedPerSecond": per_second(lines),
            "totalBytesProcessed": bytes, "totalLinesProcessed": lines, "execTime": seconds, "queueTime": 0,
            "subqueries": 0, "totalEntriesReturned": returned, "splits": 0, "shards": 0,
            "totalPostFilterLines": stats.matched, "totalStructuredMetadataBytesProcessed": 0,
        },
        "querier": {
            "store": store(stats.row_groups, chunk((0, 0), (stats.block_bytes, stats.block_lines), stats.matched)),
            "querierExecTime": seconds,
        },
        "ingester": {
            "totalReached": 1, "totalChunksMatched": stats.head_segments, "totalBatches": 0, "totalLinesSent": 0,
            "store": store(0, chunk((stats.head_bytes, stats.head_lines), (0, 0), 0)),
        },
        "cache": {
            "chunk": cache, "index": cache, "result": cache, "statsResult": cache, "volumeResult": cache,
            "seriesResult": cache, "labelResult": cache, "instantMetricResult": cache, "logResult": cache,
            "taskResult": cache,
        },
        "index": {
            "totalChunks": stats.row_groups + stats.head_segments,
            "postFilterChunks": stats.row_groups + stats.head_segments,
            "shardsDuration": 0, "usedBloomFilters": false, "totalStreams": 0, "chunkRefsLookupTime": 0,
            "bloomFilterTime": 0,
        },
    })
}
