//! Any bytes as a trace request in JSON: no panic, and what comes out is a request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otlp::traces::{Limits, decode, json_to_protobuf};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = json_to_protobuf(bytes) {
        decode(&request, &Limits::NONE).expect("our own bytes");
    }
});
