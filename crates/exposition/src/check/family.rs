//! What the samples of one metric family have to fulfil.

use std::collections::{BTreeSet, HashSet};

use model::MetricType;

use super::openmetrics::suffixes;
use crate::float;
use crate::parser::Event;

/// Characters of an exemplar's labels together, names and values.
const MAX_EXEMPLAR: usize = 128;

/// A sample with its labels by name, the metric's name taken out.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
    pub(super) seconds: Option<f64>,
    /// Labels of its exemplar.
    pub(super) exemplar: Option<Vec<(String, String)>>,
}

impl Read {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<f64> {
        let text = self.label(name)?;
        let number = float::parse_go(text.as_bytes()).ok().filter(|number| !number.is_nan())?;
        // Infinity has one spelling.
        (number != f64::INFINITY || text == "+Inf").then_some(number)
    }
}

/// Labels that tell a metric from others of its family.
type Group = Vec<(String, String)>;

/// A family as far as it was read.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    kind: Option<MetricType>,
    has_help: bool,
    unit: Option<String>,
    groups: BTreeSet<Group>,
    /// The metric that was read last, and the time of its last sample.
    current: Option<(Group, Option<f64>)>,
    histogram: Buckets,
}

/// What was read of one histogram at one time.
#[derive(Debug, Default)]
struct Buckets {
    is_begun: bool,
    bound: Option<f64>,
    in_last: f64,
    count: Option<f64>,
    sum: Option<f64>,
    is_gauge_sum: bool,
    has_negative: bool,
}

impl Buckets {
    fn check(&self) -> Result<(), &'static str> {
        let has_sum = self.sum.is_some();
        match (self.count, has_sum) {
            _ if !self.is_begun => Ok(()),
            _ if self.bound != Some(f64::INFINITY) => Err("the bucket of +Inf is missing"),
            (Some(count), _) if count != self.in_last => Err("the count is not that of the bucket of +Inf"),
            (None, true) => Err("a sum without a count"),
            (Some(_), false) => Err("a count without a sum"),
            _ if self.has_negative && has_sum && !self.is_gauge_sum => Err("a sum beside buckets below zero"),
            _ if !self.has_negative && self.is_gauge_sum && self.sum < Some(0.0) => {
                Err("a sum below zero without buckets there")
            }
            _ => Ok(()),
        }
    }
}

