//! Any bytes as a request whose decoded size is estimated: read or refused, within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| receiver::fuzzing::request_shape(bytes));
