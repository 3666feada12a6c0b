//! The numbers of a histogram within a chunk: whole counts as deltas of deltas, or doubles as the bits that changed.
//! The same states are kept by who writes and by who reads.

use super::bits::{BitReader, BitWriter};
use super::gorilla::Xor;
use super::layout::{Layout, SIDES};

/// Whole numbers below this are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether a count can be written as a whole number without losing a bit.
pub(super) fn is_whole(count: f64) -> bool {
    count.is_sign_positive() && count.fract() == 0.0 && count < EXACT
}

/// A number and what it changed by.
#[derive(Debug, Clone, Copy, Default)]
struct Whole {
    value: i64,
    delta: i64,
}

impl Whole {
    fn write(&mut self, bits: &mut BitWriter, value: i64) {
        let delta = value.wrapping_sub(self.value);
        bits.varbit_signed(delta.wrapping_sub(self.delta));
        *self = Self { value, delta };
    }

    fn read(&mut self, bits: &mut BitReader<'_>) -> Option<i64> {
        self.delta = self.delta.wrapping_add(bits.varbit_signed()?);
        self.value = self.value.wrapping_add(self.delta);
        Some(self.value)
    }
}

/// Count, zero count and buckets of the last histogram.
#[derive(Debug, Clone)]
pub(super) enum Counts {
    /// Whole numbers; a bucket is the difference to the one before it.
    Whole(WholeCounts),
    /// Doubles.
    Float(FloatCounts),
}

#[derive(Debug, Clone)]
pub(super) struct WholeCounts {
    count: Whole,
    zero: Whole,
    buckets: [Vec<Whole>; SIDES],
}

#[derive(Debug, Clone)]
pub(super) struct FloatCounts {
    count: Xor,
    zero: Xor,
    buckets: [Vec<Xor>; SIDES],
}

/// What a sample has besides its buckets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalars {
    pub(super) count: f64,
    pub(super) zero: f64,
    pub(super) sum: f64,
}

impl Counts {
    pub(super) fn new(layout: &Layout, whole: bool) -> Self {
        let lengths = [layout.buckets(0), layout.buckets(1)];
        if whole {
            Self::Whole(WholeCounts {
                count: Whole::default(),
                zero: Whole::default(),
                buckets: lengths.map(|length| vec![Whole::default(); length]),
            })
        } else {
            Self::Float(FloatCounts {
                count: Xor::default(),
                zero: Xor::default(),
                buckets: lengths.map(|length| vec![Xor::default(); length]),
            })
        }
    }

    /// The first sample: everything in full. There are as many buckets as the layout says.
    pub(super) fn write_first(&mut self, bits: &mut BitWriter, scalars: Scalars, buckets: [&[f64]; SIDES]) {
        match self {
            Self::Whole(state) => {
                state.count.value = scalars.count as i64;
                state.zero.value = scalars.zero as i64;
                bits.varbit(scalars.count as u64);
                bits.varbit(scalars.zero as u64);
                bits.bits(scalars.sum.to_bits(), 64);
                for (states, counts) in state.buckets.iter_mut().zip(buckets) {
                    for (state, difference) in states.iter_mut().zip(differences(counts)) {
                        state.value = difference;
                        bits.varbit_signed(difference);
                    }
                }
            }
            Self::Float(state) => {
                (state.count, state.zero) = (Xor::at(scalars.count), Xor::at(scalars.zero));
                for number in [scalars.count, scalars.zero, scalars.sum] {
                    bits.bits(number.to_bits(), 64);
                }
                for (states, counts) in state.buckets.iter_mut().zip(buckets) {
                    for (state, count) in states.iter_mut().zip(counts) {
                        *state = Xor::at(*count);
                        bits.bits(count.to_bits(), 64);
                    }
                }
            }
        }
    }