impl Family {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: None,
            has_help: false,
            unit: None,
            groups: BTreeSet::new(),
            current: None,
            histogram: Buckets::default(),
        }
    }

    fn kind(&self) -> MetricType {
        self.kind.unwrap_or_default()
    }

    /// Whether a sample with a name belongs to the family.
    pub(super) fn has(&self, name: &str) -> bool {
        name.strip_prefix(self.name.as_str()).is_some_and(|suffix| suffixes(self.kind()).contains(&suffix))
    }

    /// Takes a line that describes it.
    pub(super) fn describe(&mut self, event: Event<'_>) -> Result<(), String> {
        let name = &self.name;
        if self.current.is_some() {
            return Err(format!("{name} is described behind its samples"));
        }
        let again = match event {
            Event::Type { kind, .. } => self.kind.replace(kind).is_some(),
            Event::Help { .. } => std::mem::replace(&mut self.has_help, true),
            Event::Unit { unit, .. } => {
                let unit = String::from_utf8_lossy(unit).into_owned();
                self.unit.replace(unit).is_some()
            }
            _ => false,
        };
        if again { Err(format!("{name} is described twice")) } else { Ok(()) }
    }

    /// Takes one of its samples.
    pub(super) fn sample(&mut self, read: &Read) -> Result<(), String> {
        let suffix = read.name[self.name.len()..].to_owned();
        self.check_labels(read, &suffix)?;
        self.check_value(read, &suffix)?;
        self.check_exemplar(read, &suffix)?;
        let group = self.group(read);
        let goes_on = self.current.as_ref().is_some_and(|(current, _)| *current == group);
        if goes_on {
            let last = self.current.as_ref().and_then(|(_, seconds)| *seconds);
            if last.is_some() != read.seconds.is_some() {
                return Err("some samples of a metric have a time and some have none".to_owned());
            }
            if last > read.seconds && self.kind() != MetricType::Info {
                return Err("times of a metric go back".to_owned());
            }
        } else if self.groups.contains(&group) {
            return Err("samples of two metrics are mixed".to_owned());
        }
        if self.is_histogram() {
            let same = self.current.as_ref().is_some_and(|(_, seconds)| goes_on && *seconds == read.seconds);
            if !same {
                self.histogram.check()?;
                self.histogram = Buckets::default();
            }
            self.add_to_histogram(read, &suffix)?;
        }
        self.groups.insert(group.clone());
        self.current = Some((group, read.seconds));
        Ok(())
    }

    /// Ends the family. `taken` are the names of the families before it.
    pub(super) fn finish(self, taken: &mut HashSet<String>) -> Result<(), String> {
        let name = &self.name;
        let has_unit = self.unit.as_ref().is_some_and(|unit| !unit.is_empty());
        if has_unit && matches!(self.kind(), MetricType::Info | MetricType::StateSet) {
            return Err(format!("{name} has a unit, which its type must not have"));
        }
        self.histogram.check()?;
        let names: HashSet<_> = suffixes(self.kind()).iter().copied().chain([""]).collect();
        for suffix in names {
            if !taken.insert(format!("{name}{suffix}")) {
                return Err(format!("two families have the name {name}{suffix}"));
            }
        }
        Ok(())
    }

    fn is_histogram(&self) -> bool {
        matches!(self.kind(), MetricType::Histogram | MetricType::GaugeHistogram)
    }

    fn group(&self, read: &Read) -> Group {
        let own = match self.kind() {
            // There is no telling which metric a set of information is.
            MetricType::Info => return Group::new(),
            MetricType::Histogram | MetricType::GaugeHistogram => "le",
            MetricType::Summary => "quantile",
            MetricType::StateSet => self.name.as_str(),
            _ => "",
        };
        read.labels.iter().filter(|(name, _)| name != own).cloned().collect()
    }

    fn check_labels(&self, read: &Read, suffix: &str) -> Result<(), String> {
        let missing = |label: &str| Err(format!("{} has no proper label {label}", read.name));
        match (self.kind(), suffix) {
            (MetricType::StateSet, _) if read.label(&self.name).is_none() => missing(&self.name),
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket")
                if read.number("le").is_none() =>
            {
                missing("le")
            }
            (MetricType::Summary, "")
                if read.number("quantile").is_none_or(|quantile| !(0.0..=1.0).contains(&quantile)) =>
            {
                missing("quantile")
            }
            _ => Ok(()),
        }
    }

    fn check_value(&self, read: &Read, suffix: &str) -> Result<(), String> {
        let value = read.value;
        let counted = matches!(suffix, "_bucket" | "_count" | "_gcount");
        let reason = match (self.kind(), suffix) {
            (MetricType::StateSet, _) if value != 0.0 && value != 1.0 => "a state is neither 0 nor 1",
            (MetricType::Info, _) if value != 1.0 => "information has another value than 1",
            (MetricType::Summary, "") if value < 0.0 => "a quantile is below zero",
            (_, "_total" | "_sum" | "_count" | "_bucket" | "_gcount" | "_gsum") if value.is_nan() => {
                "what is counted is not a number"
            }
            (_, "_total" | "_sum" | "_count" | "_bucket" | "_gcount") if value < 0.0 => {
                "what is counted is below zero"
            }
            _ if counted && value.fract() != 0.0 => "a count is not a whole number",
            _ => return Ok(()),
        };
        Err(format!("{}: {reason}", read.name))
    }

    fn check_exemplar(&self, read: &Read, suffix: &str) -> Result<(), String> {
        let Some(labels) = &read.exemplar else { return Ok(()) };
        let allowed = matches!(
            (self.kind(), suffix),
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket") | (MetricType::Counter, "_total")
        );
        if !allowed {
            return Err(format!("{} must not have an exemplar", read.name));
        }
        let length: usize =
            labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        let names: BTreeSet<_> = labels.iter().map(|(name, _)| name).collect();
        if length > MAX_EXEMPLAR {
            return Err(format!("the labels of an exemplar have more than {MAX_EXEMPLAR} characters"));
        }
        if names.len() < labels.len() { Err("a label is there twice".to_owned()) } else { Ok(()) }
    }

    fn add_to_histogram(&mut self, read: &Read, suffix: &str) -> Result<(), String> {
        let buckets = &mut self.histogram;
        match suffix {
            "_bucket" => {
                let bound = read.number("le").unwrap_or(f64::NAN);
                if buckets.bound.is_some_and(|last| bound <= last) {
                    return Err("buckets are out of order".to_owned());
                }
                if read.value < buckets.in_last {
                    return Err("a bucket has less than the one before it".to_owned());
                }
                buckets.has_negative |= bound < 0.0;
                (buckets.bound, buckets.in_last) = (Some(bound), read.value);
            }
            "_count" | "_gcount" => buckets.count = Some(read.value),
            "_sum" | "_gsum" => {
                buckets.sum = Some(read.value);
                buckets.is_gauge_sum = suffix == "_gsum";
            }
            // Of a begin alone nothing follows.
            _ => return Ok(()),
        }
        buckets.is_begun = true;
        Ok(())
    }
}
