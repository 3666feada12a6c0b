//! Functions of ranges: a window slides over the samples of each series.

use std::sync::Arc;

use super::super::Error;
use super::super::annotations::Notice;
use super::super::evaluator::Evaluator;
use super::super::extended::with_ends;
use super::super::functions::absent::where_nothing_is;
use super::super::functions::breaks::{self, Break};
use super::super::functions::{CallContext, RangeKernel, Window};
use super::super::plan::{Call, Kind, Moved, Node, Selector};
use super::super::select::Columns;
use super::super::size::histogram_size;
use super::super::value::{Series, SeriesPoints};
use crate::ast::{Extension, ValueType};
use crate::error::Span;
use crate::storage::{FloatPoint, HistogramPoint, MsRange, Needed};
use model::Labels;
use model::labels::METRIC_NAME;
use model::sample::ResetHint;

/// Functions that know what to do with samples around an anchored range.
const ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];

/// Functions that know what to do with samples around a smoothed range.
const SMOOTHED: [&str; 3] = ["delta", "increase", "rate"];

/// How names of counters end.
const COUNTER_SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// A range that a function looks at.
#[derive(Clone, Copy)]
pub(super) struct Range {
    moved: Moved,
    length_ms: i64,
    extension: Option<Extension>,
    /// How far samples before and behind the range are looked at.
    before_ms: i64,
    behind_ms: i64,
    /// Whether its samples come from a subquery, where they were counted as read already.
    is_subquery: bool,
}

impl Range {
    fn new(moved: Moved, range_ms: i64, extension: Option<Extension>, lookback_ms: i64) -> Self {
        let (before_ms, behind_ms) = match extension {
            None => (0, 0),
            Some(Extension::Anchored) => (lookback_ms, 0),
            Some(Extension::Smoothed) => (lookback_ms, lookback_ms),
        };
        Self { moved, length_ms: range_ms, extension, before_ms, behind_ms, is_subquery: false }
    }

    /// What is looked at from a step: later than the first, up to the second.
    fn reach(&self, time_ms: i64) -> (i64, i64) {
        let end_ms = self.moved.time(time_ms);
        (
            end_ms.saturating_sub(self.length_ms).saturating_sub(self.before_ms),
            end_ms.saturating_add(self.behind_ms),
        )
    }
}

impl Evaluator<'_> {
    pub(super) fn range_call(&mut self, call: &Call, kernel: RangeKernel) -> Result<Vec<Series>, Error> {
        let name = call.function.name;
        let before = self.samples;
        let is_range = |arg: &&Node| arg.value_type() == ValueType::Matrix;
        let Some(arg) = call.args.iter().find(is_range).map(Node::inner) else {
            return Err(Error::Execution(format!("function {name:?} needs a range")));
        };
        let mut work = Work::new(call.args.iter().map(|arg| arg.span).collect(), name, kernel);
        let lookback_ms = self.options.lookback_ms;
        match &arg.kind {
            Kind::Matrix(selector, range_ms) => {
                let range = Range::new(selector.moved, *range_ms, selector.extension, lookback_ms);
                check_extension(name, selector)?;
                let mut scalars = self.scalars(&call.args)?;
                let selection = self.select(&selector.matchers, self.reached(range), Needed::All)?;
                if self.threads_for(selection.len()) > 1 {
                    self.slide_apart(&mut work, range, &scalars, &*selection, selector)?;
                } else {
                    for one in 0..selection.len() {
                        work.columns.fill(&*selection, one, selector);
                        self.slide(&mut work, range, &mut scalars, selection.labels(one), false)?;
                    }
                }
            }
            Kind::Subquery(subquery) => {
                // Prometheus does not know any more where the points of a subquery come from.
                for (_, span) in call.args.iter().zip(&mut work.spans).filter(|(arg, _)| is_range(arg)) {
                    *span = Span::default();
                }
                let series = self.subquery(subquery)?;
                let mut scalars = self.scalars(&call.args)?;
                let mut range = Range::new(subquery.moved, subquery.range_ms, None, lookback_ms);
                range.is_subquery = true;
                for one in series {
                    work.columns.fill_points(&one);
                    self.slide(&mut work, range, &mut scalars, &one.labels, one.drops_name)?;
                }
            }
            _ => return Err(Error::Execution(format!("function {name:?} needs a range"))),
        }
        let mut out = work.out;
        if name == "absent_over_time" {
            let absent = where_nothing_is(self.steps, arg, &out);
            out = absent.map(|absent| Series { drops_name: true, ..absent }).into_iter().collect();
        }
        let held = super::total_size(&out);
        self.replace_held(before, held)?;
        Ok(out)
    }
}

