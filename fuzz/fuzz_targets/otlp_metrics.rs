//! Any bytes as a metric request: no panic, limits hold, and every data point is either taken or counted as rejected.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use otlp::metrics::{Config, Strategy, to_series};
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = ExportMetricsServiceRequest::decode(bytes) else { return };
    let sent: usize = request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics)
        .map(|metric| match &metric.data {
            None => 0,
            Some(Data::Gauge(it)) => it.data_points.len(),
            Some(Data::Sum(it)) => it.data_points.len(),
            Some(Data::Histogram(it)) => it.data_points.len(),
            Some(Data::ExponentialHistogram(it)) => it.data_points.len(),
            Some(Data::Summary(it)) => it.data_points.len(),
        })
        .sum();
    let everything = Config {
        promote_all_resource_attributes: true,
        keep_identifying_resource_attributes: true,
        convert_histograms_to_nhcb: true,
        promote_scope_metadata: true,
        label_name_preserve_multiple_underscores: false,
        translation_strategy: Strategy::NoUTF8EscapingWithSuffixes,
        ..Config::default()
    };
    for config in [Config::default(), everything] {
        let (batch, rejected) = to_series(request.clone(), &config);
        assert!(batch.sample_count() <= config.limits.max_samples);
        let taken = batch.points.iter().filter(|point| !point.derived).count();
        assert_eq!(taken + rejected.count as usize, sent);
    }
});
