//! A histogram as tests write it.

use model::Histogram;
use model::sample::{BucketSpan, ResetHint};

use super::POINTS;
use crate::error::Span;
use crate::lexer::Kind;
use crate::parser::{Parser, Result};

/// What may stand in a histogram, after its first key.
const CONTEXT: (&str, &str) = ("histogram description", "histogram description key, e.g. buckets:[5 10 7]");

/// How Prometheus numbers the words of histograms where it names them in errors.
pub(in crate::parser) fn item_number(word: &str) -> u32 {
    match word.to_ascii_lowercase().as_str() {
        "sum" => 57370,
        "count" => 57371,
        "schema" => 57372,
        "offset" => 57373,
        "n_offset" => 57374,
        "buckets" => 57375,
        "n_buckets" => 57376,
        "z_bucket" => 57377,
        "z_bucket_w" => 57378,
        "custom_values" => 57379,
        "counter_reset_hint" => 57380,
        "unknown" => 57445,
        "reset" => 57446,
        "not_reset" => 57447,
        _ => 57448,
    }
}

/// What has been read of a histogram.
#[derive(Debug, Default)]
struct Reader {
    histogram: Histogram,
    keys: Vec<String>,
    offset: i32,
    negative_offset: i32,
}

impl Parser<'_> {
    /// Reads a histogram, and whether it says what is known of resets.
    pub(super) fn histogram(&mut self) -> Result<(Histogram, bool)> {
        self.advance();
        if self.peek().kind == Kind::Space {
            self.advance();
            if self.peek().kind != Kind::CloseHistogram {
                return Err(self.unexpected(POINTS, ""));
            }
        }
        let mut reader = Reader::default();
        while self.peek().kind != Kind::CloseHistogram {
            let mut context = (POINTS, "");
            if !reader.keys.is_empty() {
                context = CONTEXT;
                self.expect(Kind::Space, context.0, context.1)?;
                if self.peek().kind == Kind::CloseHistogram {
                    break;
                }
            }
            self.key(&mut reader, context)?;
        }
        self.advance();
        let Reader { mut histogram, keys, offset, negative_offset } = reader;
        let span = |offset, counts: &[f64]| match counts.len() {
            0 => Vec::new(),
            length => vec![BucketSpan { offset, length: length as u32 }],
        };
        histogram.positive_spans = span(offset, &histogram.positive_buckets);
        histogram.negative_spans = span(negative_offset, &histogram.negative_buckets);
        Ok((histogram, keys.iter().any(|key| key == "counter_reset_hint")))
    }

    /// A key with its value.
    fn key(&mut self, reader: &mut Reader, context: (&str, &str)) -> Result<()> {
        let token = self.expect(Kind::Descriptor, context.0, context.1)?;
        let key = self.text(token).to_ascii_lowercase();
        self.expect(Kind::Colon, context.0, context.1)?;
        let known = reader.keys.contains(&key);
        let histogram = &mut reader.histogram;
        match key.as_str() {
            "schema" => histogram.schema = self.integer(context)?,
            "offset" => reader.offset = self.integer(context)?,
            "n_offset" => reader.negative_offset = self.integer(context)?,
            "sum" => histogram.sum = self.histogram_number(context)?,
            "count" => histogram.count = self.histogram_number(context)?,
            "z_bucket" => histogram.zero_count = self.histogram_number(context)?,
            "z_bucket_w" => histogram.zero_threshold = self.number(context.0, context.1)?,
            "buckets" => histogram.positive_buckets = self.numbers(context)?,
            "n_buckets" => histogram.negative_buckets = self.numbers(context)?,
            "custom_values" => histogram.custom_values = self.numbers(context)?,
            _ => {
                let hint = self.expect(Kind::ResetHint, context.0, context.1)?;
                histogram.reset_hint = match self.text(hint).to_ascii_lowercase().as_str() {
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NotReset,
                    "gauge" => ResetHint::Gauge,
                    _ => ResetHint::Unknown,
                };
            }
        }
        if known {
            // Prometheus does not say where.
            return Err(self.error(Span::default(), format!("duplicate key \"{key}\" in histogram")));
        }
        reader.keys.push(key);
        Ok(())
    }

    /// A whole number; only its last 32 bits are kept.
    fn integer(&mut self, context: (&str, &str)) -> Result<i32> {
        let negative = self.is_operator("-");
        if negative {
            self.advance();
        }
        let number = self.whole_number(context.0, context.1)? as i32;
        Ok(if negative { number.wrapping_neg() } else { number })
    }

    fn histogram_number(&mut self, context: (&str, &str)) -> Result<f64> {
        let negative = self.is_operator("-");
        if negative {
            self.advance();
        }
        let number = self.number(context.0, context.1)?;
        Ok(if negative { -number } else { number })
    }

    /// A list of numbers. As in Prometheus, what is wrong behind its first number ends the list without a word.
    fn numbers(&mut self, context: (&str, &str)) -> Result<Vec<f64>> {
        self.expect(Kind::LeftBracket, context.0, context.1)?;
        let mut numbers = vec![self.histogram_number(context)?];
        loop {
            match self.peek().kind {
                Kind::RightBracket => {
                    self.advance();
                    return Ok(numbers);
                }
                Kind::Error | Kind::Eof => return Err(self.unexpected(context.0, context.1)),
                Kind::Space if self.is_number_next() => {
                    self.advance();
                    numbers.push(self.histogram_number(context)?);
                }
                _ => _ = self.advance(),
            }
        }
    }

    /// Whether a number follows the next token.
    fn is_number_next(&self) -> bool {
        // A sign never stands alone: the lexer has seen to that.
        matches!(self.peek_second(), Kind::Number | Kind::Operator)
    }
}
