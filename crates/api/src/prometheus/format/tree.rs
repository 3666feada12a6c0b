//! An expression as the JSON of Prometheus' tree view, which other pages read as well.

use std::fmt::Write;

use model::number::{Fixed, Short};
use model::{MatchOp, Matcher};
use promql::functions::Variadic;
use promql::{
    At, Binary, BinaryOp, Call, DurationExpr, Expr, Extension, Matching, StringLiteral, VectorSelector,
};
use serde_json::{Value, json};

use crate::prometheus::json;

/// What a node has under a name.
enum Field<'a> {
    Json(Value),
    Node(&'a Expr),
    Nodes(&'a [Expr]),
}

/// Writes an expression with all that it is made of. Keys come by their names, as Go writes maps.
pub(super) fn write_tree(out: &mut String, expr: &Expr) {
    let fields = match expr {
        Expr::Binary(binary) => return write_row(out, binary),
        Expr::Number(number) => {
            plain(json!({"type": "numberLiteral", "val": Fixed(number.value).to_string()}))
        }
        Expr::String(text) => return write_string(out, text),
        Expr::Vector(vector) => plain(selector("vectorSelector", vector)),
        Expr::Matrix(matrix) => {
            let mut node = selector("matrixSelector", &matrix.vector);
            node["range"] = json!(matrix.range_ms);
            node["rangeExpr"] = optional_duration(matrix.range_expr.as_ref());
            plain(node)
        }
        Expr::Subquery(subquery) => with(
            json!({
                "type": "subquery",
                "range": subquery.range_ms,
                "rangeExpr": optional_duration(subquery.range_expr.as_ref()),
                "offset": subquery.offset_ms,
                "offsetExpr": optional_duration(subquery.offset_expr.as_ref()),
                "step": subquery.step_ms,
                "stepExpr": optional_duration(subquery.step_expr.as_ref()),
                "timestamp": timestamp(subquery.at),
                "startOrEnd": start_or_end(subquery.at),
            }),
            [("expr", Field::Node(&subquery.expr))],
        ),
        Expr::Unary(unary) => with(
            json!({"type": "unaryExpr", "op": if unary.is_negative { "-" } else { "+" }}),
            [("expr", Field::Node(&unary.expr))],
        ),
        Expr::Aggregate(aggregate) => with(
            json!({
                "type": "aggregation",
                "op": aggregate.op.as_str(),
                "grouping": aggregate.grouping,
                "without": aggregate.is_without,
            }),
            [
                ("expr", Field::Node(&aggregate.expr)),
                ("param", aggregate.param.as_ref().map_or(Field::Json(Value::Null), Field::Node)),
            ],
        ),
        Expr::Call(call) => {
            with(json!({"type": "call", "func": function(call)}), [("args", Field::Nodes(&call.args))])
        }
        Expr::Paren(paren) => with(json!({"type": "parenExpr"}), [("expr", Field::Node(&paren.expr))]),
    };
    out.push('{');
    for (index, (name, field)) in fields.into_iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        json::text(out, &name);
        out.push(':');
        match field {
            Field::Json(value) => write_json(out, &value),
            Field::Node(expr) => write_tree(out, expr),
            Field::Nodes(exprs) => json::list(out, exprs, write_tree),
        }
    }
    out.push('}');
}

/// A row of operators: each holds all that stands left of it. It may be as long as a query, so that it is written
/// without going deeper for each.
fn write_row(out: &mut String, last: &Binary) {
    let (first, row) = last.row();
    for binary in &row {
        _ = write!(out, r#"{{"bool":{},"lhs":"#, binary.returns_bool);
    }
    write_tree(out, first);
    for binary in row.iter().rev() {
        out.push_str(r#","matching":"#);
        write_json(out, &binary.matching.as_ref().map_or(Value::Null, matching));
        out.push_str(r#","op":"#);
        json::text(out, binary.op.as_str());
        out.push_str(r#","rhs":"#);
        write_tree(out, &binary.right);
        out.push_str(r#","type":"binaryExpr"}"#);
    }
}

/// A text. What stands for bytes that are not UTF-8 is an escape, as Go writes it; where it was written itself, it stays.
fn write_string(out: &mut String, text: &StringLiteral) {
    out.push_str(r#"{"type":"stringLiteral","val":"#);
    let mut value = String::new();
    json::text(&mut value, &text.value);
    match text.bytes {
        Some(_) => out.push_str(&value.replace('\u{fffd}', "\\ufffd")),
        None => out.push_str(&value),
    }
    out.push('}');
}

fn plain<'a>(node: Value) -> Vec<(String, Field<'a>)> {
    with(node, [])
}

/// The fields of a node by name.
fn with<'a, const N: usize>(node: Value, parts: [(&str, Field<'a>); N]) -> Vec<(String, Field<'a>)> {
    let mut fields: Vec<_> = parts.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    if let Value::Object(object) = node {
        fields.extend(object.into_iter().map(|(name, value)| (name, Field::Json(value))));
    }
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    fields
}

/// JSON with texts and numbers as Prometheus writes them.
fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => json::text(out, text),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => _ = write!(out, "{}", Short(float)),
            None => _ = write!(out, "{number}"),
        },
        Value::Array(items) => json::list(out, items, write_json),
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                json::text(out, name);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) => _ = write!(out, "{value}"),
    }
}

fn selector(kind: &str, vector: &VectorSelector) -> Value {
    json!({
        "type": kind,
        "name": vector.name.as_deref().unwrap_or_default(),
        "offset": vector.offset_ms,
        "offsetExpr": optional_duration(vector.offset_expr.as_ref()),
        "matchers": vector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "timestamp": timestamp(vector.at),
        "startOrEnd": start_or_end(vector.at),
        "anchored": vector.extension == Some(Extension::Anchored),
        "smoothed": vector.extension == Some(Extension::Smoothed),
    })
}

