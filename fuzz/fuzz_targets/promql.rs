//! Any text as a query: read, or refused with a place in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    for error in [promql::parse(query).err(), promql::parse_selector(query).err()].into_iter().flatten() {
        assert!(error.span.start <= query.len() && error.span.end <= query.len());
        assert!(error.to_string().contains(": parse error: "));
    }
    _ = promql::parse_duration(query);
});
