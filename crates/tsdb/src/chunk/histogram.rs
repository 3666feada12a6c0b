//! Native histograms in Prometheus' histogram chunks (`tsdb/docs/format/chunks.md` in its repository): whole counts
//! in one encoding, doubles in another. All histograms of a chunk have one layout and, unless they are gauges, no
//! counter is reset between them; what does not fit begins a new chunk.

use std::sync::Arc;

use model::Histogram;
use model::sample::{BucketSpan, ResetHint};

use super::bits::{BitReader, BitWriter};
use super::counts::{Counts, Scalars, is_stale, is_whole};
use super::gorilla::Xor;
use super::layout::{Layout, SIDES, spans_of};
use super::start::Starts;
use super::{Chunk, Encoding, SharedHistogram};

/// Bytes before the layout: number of samples, and what is known of a reset.
const HEADER: usize = 3;

/// Bytes at which a chunk is closed, if it has a few samples by then.
const TARGET_BYTES: usize = 1024;
const MIN_SAMPLES: u16 = 10;

/// Samples at which a chunk is closed in any case.
const MAX_SAMPLES: u16 = 240;

/// What the header says of a counter reset between the chunk before and this one, in its two highest bits.
const UNKNOWN: u8 = 0;
const RESET: u8 = 0b1000_0000;
const GAUGE: u8 = 0b1100_0000;

/// An open chunk of histograms.
#[derive(Debug)]
pub(crate) struct HistogramWriter {
    bits: BitWriter,
    whole: bool,
    header: u8,
    samples: u16,
    first_ms: i64,
    time_ms: i64,
    delta: i64,
    layout: Layout,
    counts: Counts,
    sum: Xor,
    last: SharedHistogram,
}

/// Whether a histogram fits into a chunk.
enum Fit {
    /// As it is.
    AsIs,
    /// With its buckets in another layout.
    InLayout([Vec<BucketSpan>; SIDES]),
    /// Not; a new chunk's header.
    New(u8),
}

impl HistogramWriter {
    /// A chunk with its first histogram.
    pub(crate) fn begin(time_ms: i64, histogram: &Arc<Histogram>) -> Self {
        let header = match histogram.reset_hint {
            ResetHint::Gauge => GAUGE,
            ResetHint::Reset => RESET,
            ResetHint::Unknown | ResetHint::NotReset => UNKNOWN,
        };
        Self::begin_with(time_ms, histogram, header, all_whole(histogram))
    }

    fn begin_with(time_ms: i64, histogram: &Arc<Histogram>, header: u8, whole: bool) -> Self {
        let histogram = &orderly(histogram);
        let layout = if is_stale(histogram.sum) { Layout::default() } else { Layout::of(histogram) };
        let mut bits = BitWriter::after(&[0, 1, header]);
        let mut counts = Counts::new(&layout, whole);
        layout.write(&mut bits);
        bits.varbit_signed(time_ms);
        let stale = is_stale(histogram.sum);
        let buckets = if stale { Default::default() } else { buckets_of(histogram) };
        counts.write_first(&mut bits, scalars(histogram), buckets);
        Self {
            bits,
            whole,
            header,
            samples: 1,
            first_ms: time_ms,
            time_ms,
            delta: 0,
            layout,
            counts,
            sum: Xor::at(histogram.sum),
            last: Arc::clone(histogram),
        }
    }

    pub(crate) fn samples(&self) -> u16 {
        self.samples
    }

    pub(crate) fn bytes(&self) -> usize {
        let layout: usize = self.layout.spans.iter().map(|spans| spans.len() * 8).sum();
        let buckets: usize = (0..SIDES).map(|side| self.layout.buckets(side)).sum();
        // Each bucket has a state, and a count in the last histogram.
        self.bits.capacity() + layout * 2 + buckets * 24 + self.layout.custom_values.len() * 16 + 300
    }

    pub(crate) fn first_ms(&self) -> i64 {
        self.first_ms
    }

    pub(crate) fn last_ms(&self) -> i64 {
        self.time_ms
    }

    pub(crate) fn last_value(&self) -> &SharedHistogram {
        &self.last
    }