/// Refuses `anchored` and `smoothed` where the function knows nothing of them.
fn check_extension(name: &str, selector: &Selector) -> Result<(), Error> {
    let allowed: &[&str] = match selector.extension {
        None => return Ok(()),
        Some(Extension::Anchored) => &ANCHORED,
        Some(Extension::Smoothed) => &SMOOTHED,
    };
    if allowed.contains(&name) {
        return Ok(());
    }
    let modifier = selector.extension.map_or("", Extension::as_str);
    let allowed = allowed.join(", ");
    Err(Error::Execution(format!("{modifier} modifier can only be used with: {allowed} - not with {name}")))
}

impl Evaluator<'_> {
    /// What all steps together look at.
    fn reached(&self, range: Range) -> MsRange {
        let (oldest_ms, _) = range.reach(self.steps.start_ms);
        let (_, newest_ms) = range.reach(self.steps.last_ms());
        MsRange { start_ms: oldest_ms.saturating_add(1), end_ms: newest_ms }
    }

    /// Calls the function at every step for one series, whose samples are in the columns.
    pub(super) fn slide(
        &mut self,
        work: &mut Work,
        range: Range,
        scalars: &mut super::Scalars,
        labels: &Labels,
        drops_name: bool,
    ) -> Result<(), Error> {
        let steps = self.steps;
        work.prepare();
        let mut series = Series::new(labels.clone(), drops_name || !work.kernel.keeps_name);
        let (floats, histograms) = (&work.columns.floats, &work.columns.histograms);
        let (mut float, mut histogram) = (Slice::default(), Slice::default());
        let mut breaks = breaks::Run::default();
        let held = self.samples;
        let mut read_until_ms = i64::MIN;
        let mut size = 0;
        for (step, time_ms) in steps.times().enumerate() {
            self.check_stop_at(step)?;
            let (after_ms, until_ms) = range.reach(time_ms);
            float.move_to(floats.len(), |at| floats[at].time_ms, after_ms, until_ms);
            histogram.move_to(histograms.len(), |at| histograms[at].time_ms, after_ms, until_ms);
            size = float.len() + work.size(histogram);
            if size == 0 {
                continue;
            }
            self.samples = held + size;
            if self.samples > self.options.max_samples {
                return Err(Error::TooManySamples);
            }
            self.stats.peak(self.samples);
            self.stats.add_total(step, size as u64);
            if !range.is_subquery && until_ms > read_until_ms {
                let new_floats = float.since(|at| floats[at].time_ms, read_until_ms);
                let new_histograms = histogram.since(|at| histograms[at].time_ms, read_until_ms);
                self.stats.add_read(step, (new_floats.len() + work.size(new_histograms)) as u64);
                read_until_ms = until_ms;
            }
            let end_ms = range.moved.time(time_ms);
            let window = Window {
                labels,
                floats: &floats[float.start..float.end],
                first_float: float.start,
                breaks: breaks.move_to(&work.breaks, float.start, float.end),
                histograms: &histograms[histogram.start..histogram.end],
                start_ms: end_ms.saturating_sub(range.length_ms),
                end_ms,
                extension: range.extension,
            };
            let mut context = CallContext {
                step_time_ms: time_ms,
                scalars: scalars.at_step(step),
                spans: &work.spans,
                annotations: &mut self.annotations,
                scratch: &mut work.scratch,
                failure: None,
            };
            let result = (work.kernel.call)(&window, &mut context);
            if let Some(reason) = context.failure {
                return Err(Error::Execution(reason));
            }
            if let Some(value) = result {
                series.push(time_ms, value);
            }
        }
        self.samples = held;
        if matches!(work.name, "rate" | "increase") && !series.floats.is_empty() {
            self.check_counter(labels, work.spans.first().copied().unwrap_or_default());
        }
        if !series.is_empty() {
            // The last window is held until the results are there.
            let results = series.size();
            self.hold(size + results)?;
            self.stats.peak(self.samples);
            self.samples = held + results;
            work.out.push(series);
        }
        Ok(())
    }

    /// Tells of what is taken as a counter and does not look like one.
    fn check_counter(&mut self, labels: &Labels, span: Span) {
        let metric = labels.get(METRIC_NAME);
        if !metric.is_empty() && !COUNTER_SUFFIXES.iter().any(|suffix| metric.ends_with(suffix)) {
            self.annotations.add(Notice::PossibleNonCounter { metric }, span);
        }
    }

    /// The samples of a range selector, or the points of a subquery, at the one time of an instant query.
    pub(in crate::engine) fn range_points(&mut self, node: &Node) -> Result<Vec<SeriesPoints>, Error> {
        if let Kind::Matrix(selector, range_ms) = &node.inner().kind {
            return self.matrix(selector, *range_ms);
        }
        let series = self.vector(node)?;
        Ok(self.finish(series)?.into_iter().map(super::super::points).collect())
    }

    fn matrix(&mut self, selector: &Selector, range_ms: i64) -> Result<Vec<SeriesPoints>, Error> {
        let range = Range::new(selector.moved, range_ms, selector.extension, self.options.lookback_ms);
        let mut out = Vec::new();
        let mut columns = Columns::default();
        let selection = self.select(&selector.matchers, self.reached(range), Needed::All)?;
        for one in 0..selection.len() {
            self.check_stop()?;
            columns.fill(&*selection, one, selector);
            columns.drop_stale();
            let floats = match range.extension {
                None => columns.floats.iter().map(|point| (point.time_ms, point.value)).collect(),
                Some(extension) if !columns.histograms.is_empty() => {
                    let modifier = extension.as_str();
                    let reason = format!("{modifier} modifier is not supported with histograms");
                    return Err(Error::Execution(reason));
                }
                Some(extension) => {
                    let end_ms = range.moved.time(self.steps.start_ms);
                    with_ends(&columns.floats, (end_ms.saturating_sub(range_ms), end_ms), extension)
                }
            };
            let found = SeriesPoints {
                labels: selection.labels(one).clone(),
                floats,
                histograms: columns
                    .histograms
                    .iter()
                    .map(|point| (point.time_ms, Arc::clone(&point.histogram)))
                    .collect(),
            };
            let sizes: usize = columns.histograms.iter().map(|point| histogram_size(&point.histogram)).sum();
            let size = found.floats.len() + sizes;
            if size > 0 {
                self.hold(size)?;
                self.stats.peak(self.samples);
                self.stats.add_total(0, size as u64);
                self.stats.add_read(0, size as u64);
                out.push(found);
            }
        }
        Ok(out)
    }
}

