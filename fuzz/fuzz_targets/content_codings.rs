//! Any bytes as a compressed body, its coding named by the first byte: read or refused, within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| receiver::fuzzing::codings(bytes));
