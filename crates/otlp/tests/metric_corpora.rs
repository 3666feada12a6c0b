//! The protocol's own example of metrics.

use std::process::ExitCode;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp::metrics::{Batch, Config, Strategy, to_series};
use testkit::Corpus;

#[path = "support/lines.rs"]
mod lines;

fn main() -> ExitCode {
    let mut corpus = Corpus::new("otlp/proto-examples");
    corpus.case("metrics.json: series as Prometheus names them", |dir| {
        let batch = translated(dir, &Config::default())?;
        expect(&lines::of(&batch), &[
            r#"{__name__="my_counter_total", job="my.service", my_counter_attr="some value"} 5 @1544712660300 from 1544712660300"#,
            r#"{__name__="my_gauge_ratio", job="my.service", my_gauge_attr="some value"} 10 @1544712660300"#,
            r#"{__name__="my_histogram_sum", job="my.service", my_histogram_attr="some value"} 2 @1544712660300 from 1544712660300"#,
            r#"{__name__="my_histogram_count", job="my.service", my_histogram_attr="some value"} 2 @1544712660300 from 1544712660300"#,
            r#"{__name__="my_histogram_bucket", job="my.service", le="1", my_histogram_attr="some value"} 1 @1544712660300 from 1544712660300"#,
            r#"{__name__="my_histogram_bucket", job="my.service", le="+Inf", my_histogram_attr="some value"} 2 @1544712660300 from 1544712660300"#,
            r#"{__name__="my_exponential_histogram", job="my.service", my_exponential_histogram_attr="some value"} schema 0 count 3 sum 10 zero 1 +[(3, 2.0)] -[] @1544712660300 from 1544712660300"#,
        ])?;
        let names: Vec<String> = batch
            .families
            .iter()
            .map(|family| {
                let metadata = &family.metadata;
                format!("{} {} {:?} {:?}", family.name, metadata.kind.as_str(), metadata.unit, metadata.help)
            })
            .collect();
        expect(&names, &[
            r#"my_counter_total counter "" "I am a Counter""#,
            r#"my_gauge_ratio gauge "" "I am a Gauge""#,
            r#"my_histogram histogram "" "I am a Histogram""#,
            r#"my_exponential_histogram histogram "" "I am an Exponential Histogram""#,
        ])
    });
    corpus.case("metrics.json: names untouched, the scope as labels", |dir| {
        let config = Config {
            translation_strategy: Strategy::NoTranslation,
            promote_scope_metadata: true,
            ..Config::default()
        };
        let found = lines::of(&translated(dir, &config)?);
        expect(&found[..1], &[concat!(
            r#"{__name__="my.counter", job="my.service", "my.counter.attr"="some value", "#,
            r#""otel_scope_my.scope.attribute"="some scope attribute", otel_scope_name="my.library", otel_scope_version="1.0.0"} 5 @1544712660300 from 1544712660300"#
        )])
    });
    corpus.run()
}

fn translated(dir: &std::path::Path, config: &Config) -> Result<Batch, String> {
    let text = std::fs::read_to_string(dir.join("metrics.json")).map_err(|error| error.to_string())?;
    let request: ExportMetricsServiceRequest =
        serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let (batch, rejected) = to_series(request, config);
    if rejected.count == 0 { Ok(batch) } else { Err(format!("{rejected:?}")) }
}

fn expect(found: &[String], expected: &[&str]) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("found\n{}\nexpected\n{}", found.join("\n"), expected.join("\n")))
    }
}
