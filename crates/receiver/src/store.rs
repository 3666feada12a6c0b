//! From a decompressed body to a store: decode once, check, append. Runs on a blocking thread.

use bytes::Bytes;
use model::LogStream;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp::Rejected;
use otlp::json::{Dialect, Request};
use prost::Message;

use crate::admission::Permit;
use crate::coding::Coding;
use crate::ingest::{Format, Shared};
use crate::names::Signal;
use crate::{Accepted, Error, Result, loki, remote_write, shape};

/// Decodes a body and appends what is in it. When this returns, what was accepted is in the store's log and found by
/// the next query.
pub(crate) fn keep(
    shared: &Shared,
    signal: Signal,
    format: Format,
    body: Bytes,
    permit: &mut Permit,
) -> Result<Accepted> {
    if format == Format::OtlpJson {
        let protobuf = otlp::json::to_protobuf(json_request(signal), Dialect::Otlp, &body)
            .map_err(|error| Error::Malformed(error.to_string()))?;
        permit.add(protobuf.len())?;
        return keep(shared, signal, Format::OtlpProtobuf, protobuf.into(), permit);
    }
    if format == Format::OtlpProtobuf {
        let _decoding = decoding(shared, signal, &body)?;
        return match signal {
            Signal::Traces => traces(shared, &body),
            Signal::Metrics => metrics(shared, &body),
            Signal::Logs => otlp_logs(shared, &body),
        };
    }
    if let Format::RemoteWrite(version) = format {
        let estimate = shape::remote_write_bytes(&body, shared.decoding_limit());
        let _decoding = shared.decoding(estimate)?;
        return remote_write::keep(&shared.stores.metrics, version, &body, |error| {
            metric_error(shared, error)
        });
    }
    pushed_logs(shared, format, body, permit)
}

/// The memory that a request takes while it is decoded. Where a worker's share of it is enough for the worst of traces of
/// this size, they are not stepped through, which costs a tenth of all that is done with a span.
fn decoding(shared: &Shared, signal: Signal, body: &[u8]) -> Result<Permit> {
    if signal == Signal::Traces {
        let most = shape::most_trace_bytes(body.len());
        if most <= shared.decoding_limit() / shared.config.workers.max(1)
            && let Ok(permit) = shared.decoding(most)
        {
            return Ok(permit);
        }
    }
    shared.decoding(shape::decoded_bytes(signal, body, shared.decoding_limit()))
}

fn json_request(signal: Signal) -> Request {
    match signal {
        Signal::Traces => Request::Traces,
        Signal::Logs => Request::Logs,
        Signal::Metrics => Request::Metrics,
    }
}

fn traces(shared: &Shared, body: &[u8]) -> Result<Accepted> {
    let (batch, rejected) = otlp::traces::decode(body, &shared.config.span_limits)?;
    let items = batch.span_count() as u64;
    if items > 0 {
        shared.stores.traces.append(&batch).map_err(|error| trace_error(shared, &error))?;
        if let Some(observer) = &shared.stores.observer {
            observer.observe(&batch);
        }
    }
    Ok(Accepted { items, rejected, written: None })
}

fn trace_error(shared: &Shared, error: &tracestore::Error) -> Error {
    match error {
        tracestore::Error::Full { .. } => busy(shared, error),
        other => Error::Unavailable(other.to_string()),
    }
}

fn busy(shared: &Shared, error: &dyn std::error::Error) -> Error {
    Error::Busy { message: error.to_string(), retry_after: shared.config.retry_after }
}

fn invalid_protobuf(error: &prost::DecodeError) -> Error {
    Error::Malformed(format!("invalid protobuf: {error}"))
}

fn metrics(shared: &Shared, body: &[u8]) -> Result<Accepted> {
    let request = ExportMetricsServiceRequest::decode(body).map_err(|error| invalid_protobuf(&error))?;
    let (batch, mut rejected) = otlp::metrics::to_series(request, &shared.config.metrics);
    for warning in &batch.warnings {
        tracing::debug!(warning, "translating OTLP metrics");
    }
    if batch.points.is_empty() {
        return Ok(Accepted { items: 0, rejected, written: None });
    }
    let appended = shared.stores.metrics.append(&batch).map_err(|error| metric_error(shared, &error))?;
    rejected.merge(appended.rejected);
    Ok(Accepted { items: appended.points, rejected, written: None })
}

fn metric_error(shared: &Shared, error: &tsdb::Error) -> Error {
    match error {
        tsdb::Error::Full { .. } => busy(shared, error),
        other => Error::Unavailable(other.to_string()),
    }
}

fn otlp_logs(shared: &Shared, body: &[u8]) -> Result<Accepted> {
    let request = ExportLogsServiceRequest::decode(body).map_err(|error| invalid_protobuf(&error))?;
    let (streams, rejected) = otlp::logs::to_streams(request, shared.clock.now_ns(), &shared.config.logs);
    append_logs(shared, &streams, rejected)
}

fn pushed_logs(shared: &Shared, format: Format, body: Bytes, permit: &mut Permit) -> Result<Accepted> {
    let body = match format {
        Format::LokiProtobuf => Coding::SnappyBlock.decode(body, shared.config.max_body_bytes, permit)?,
        _ => body,
    };
    let estimate = match format {
        Format::LokiProtobuf => shape::push_protobuf_bytes(&body, shared.decoding_limit()),
        _ => shape::push_json_bytes(&body),
    };
    let _decoding = shared.decoding(estimate)?;
    let mut streams = loki::parse_push(format, &body)?;
    if streams.is_empty() {
        return Err(Error::NoStreams);
    }
    for stream in &mut streams {
        stream.labels = shared.config.logs.with_service_name(std::mem::take(&mut stream.labels));
    }
    append_logs(shared, &streams, Rejected::default())
}

fn append_logs(shared: &Shared, streams: &[LogStream], mut rejected: Rejected) -> Result<Accepted> {
    if streams.is_empty() {
        return Ok(Accepted { items: 0, rejected, written: None });
    }
    let appended = shared.stores.logs.append(streams).map_err(|error| match error {
        logstore::Error::Full { .. } => busy(shared, &error),
        other => Error::Unavailable(other.to_string()),
    })?;
    rejected.merge(appended.rejected);
    Ok(Accepted { items: appended.accepted, rejected, written: None })
}
