//! Any text as a query: no panic, and what is read prints as what reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logql::{Expr, Pipeline, parse, parse_matchers};

fuzz_target!(|query: &str| {
    let _ = parse_matchers(query, false);
    let Ok(expr) = parse(query) else { return };
    let printed = expr.to_string();
    // Rows of operators print nested, perhaps too deep to be read again; infinite numbers cannot be written.
    if let Ok(again) = parse(&printed)
        && !printed.contains("NaN")
    {
        assert_eq!(again, expr, "{printed}");
    }
    if let Expr::Log(log) = expr
        && let Ok(pipeline) = Pipeline::new(&log)
    {
        pipeline.keeps_line("level=info msg=\"some line\"");
    }
});
