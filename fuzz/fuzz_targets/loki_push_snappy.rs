//! Any bytes as Loki's push in protobuf, in its snappy block: read or refused, within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| receiver::fuzzing::push_snappy(bytes));