    /// Appends a histogram that is newer than all others, or begins the chunk that it belongs into.
    pub(crate) fn push(&mut self, time_ms: i64, histogram: &Arc<Histogram>) -> Option<Self> {
        let full = self.samples >= MAX_SAMPLES
            || (self.samples >= MIN_SAMPLES && self.bits.bytes().len() >= TARGET_BYTES);
        let fit = self.fit(histogram);
        match fit {
            Fit::New(header) => {
                return Some(Self::begin_with(time_ms, histogram, header, all_whole(histogram)));
            }
            _ if full => return Some(Self::begin_with(time_ms, histogram, self.follower(), self.whole)),
            Fit::AsIs => self.write(time_ms, histogram),
            Fit::InLayout(spans) => {
                if spans != self.layout.spans {
                    self.recode(&spans);
                }
                self.write(time_ms, &Arc::new(in_layout(histogram, &spans)));
            }
        }
        None
    }

    /// The header of a chunk that continues this one.
    fn follower(&self) -> u8 {
        if self.header == GAUGE { GAUGE } else { UNKNOWN }
    }

    fn fit(&self, histogram: &Histogram) -> Fit {
        let gauge = histogram.reset_hint == ResetHint::Gauge;
        if gauge != (self.header == GAUGE) {
            return Fit::New(if gauge { GAUGE } else { UNKNOWN });
        }
        if histogram.reset_hint == ResetHint::Reset {
            return Fit::New(RESET);
        }
        if is_stale(histogram.sum) {
            return Fit::AsIs;
        }
        let (unknown, reset) = if gauge { (GAUGE, GAUGE) } else { (UNKNOWN, RESET) };
        let last = &self.last;
        if is_stale(last.sum) || (self.whole && !all_whole(histogram)) {
            return Fit::New(unknown);
        }
        if histogram.count < last.count && !gauge {
            return Fit::New(reset);
        }
        if histogram.schema != self.layout.schema
            || histogram.zero_threshold.to_bits() != self.layout.zero_threshold.to_bits()
        {
            return Fit::New(unknown);
        }
        if histogram.has_custom_bounds() && histogram.custom_values != self.layout.custom_values {
            return Fit::New(reset);
        }
        if histogram.zero_count < last.zero_count && !gauge {
            return Fit::New(reset);
        }
        let same_spans = histogram.positive_spans == self.layout.spans[0]
            && histogram.negative_spans == self.layout.spans[1];
        if same_spans && is_orderly(histogram) {
            let fell = || {
                let pairs = last.positive_buckets.iter().zip(&histogram.positive_buckets);
                let mut pairs = pairs.chain(last.negative_buckets.iter().zip(&histogram.negative_buckets));
                pairs.any(|(before, now)| now < before)
            };
            return if !gauge && fell() { Fit::New(reset) } else { Fit::AsIs };
        }
        let merged = merge(last.positive(), histogram.positive(), gauge).zip(merge(
            last.negative(),
            histogram.negative(),
            gauge,
        ));
        let Some((positive, negative)) = merged else { return Fit::New(reset) };
        let [known_positive, known_negative] = &self.layout.spans;
        let spans = [kept_or_new(known_positive, positive), kept_or_new(known_negative, negative)];
        match spans {
            [Some(positive), Some(negative)] => Fit::InLayout([positive, negative]),
            _ => Fit::New(unknown),
        }
    }

    /// Appends a histogram in the chunk's layout.
    fn write(&mut self, time_ms: i64, histogram: &Arc<Histogram>) {
        let delta = time_ms.wrapping_sub(self.time_ms);
        self.bits.varbit_signed(delta.wrapping_sub(self.delta));
        let buckets = if is_stale(histogram.sum) { None } else { Some(buckets_of(histogram)) };
        self.counts.write(&mut self.bits, scalars(histogram), &mut self.sum, buckets);
        (self.time_ms, self.delta) = (time_ms, delta);
        self.last = Arc::clone(histogram);
        self.samples += 1;
        self.bits.header(2).copy_from_slice(&self.samples.to_be_bytes());
    }

