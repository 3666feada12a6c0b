//! Whether a body keeps to its specification, beyond what Prometheus insists on when it scrapes: what a tool says of an
//! exposition to those who write it.
//!
//! [`openmetrics`] holds a body against the OpenMetrics 1.0 specification: families described once and before their
//! samples, metrics not mixed, values that fit their type, buckets in order. [`text`] holds one against the text format
//! 0.0.4 as Prometheus' own clients read it.

mod family;
mod openmetrics;
mod text;

pub use openmetrics::openmetrics;
pub use text::text;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the specification says beyond upstream's cases.
    #[test]
    fn openmetrics_families() {
        let good = [
            "# TYPE a stateset\na{a=\"x\"} 1\na{a=\"y\"} 0\n# EOF\n",
            "# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 1\na_count 1\n# EOF\n",
            "# TYPE a counter\na_total{b=\"1\"} 1\na_created{b=\"1\"} 5\na_total{b=\"2\"} 1\n# EOF\n",
            "# TYPE a gaugehistogram\na_bucket{le=\"-1\"} 1\na_bucket{le=\"+Inf\"} 1\na_gcount 1\na_gsum -3\n# EOF\n",
            "# HELP a b\n# UNIT a_s s\n# TYPE a_s gauge\na_s 1\n# EOF\n",
        ];
        for body in good {
            assert_eq!(openmetrics(body.as_bytes()), Ok(()), "{body}");
        }
        let bad = [
            (
                "# TYPE a counter\na_total 1\na_total{b=\"1\"} 1\na_total 1\n# EOF\n",
                4,
                "samples of two metrics are mixed",
            ),
            (
                "# TYPE a gauge\na 1 5\na 1\n# EOF\n",
                3,
                "some samples of a metric have a time and some have none",
            ),
            ("# TYPE a gauge\na 1 0.000000002\na 2 0.000000001\n# EOF\n", 3, "times of a metric go back"),
            (
                "# TYPE a histogram\na_bucket{le=\"1\"} 1\n# TYPE b gauge\n# EOF\n",
                3,
                "the bucket of +Inf is missing",
            ),
            ("# TYPE a counter\na_total 1 # {b=\"1\",b=\"2\"} 1\n# EOF\n", 2, "a label is there twice"),
            (
                "# TYPE a counter\n# TYPE b gauge\n# TYPE a_total gauge\n# EOF\n",
                4,
                "two families have the name a_total",
            ),
        ];
        for (body, line, message) in bad {
            let error = openmetrics(body.as_bytes()).unwrap_err();
            assert_eq!((error.line, error.message.as_str()), (line, message), "{body}");
        }
    }

    /// Cases of the same kind as upstream's, which its corpus has besides those that are at hand.
    #[test]
    fn text_lines() {
        let good =
            ["", "{\"a.b\", c=\"d\"} 1\n", "a{b=\"c\\\\\\\"\\n\"} 1 -5\n", "# TYPE a\n# HELP a\na 1\n"];
        for body in good {
            assert_eq!(text(body.as_bytes()), Ok(()), "{body}");
        }
        let bad = [
            ("a{b=\"c\"} x\n", "expected float as value, got \"x\""),
            (
                "a 1\n# TYPE a counter\n",
                "second TYPE line for metric name \"a\", or TYPE reported after samples",
            ),
            ("{b=\"c\"} 1\n", "invalid metric name"),
            ("a{b=\"c\",b=\"d\"} 1\n", "duplicate label names for metric \"a\""),
            ("a{b=\"c\" d=\"e\"} 1\n", "unexpected end of label value \"c\""),
            (
                "# TYPE a summary\na{quantile=\"x\"} 1\n",
                "expected float as value for 'quantile' label, got \"x\"",
            ),
            ("a{b=\"c", "unexpected end of input stream"),
            ("a 1 \n", "expected integer as timestamp, got \"\""),
            ("a 1 2 \n", "spurious string after timestamp: \" \""),
            ("# HELP a b\\c\n", "invalid escape sequence '\\c'"),
            ("# TYPE a", "unexpected end of input stream"),
            ("a{b+=\"c\"} 1\n", "expected '=' after label name, found '+'"),
            ("a{b=c} 1\n", "expected '\"' at start of label value, found 'c'"),
            ("a{@=\"c\"} 1\n", "invalid label name for metric \"a\""),
            ("# TYPE a histogram\na_bucket{le=\"1\"} -1\n", "negative bucket population for histogram \"a\""),
        ];
        for (body, message) in bad {
            let error = text(body.as_bytes()).unwrap_err();
            let line = error.line;
            assert_eq!(
                error.message,
                format!("text format parsing error in line {line}: {message}"),
                "{body}"
            );
        }
    }
}
