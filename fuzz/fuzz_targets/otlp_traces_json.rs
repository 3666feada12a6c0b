//! Any bytes as a trace request in JSON: no panic, and what comes out is a request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otlp::json::{Dialect, Request, to_protobuf};
use otlp::traces::{Limits, decode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = to_protobuf(Request::Traces, Dialect::Otlp, bytes) {
        decode(&request, &Limits::NONE).expect("our own bytes");
    }
});