    /// Writes the chunk anew with more buckets.
    fn recode(&mut self, spans: &[Vec<BucketSpan>; SIDES]) {
        let chunk = self.snapshot();
        let mut wider: Option<Self> = None;
        for (time_ms, histogram) in HistogramReader::new(&chunk.bytes, chunk.encoding) {
            let histogram = Arc::new(in_layout(&histogram, spans));
            match &mut wider {
                Some(wider) => wider.write(time_ms, &histogram),
                None => wider = Some(Self::begin_with(time_ms, &histogram, self.header, self.whole)),
            }
        }
        if let Some(wider) = wider {
            *self = wider;
        }
    }

    pub(crate) fn snapshot(&self) -> Chunk {
        Chunk {
            first_ms: self.first_ms,
            last_ms: self.time_ms,
            encoding: if self.whole { Encoding::Histogram } else { Encoding::FloatHistogram },
            bytes: self.bits.bytes().into(),
        }
    }
}

fn scalars(histogram: &Histogram) -> Scalars {
    if is_stale(histogram.sum) {
        return Scalars { count: 0.0, zero: 0.0, sum: histogram.sum };
    }
    Scalars { count: histogram.count, zero: histogram.zero_count, sum: histogram.sum }
}

fn buckets_of(histogram: &Histogram) -> [&[f64]; SIDES] {
    [&histogram.positive_buckets, &histogram.negative_buckets]
}

/// Whether every count of a histogram is a whole number.
pub(crate) fn all_whole(histogram: &Histogram) -> bool {
    let counts = [histogram.count, histogram.zero_count];
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    is_stale(histogram.sum) || counts.iter().chain(buckets).all(|count| is_whole(*count))
}

/// Whether there are as many buckets as the spans say.
fn is_orderly(histogram: &Histogram) -> bool {
    let fits = |spans: &[BucketSpan], buckets: &[f64]| {
        spans.iter().map(|span| span.length as usize).sum::<usize>() == buckets.len()
    };
    fits(&histogram.positive_spans, &histogram.positive_buckets)
        && fits(&histogram.negative_spans, &histogram.negative_buckets)
}

/// The histogram, with as many buckets as its spans say.
fn orderly(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    if is_orderly(histogram) {
        return Arc::clone(histogram);
    }
    let (positive_spans, positive_buckets) = model::histogram::to_spans(histogram.positive());
    let (negative_spans, negative_buckets) = model::histogram::to_spans(histogram.negative());
    Arc::new(Histogram {
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        ..Histogram::clone(histogram)
    })
}

/// Indexes of the buckets that either has; `None` if a counter was reset in between: a bucket fell or went.
fn merge(
    before: impl Iterator<Item = (i64, f64)>,
    now: impl Iterator<Item = (i64, f64)>,
    gauge: bool,
) -> Option<Vec<i64>> {
    let (mut before, mut now) = (before.peekable(), now.peekable());
    let mut indexes = Vec::new();
    loop {
        let (old, new) = (before.peek().copied(), now.peek().copied());
        let index = match (old, new) {
            (None, None) => return Some(indexes),
            (Some((old, _)), Some((new, _))) => old.min(new),
            (Some((index, _)), None) | (None, Some((index, _))) => index,
        };
        let old = old.filter(|(at, _)| *at == index).map(|(_, count)| count);
        let new = new.filter(|(at, _)| *at == index).map(|(_, count)| count);
        if !gauge && new.unwrap_or(0.0) < old.unwrap_or(0.0) {
            return None;
        }
        if old.is_some() {
            before.next();
        }
        if new.is_some() {
            now.next();
        }
        indexes.push(index);
    }
}

/// The spans as they are where they have all the buckets, else new ones.
fn kept_or_new(known: &[BucketSpan], indexes: Vec<i64>) -> Option<Vec<BucketSpan>> {
    let buckets: usize = known.iter().map(|span| span.length as usize).sum();
    if buckets == indexes.len() { Some(known.to_vec()) } else { spans_of(indexes) }
}

