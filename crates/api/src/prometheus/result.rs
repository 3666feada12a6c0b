//! The answer to a query as a body: a small one at once, a large one piece by piece while the client reads, so that no
//! more of it is held as text than a piece.

use std::vec;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use model::Labels;
use promql::engine::{SeriesPoints, Value};
use promql::storage::PointValue;

use super::json;

/// Bytes of a piece; the series that reaches it is written to its end.
const PIECE_BYTES: usize = 64 << 10;

/// A query's answer.
#[derive(Debug)]
pub(super) struct QueryAnswer {
    body: Pieces,
}

impl QueryAnswer {
    /// A value with what is told besides: the members of `data` behind the value, those of the answer behind `data`,
    /// each beginning with a comma.
    pub(super) fn new(value: Value, in_data: &str, behind_data: &str) -> Self {
        let mut begin = String::with_capacity(PIECE_BYTES);
        begin.push_str(r#"{"status":"success","data":{"#);
        json::value_type(&mut begin, &value);
        let rows = match value {
            Value::Vector(time_ms, samples) => {
                begin.push('[');
                Rows::Vector(time_ms, samples.into_iter())
            }
            Value::Matrix(matrix) => {
                begin.push('[');
                Rows::Matrix(matrix.into_iter())
            }
            single => {
                json::single(&mut begin, &single);
                Rows::None
            }
        };
        let close = if matches!(rows, Rows::None) { "" } else { "]" };
        let end = format!("{close}{in_data}}}{behind_data}}}");
        Self { body: Pieces { begin, rows, is_first: true, end: Some(end) } }
    }
}

impl IntoResponse for QueryAnswer {
    fn into_response(self) -> Response {
        let mut pieces = self.body;
        let first = pieces.next().unwrap_or_default();
        let body = if pieces.end.is_none() {
            Body::from(first)
        } else {
            let all = std::iter::once(first).chain(pieces);
            Body::from_stream(stream::iter(all.map(Ok::<_, std::convert::Infallible>)))
        };
        let content_type = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    }
}

/// The text of an answer, still to be written.
#[derive(Debug)]
struct Pieces {
    /// What comes before the next row.
    begin: String,
    rows: Rows,
    is_first: bool,
    /// What comes behind the last row; `None` once all is written.
    end: Option<String>,
}

#[derive(Debug)]
enum Rows {
    None,
    Vector(i64, vec::IntoIter<(Labels, PointValue)>),
    Matrix(vec::IntoIter<SeriesPoints>),
}

impl Rows {
    /// Writes the next row behind a separator; whether there was one. What is written is given up at once.
    fn write_next(&mut self, out: &mut String, separator: &str) -> bool {
        match self {
            Self::None => return false,
            Self::Vector(time_ms, samples) => {
                let Some((labels, value)) = samples.next() else { return false };
                out.push_str(separator);
                json::sample(out, &labels, *time_ms, &value);
            }
            Self::Matrix(matrix) => {
                let Some(series) = matrix.next() else { return false };
                out.push_str(separator);
                json::series(out, &series);
            }
        }
        true
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.end.as_ref()?;
        let mut piece = std::mem::take(&mut self.begin);
        piece.reserve(PIECE_BYTES.saturating_sub(piece.len()));
        while piece.len() < PIECE_BYTES {
            let separator = if self.is_first { "" } else { "," };
            if !self.rows.write_next(&mut piece, separator) {
                piece.push_str(&self.end.take()?);
                break;
            }
            self.is_first = false;
        }
        Some(piece.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use model::Histogram;

    use super::*;

    async fn text(answer: QueryAnswer) -> String {
        let bytes = answer.into_response().into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn small_answers() {
        let scalar = QueryAnswer::new(Value::Scalar(1500, 2.0), "", r#","infos":["x"]"#);
        assert_eq!(
            text(scalar).await,
            r#"{"status":"success","data":{"resultType":"scalar","result":[1.500,"2"]},"infos":["x"]}"#
        );
        let empty = QueryAnswer::new(Value::Vector(0, Vec::new()), r#","stats":{}"#, "");
        assert_eq!(
            text(empty).await,
            r#"{"status":"success","data":{"resultType":"vector","result":[],"stats":{}}}"#
        );
        let both = SeriesPoints {
            histograms: vec![(1000, Arc::new(Histogram::default()))],
            floats: vec![(500, f64::NAN)],
            ..SeriesPoints::default()
        };
        assert_eq!(
            text(QueryAnswer::new(Value::Matrix(vec![both]), "", "")).await,
            concat!(
                r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"#,
                r#""values":[[0.500,"NaN"]],"histograms":[[1,{"count":"0","sum":"0"}]]}]}}"#
            )
        );
    }

    #[tokio::test]
    async fn pieces_make_the_same_text() {
        let samples: Vec<(Labels, PointValue)> = (0..5000)
            .map(|number| {
                let labels = [("n".to_owned(), number.to_string())].into_iter().collect();
                (labels, PointValue::Float(f64::from(number) / 3.0))
            })
            .collect();
        let answer = QueryAnswer::new(Value::Vector(7000, samples.clone()), "", "");
        let mut whole = String::from(r#"{"status":"success","data":{"resultType":"vector","result":"#);
        json::list(&mut whole, &samples, |out, (labels, value)| json::sample(out, labels, 7000, value));
        whole.push_str("}}");
        assert!(whole.len() > 2 * PIECE_BYTES);
        assert_eq!(text(answer).await, whole);
    }
}
