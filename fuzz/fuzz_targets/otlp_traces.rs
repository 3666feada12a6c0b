//! Any bytes as a trace request: no panic, and what the generated types can read, the decoder reads too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp::traces::{Limits, decode, encode_to_vec};
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let decoded = decode(bytes, &Limits::NONE);
    if let Ok(request) = ExportTraceServiceRequest::decode(bytes) {
        let spans: usize =
            request.resource_spans.iter().flat_map(|group| &group.scope_spans).map(|group| group.spans.len()).sum();
        let (batch, rejected) = decoded.as_ref().expect("the generated types can read it");
        assert_eq!(batch.span_count() + rejected.count as usize, spans);
    }
    if let Ok((batch, _)) = decoded {
        let spans = batch.to_spans();
        let again = encode_to_vec(&spans);
        let (batch, rejected) = decode(&again, &Limits::NONE).expect("our own bytes");
        assert_eq!((batch.span_count(), rejected.count), (spans.len(), 0));
        let _ = decode(bytes, &Limits { max_attributes: 2, max_value_bytes: 16, max_value_depth: 2 });
    }
});
