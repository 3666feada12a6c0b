//! What was measured, a row each.

use std::fmt;

/// The table that is printed in the end.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    unit: &'static str,
    prometheus: f64,
    mirante: f64,
    bound: Bound,
}

/// What a row should reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// Of the real one's figure at most this share.
    AtMost(f64),
    /// At most this much.
    Below(f64),
    /// At least this much, and more than the real one.
    AtLeast(f64),
}

impl Table {
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        [prometheus, mirante]: [f64; 2],
        bound: Bound,
    ) {
        self.rows.push(Row { what: what.into(), unit, prometheus, mirante, bound });
    }

    /// Whether a row misses its bound.
    pub(crate) fn missed(&self) -> bool {
        self.rows.iter().any(|row| !row.reached())
    }
}

impl Row {
    fn reached(&self) -> bool {
        match self.bound {
            Bound::AtMost(share) => self.mirante <= self.prometheus * share,
            Bound::Below(most) => self.mirante <= most,
            Bound::AtLeast(least) => self.mirante >= least && self.mirante > self.prometheus,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
        writeln!(
            f,
            "{:what$}  {:>12}  {:>12}  {:<9}  {:>6}  bound",
            "", "prometheus", "mirante", "", "ratio"
        )?;
        for row in &self.rows {
            let bound = match row.bound {
                Bound::AtMost(share) => format!("at most {share} of the other"),
                Bound::Below(most) => format!("at most {most} {}", row.unit),
                Bound::AtLeast(least) => format!("at least {least} {}, and more than the other", row.unit),
            };
            let verdict = if row.reached() { "reached" } else { "missed" };
            writeln!(
                f,
                "{:what$}  {:>12}  {:>12}  {:<9}  {:>6.3}  {bound}: {verdict}",
                row.what,
                figure(row.prometheus),
                figure(row.mirante),
                row.unit,
                row.mirante / row.prometheus
            )?;
        }
        Ok(())
    }
}

/// Three digits that count, and no more after the point.
fn figure(number: f64) -> String {
    if number >= 100.0 {
        format!("{number:.0}")
    } else if number >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}