/// What stays the same while series are worked on.
pub(super) struct Work {
    spans: Vec<Span>,
    name: &'static str,
    kernel: RangeKernel,
    pub(super) out: Vec<Series>,
    pub(super) columns: Columns,
    /// Of the floats in the columns, if the function wants them.
    breaks: Vec<Break>,
    /// Sizes of the histograms in the columns, summed up.
    sizes: Vec<usize>,
    /// Room for the function.
    scratch: Vec<f64>,
}

impl Work {
    fn new(spans: Vec<Span>, name: &'static str, kernel: RangeKernel) -> Self {
        Self {
            spans,
            name,
            kernel,
            out: Vec::new(),
            columns: Columns::default(),
            breaks: Vec::new(),
            sizes: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The same for other series.
    pub(super) fn fork(&self) -> Self {
        Self::new(self.spans.clone(), self.name, self.kernel)
    }

    /// Makes the columns ready for the function.
    fn prepare(&mut self) {
        self.columns.drop_stale();
        if !self.kernel.uses_starts {
            self.columns.floats.iter_mut().for_each(|point| point.start_ms = 0);
            self.columns.histograms.iter_mut().for_each(|point| point.start_ms = 0);
        }
        if self.kernel.uses_breaks {
            breaks::find(&self.columns.floats, &mut self.breaks);
        }
        self.sizes.clear();
        let sizes = self.columns.histograms.iter().map(|point| histogram_size(&point.histogram));
        self.sizes.extend(sizes.scan(0, |sum, size| {
            *sum += size;
            Some(*sum)
        }));
    }

    /// The size of some of the histograms.
    fn size(&self, slice: Slice) -> usize {
        let until = |end: usize| end.checked_sub(1).map_or(0, |last| self.sizes[last]);
        until(slice.end) - until(slice.start)
    }
}

impl Columns {
    /// The points of a subquery. What a histogram says of resets holds between samples that follow each other, which
    /// these may not be.
    fn fill_points(&mut self, series: &Series) {
        self.clear();
        let float = |&(time_ms, value): &(i64, f64)| FloatPoint { time_ms, start_ms: 0, value };
        self.floats.extend(series.floats.iter().map(float));
        self.histograms.extend(series.histograms.iter().map(|(time_ms, histogram)| {
            let mut histogram = Arc::clone(histogram);
            if matches!(histogram.reset_hint, ResetHint::Reset | ResetHint::NotReset) {
                Arc::make_mut(&mut histogram).reset_hint = ResetHint::Unknown;
            }
            HistogramPoint { time_ms: *time_ms, start_ms: 0, histogram }
        }));
    }
}

/// A run of a column: from the first up to, not including, the second.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    start: usize,
    end: usize,
}

impl Slice {
    fn len(self) -> usize {
        self.end - self.start
    }

    /// Moves on to what is later than one time, up to another; neither is earlier than before.
    fn move_to(&mut self, count: usize, time_ms: impl Fn(usize) -> i64, after_ms: i64, until_ms: i64) {
        while self.end < count && time_ms(self.end) <= until_ms {
            self.end += 1;
        }
        while self.start < self.end && time_ms(self.start) <= after_ms {
            self.start += 1;
        }
    }

    /// The part that is later than a time.
    fn since(self, time_ms: impl Fn(usize) -> i64, after_ms: i64) -> Self {
        let mut start = self.end;
        while start > self.start && time_ms(start - 1) > after_ms {
            start -= 1;
        }
        Self { start, end: self.end }
    }
}