/// The histogram with its buckets in spans that have them all.
fn in_layout(histogram: &Histogram, spans: &[Vec<BucketSpan>; SIDES]) -> Histogram {
    if is_stale(histogram.sum) {
        return histogram.clone();
    }
    let fill = |spans: &[BucketSpan], counts: &mut dyn Iterator<Item = (i64, f64)>| {
        let mut counts = counts.peekable();
        let mut filled = Vec::new();
        let mut index = 0_i64;
        for span in spans {
            index += i64::from(span.offset);
            for _ in 0..span.length {
                let count = counts.next_if(|(at, _)| *at == index);
                filled.push(count.map_or(0.0, |(_, count)| count));
                index += 1;
            }
        }
        filled
    };
    Histogram {
        positive_buckets: fill(&spans[0], &mut histogram.positive()),
        negative_buckets: fill(&spans[1], &mut histogram.negative()),
        positive_spans: spans[0].clone(),
        negative_spans: spans[1].clone(),
        ..histogram.clone()
    }
}

/// Reads a chunk of histograms.
#[derive(Debug)]
pub(crate) struct HistogramReader<'a> {
    bits: BitReader<'a>,
    whole: bool,
    gauge: bool,
    starts: Option<Starts>,
    samples: u16,
    read: u16,
    time_ms: i64,
    start_ms: i64,
    delta: i64,
    layout: Layout,
    counts: Option<Counts>,
    sum: Xor,
}

impl<'a> HistogramReader<'a> {
    pub(crate) fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        let (header, rest) = bytes.split_at(HEADER.min(bytes.len()));
        let with_starts = matches!(encoding, Encoding::HistogramSt | Encoding::FloatHistogramSt);
        let header: [u8; HEADER] = header.try_into().unwrap_or_default();
        let count = u16::from_be_bytes([header[0], header[1]]);
        let (samples, flags) = if with_starts { (count & 0x3fff, header[0]) } else { (count, header[2]) };
        Self {
            bits: BitReader::new(rest),
            whole: matches!(encoding, Encoding::Histogram | Encoding::HistogramSt),
            gauge: flags & GAUGE == GAUGE,
            starts: with_starts.then(|| Starts::new(header[2])),
            samples,
            read: 0,
            time_ms: 0,
            start_ms: 0,
            delta: 0,
            layout: Layout::default(),
            counts: None,
            sum: Xor::default(),
        }
    }

    /// Start time of the sample that was read last; 0 if it is not known.
    pub(crate) fn start_ms(&self) -> i64 {
        self.start_ms
    }

    fn read(&mut self) -> Option<(i64, SharedHistogram)> {
        let before_ms = self.time_ms;
        let bits = &mut self.bits;
        let scalars = match &mut self.counts {
            None => {
                self.layout = Layout::read(bits)?;
                self.time_ms = bits.varbit_signed()?;
                let counts = self.counts.insert(Counts::new(&self.layout, self.whole));
                let scalars = counts.read_first(bits)?;
                self.sum = Xor::at(scalars.sum);
                scalars
            }
            Some(counts) => {
                self.delta = self.delta.wrapping_add(bits.varbit_signed()?);
                self.time_ms = self.time_ms.wrapping_add(self.delta);
                counts.read(bits, &mut self.sum)?
            }
        };
        if let Some(starts) = &mut self.starts {
            self.start_ms = starts.read(bits, self.read, self.time_ms, before_ms)?;
        }
        Some((self.time_ms, Arc::new(self.histogram(scalars)?)))
    }

    fn histogram(&self, scalars: Scalars) -> Option<Histogram> {
        if is_stale(scalars.sum) {
            return Some(Histogram { sum: scalars.sum, ..Histogram::default() });
        }
        let counts = self.counts.as_ref()?;
        Some(Histogram {
            count: scalars.count,
            zero_count: scalars.zero,
            sum: scalars.sum,
            positive_buckets: counts.buckets(0),
            negative_buckets: counts.buckets(1),
            reset_hint: match self.read {
                _ if self.gauge => ResetHint::Gauge,
                // The chunk before may have gone: nobody knows what lies between.
                0 => ResetHint::Unknown,
                _ => ResetHint::NotReset,
            },
            ..self.layout.to_histogram()
        })
    }
}

impl Iterator for HistogramReader<'_> {
    type Item = (i64, SharedHistogram);

    fn next(&mut self) -> Option<Self::Item> {
        if self.read == self.samples {
            return None;
        }
        let sample = self.read();
        self.read = if sample.is_some() { self.read + 1 } else { self.samples };
        sample
    }
}
