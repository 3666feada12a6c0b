//! Expressions over several lines, as Prometheus formats them.

use std::fmt::{self, Write};

use crate::ast::{Binary, Expr};
use crate::print::{Brackets, Head, Operator};

/// What is longer than that, in bytes, is split.
const LINE: usize = 100;

/// An expression over as many lines as it needs: what does not fit into a line of 100 bytes is split, and its parts are
/// indented by two spaces.
///
/// ```
/// let expr = promql::parse("sum by(job)(rate(a[5m]))")?;
/// assert_eq!(promql::pretty(&expr), "sum by (job) (rate(a[5m]))");
/// # Ok::<(), promql::ParseError>(())
/// ```
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    write_expr(&mut out, expr, 0);
    out
}

fn write_expr(out: &mut String, expr: &Expr, level: usize) {
    match expr {
        // Indented by what is in front of the brackets, or not at all, as in Prometheus.
        Expr::Subquery(subquery) if is_long(expr) => {
            write_expr(out, &subquery.expr, level);
            _ = write!(out, "{}", Brackets(subquery));
        }
        Expr::Subquery(_) => _ = write!(out, "{expr}"),
        Expr::Unary(unary) => {
            indent(out, level);
            out.push(if unary.is_negative { '-' } else { '+' });
            let mut inner = String::new();
            write_expr(&mut inner, &unary.expr, level);
            out.push_str(inner.trim());
        }
        Expr::Aggregate(aggregate) if is_long(expr) => {
            indent(out, level);
            _ = writeln!(out, "{}(", Head(aggregate));
            if let Some(param) = &aggregate.param {
                write_expr(out, param, level + 1);
                out.push_str(",\n");
            }
            write_expr(out, &aggregate.expr, level + 1);
            close(out, level);
        }
        Expr::Binary(binary) if is_long(expr) => write_row(out, binary, level),
        Expr::Call(call) if is_long(expr) => {
            indent(out, level);
            _ = writeln!(out, "{}(", call.function.name);
            for (index, arg) in call.args.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ",\n" });
                write_expr(out, arg, level + 1);
            }
            close(out, level);
        }
        Expr::Paren(paren) if is_long(expr) => {
            indent(out, level);
            out.push_str("(\n");
            write_expr(out, &paren.expr, level + 1);
            close(out, level);
        }
        _ => {
            indent(out, level);
            _ = write!(out, "{expr}");
        }
    }
}

/// A row of operators that is too long for a line: what stands left of one is indented, its own left side more.
fn write_row(out: &mut String, last: &Binary, level: usize) {
    let (_, row) = last.row();
    // What is left of an operator is shorter than all up to it.
    let is_split = |left: &Expr| matches!(left, Expr::Binary(_)) && is_long(left);
    let split = 1 + row.iter().take_while(|binary| is_split(&binary.left)).count();
    let split = &row[..split.min(row.len())];
    if let Some(first) = split.last() {
        write_expr(out, &first.left, level + split.len());
    }
    for (depth, binary) in split.iter().enumerate().rev() {
        out.push('\n');
        indent(out, level + depth);
        _ = writeln!(out, "{}", Operator(binary));
        write_expr(out, &binary.right, level + depth + 1);
    }
}

fn indent(out: &mut String, level: usize) {
    out.extend((0..level).map(|_| "  "));
}

fn close(out: &mut String, level: usize) {
    out.push('\n');
    indent(out, level);
    out.push(')');
}

/// Whether an expression does not fit into a line. Printing ends where that is known, since each part of a long
/// expression is asked in turn.
fn is_long(expr: &Expr) -> bool {
    struct Room(usize);
    impl Write for Room {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    write!(Room(LINE), "{expr}").is_err()
}

#[cfg(test)]
mod tests;