    /// A later sample; a staleness marker has no buckets.
    pub(super) fn write(
        &mut self,
        bits: &mut BitWriter,
        scalars: Scalars,
        sum: &mut Xor,
        buckets: Option<[&[f64]; SIDES]>,
    ) {
        match self {
            Self::Whole(state) => {
                if buckets.is_some() {
                    state.count.write(bits, scalars.count as i64);
                    state.zero.write(bits, scalars.zero as i64);
                } else {
                    // Only more markers can follow: what the counts come to is no matter.
                    bits.bits(0, 2);
                }
                sum.write(bits, scalars.sum);
                for (states, counts) in state.buckets.iter_mut().zip(buckets.unwrap_or_default()) {
                    for (state, difference) in states.iter_mut().zip(differences(counts)) {
                        state.write(bits, difference);
                    }
                }
            }
            Self::Float(state) => {
                state.count.write(bits, scalars.count);
                state.zero.write(bits, scalars.zero);
                sum.write(bits, scalars.sum);
                for (states, counts) in state.buckets.iter_mut().zip(buckets.unwrap_or_default()) {
                    for (state, count) in states.iter_mut().zip(counts) {
                        state.write(bits, *count);
                    }
                }
            }
        }
    }

    pub(super) fn read_first(&mut self, bits: &mut BitReader<'_>) -> Option<Scalars> {
        Some(match self {
            Self::Whole(state) => {
                state.count.value = bits.varbit()? as i64;
                state.zero.value = bits.varbit()? as i64;
                let sum = f64::from_bits(bits.bits(64)?);
                for bucket in state.buckets.iter_mut().flatten() {
                    bucket.value = bits.varbit_signed()?;
                }
                Scalars { count: state.count.value as u64 as f64, zero: state.zero.value as u64 as f64, sum }
            }
            Self::Float(state) => {
                state.count.value = bits.bits(64)?;
                state.zero.value = bits.bits(64)?;
                let sum = f64::from_bits(bits.bits(64)?);
                for bucket in state.buckets.iter_mut().flatten() {
                    bucket.value = bits.bits(64)?;
                }
                Scalars { count: state.count.get(), zero: state.zero.get(), sum }
            }
        })
    }

    pub(super) fn read(&mut self, bits: &mut BitReader<'_>, sum: &mut Xor) -> Option<Scalars> {
        Some(match self {
            Self::Whole(state) => {
                let count = state.count.read(bits)? as u64 as f64;
                let zero = state.zero.read(bits)? as u64 as f64;
                let scalars = Scalars { count, zero, sum: sum.read(bits)? };
                if !is_stale(scalars.sum) {
                    for bucket in state.buckets.iter_mut().flatten() {
                        bucket.read(bits)?;
                    }
                }
                scalars
            }
            Self::Float(state) => {
                let (count, zero) = (state.count.read(bits)?, state.zero.read(bits)?);
                let scalars = Scalars { count, zero, sum: sum.read(bits)? };
                if !is_stale(scalars.sum) {
                    for bucket in state.buckets.iter_mut().flatten() {
                        bucket.read(bits)?;
                    }
                }
                scalars
            }
        })
    }

    /// The counts of a side's buckets.
    pub(super) fn buckets(&self, side: usize) -> Vec<f64> {
        match self {
            Self::Whole(state) => {
                let mut count = 0_i64;
                let add = |bucket: &Whole| {
                    count = count.wrapping_add(bucket.value);
                    count as f64
                };
                state.buckets[side].iter().map(add).collect()
            }
            Self::Float(state) => state.buckets[side].iter().map(Xor::get).collect(),
        }
    }
}

/// Each count as the difference to the one before it.
fn differences(counts: &[f64]) -> impl Iterator<Item = i64> + '_ {
    let mut before = 0;
    counts.iter().map(move |count| {
        let count = *count as i64;
        let difference = count - before;
        before = count;
        difference
    })
}

pub(super) fn is_stale(sum: f64) -> bool {
    sum.to_bits() == model::sample::STALE_NAN_BITS
}
