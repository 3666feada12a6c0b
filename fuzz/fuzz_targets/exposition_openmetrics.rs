//! Any bytes as an exposition in OpenMetrics text.
#![no_main]

#[path = "shared/exposition.rs"]
mod shared;

use exposition::protocol::MediaType;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    shared::read(bytes, MediaType::OpenMetrics);
    _ = exposition::check::openmetrics(bytes);
});
