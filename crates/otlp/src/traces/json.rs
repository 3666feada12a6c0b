//! OTLP/JSON to protobuf.
//!
//! The protobuf JSON mapping with OTLP's own rules: identifiers in hex (base64 is taken as well, since the plain mapping
//! has it so), 64-bit integers as text or number, enums as number or name, fields in `lowerCamelCase` or as the proto
//! file writes them, `null` for absent, unknown fields ignored.

mod lenient;
mod schema;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::{Error, Result};

/// Turns an OTLP/JSON trace request into the protobuf bytes of the same request.
///
/// Fails where the text is not JSON or a field cannot be what its name says; the message has line and column.
/// Identifiers of a wrong length are kept as they are: [`decode`](super::decode) leaves such spans out and says so.
pub fn json_to_protobuf(text: &[u8]) -> Result<Vec<u8>> {
    let lenient::Object(request): lenient::Object<schema::Request> =
        serde_json::from_slice(text).map_err(|error| Error::Json(error.to_string()))?;
    Ok(ExportTraceServiceRequest::from(request).encode_to_vec())
}
