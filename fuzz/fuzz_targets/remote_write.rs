//! Any bytes as a remote write of either version: read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| receiver::fuzzing::remote_write(bytes));