fn matcher(matcher: &Matcher) -> Value {
    json!({"name": matcher.name(), "value": matcher.value(), "type": MatchOp::as_str(matcher.op())})
}

fn timestamp(at: Option<At>) -> Option<i64> {
    match at {
        Some(At::Time(time_ms)) => Some(time_ms),
        _ => None,
    }
}

fn start_or_end(at: Option<At>) -> Option<&'static str> {
    match at {
        Some(At::Start) => Some("start"),
        Some(At::End) => Some("end"),
        _ => None,
    }
}

fn matching(matching: &Matching) -> Value {
    json!({
        "card": matching.cardinality.as_str(),
        "labels": matching.labels,
        "on": matching.is_on,
        "include": matching.include,
        "fillValues": {"lhs": matching.fill_left, "rhs": matching.fill_right},
    })
}

fn function(call: &Call) -> Value {
    let function = call.function;
    let variadic = match function.variadic {
        Variadic::No => 0,
        Variadic::UpTo(most) => i64::try_from(most).unwrap_or(i64::MAX),
        Variadic::Any => -1,
    };
    json!({
        "name": function.name,
        "argTypes": function.args.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "variadic": variadic,
        "returnType": function.returns.name(),
    })
}

fn optional_duration(expr: Option<&DurationExpr>) -> Value {
    expr.map_or(Value::Null, duration)
}

fn duration(expr: &DurationExpr) -> Value {
    let node = |op: &str, left: Option<&DurationExpr>, right: Option<&DurationExpr>| {
        json!({
            "type": "durationExpr",
            "op": op,
            "lhs": optional_duration(left),
            "rhs": optional_duration(right),
            "wrapped": false,
        })
    };
    match expr {
        DurationExpr::Literal(number) => json!({
            "type": "numberLiteral",
            "val": Fixed(number.value).to_string(),
            "duration": number.is_duration,
        }),
        DurationExpr::Step(_) => node("step", None, None),
        DurationExpr::Range(_) => node("range", None, None),
        DurationExpr::MinOf(left, right) => node("min_of", Some(left), Some(right)),
        DurationExpr::MaxOf(left, right) => node("max_of", Some(left), Some(right)),
        DurationExpr::Negative(inner, _) => node(BinaryOp::Sub.as_str(), None, Some(inner)),
        DurationExpr::Positive(inner) => node(BinaryOp::Add.as_str(), None, Some(inner)),
        DurationExpr::Binary(op, left, right) => node(op.as_str(), Some(left), Some(right)),
        DurationExpr::Paren(inner) => {
            let mut node = duration(inner);
            node["wrapped"] = json!(true);
            node
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(query: &str) -> String {
        let mut out = String::new();
        write_tree(&mut out, &promql::parse(query).unwrap());
        out
    }

    #[test]
    fn operators() {
        let x = r#"{"bool":false,"lhs":{"type":"numberLiteral","val":"1"},"matching":null,"op":"-","rhs":{"type":"numberLiteral","val":"+Inf"},"type":"binaryExpr"}"#;
        assert_eq!(tree("1 - Inf"), x);
        assert_eq!(
            tree("1 - Inf >= bool 3e9"),
            format!(
                r#"{{"bool":true,"lhs":{x},"matching":null,"op":"\u003e=","rhs":{{"type":"numberLiteral","val":"3000000000"}},"type":"binaryExpr"}}"#
            )
        );
        let matched: Value = serde_json::from_str(&tree("a * on(b) group_left(c) fill_left(0.5) d")).unwrap();
        assert_eq!(
            matched["matching"],
            json!({
                "card": "many-to-one", "labels": ["b"], "on": true, "include": ["c"],
                "fillValues": {"lhs": 0.5, "rhs": null},
            })
        );
    }

    #[test]
    fn selectors() {
        assert_eq!(
            tree(r#"a{b!~"<"} offset -5m @ 1.5"#),
            r#"{"anchored":false,"matchers":[{"name":"b","type":"!~","value":"\u003c"},{"name":"__name__","type":"=","value":"a"}],"name":"a","offset":-300000,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":1500,"type":"vectorSelector"}"#
        );
        let range: Value = serde_json::from_str(&tree("a[(step() + 1m)] smoothed @ end()")).unwrap();
        assert_eq!(range["type"], "matrixSelector");
        assert_eq!((&range["smoothed"], &range["startOrEnd"]), (&json!(true), &json!("end")));
        assert_eq!(
            range["rangeExpr"],
            json!({
                "type": "durationExpr", "op": "+", "wrapped": true,
                "lhs": {"type": "durationExpr", "op": "step", "lhs": null, "rhs": null, "wrapped": false},
                "rhs": {"type": "numberLiteral", "val": "60", "duration": true},
            })
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_escaped() {
        assert_eq!(tree(r#""\xff<""#), r#"{"type":"stringLiteral","val":"\ufffd\u003c"}"#);
        assert_eq!(tree(r"'\ufffd'"), "{\"type\":\"stringLiteral\",\"val\":\"\u{fffd}\"}");
    }

    #[test]
    fn functions_tell_what_they_take() {
        let call: Value = serde_json::from_str(&tree("round(a, 5)")).unwrap();
        assert_eq!(
            call["func"],
            json!({"name": "round", "argTypes": ["vector", "scalar"], "variadic": 1, "returnType": "vector"})
        );
        assert_eq!(call["args"].as_array().unwrap().len(), 2);
    }
}
