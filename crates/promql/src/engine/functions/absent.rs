//! `absent` and `absent_over_time`: 1 where there is nothing. What a range has is found series by series; the evaluator
//! hands it to [`where_nothing_is`].

use model::labels::METRIC_NAME;
use model::{Labels, MatchOp, Matcher};

use crate::engine::Error;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::{Call, Kind, Node};
use crate::engine::steps::Steps;
use crate::engine::value::{Operand, Series};

pub(super) fn absent(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let Some(arg) = call.args.first() else { return Ok(Operand::Vector(Vec::new())) };
    let series = evaluator.vector(arg)?;
    Ok(Operand::Vector(where_nothing_is(evaluator.steps(), arg, &series).into_iter().collect()))
}

/// One series with 1 at each step at which no series has a sample.
pub(in crate::engine) fn where_nothing_is(steps: Steps, arg: &Node, series: &[Series]) -> Option<Series> {
    let mut is_there = vec![false; steps.count()];
    for one in series {
        let times = one.floats.iter().map(|(time_ms, _)| *time_ms);
        for time_ms in times.chain(one.histograms.iter().map(|(time_ms, _)| *time_ms)) {
            is_there[steps.index(time_ms)] = true;
        }
    }
    let absent = steps.times().zip(is_there).filter(|(_, is_there)| !is_there);
    let floats: Vec<_> = absent.map(|(time_ms, _)| (time_ms, 1.0)).collect();
    (!floats.is_empty()).then(|| Series { labels: labels_of(arg), floats, ..Series::default() })
}

/// Labels that what was asked for would have: those that a selector wants to be equal to one text. A label of which it
/// says more than once what it wants is not among them, unless `=` came last and first.
fn labels_of(arg: &Node) -> Labels {
    let matchers: &[Matcher] = match &arg.inner().kind {
        Kind::Vector(selector) | Kind::Matrix(selector, _) => &selector.matchers,
        _ => return Labels::default(),
    };
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
        let name = matcher.name();
        if matcher.op() == MatchOp::Equal && !seen.contains(&name) {
            seen.push(name);
            wanted.push((name, matcher.value()));
        } else {
            wanted.retain(|(known, _)| *known != name);
        }
    }
    wanted.into_iter().collect()
}
