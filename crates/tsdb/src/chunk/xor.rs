//! Floats after Pelkonen et al., "Gorilla: a fast, scalable, in-memory time series database" (VLDB 2015), in the
//! variant of Prometheus' XOR chunks (tsdb/docs/format/chunks.md), without the sample count in front.

use super::bits::{BitReader, BitWriter};
use super::{Chunk, Encoding};

/// Says that no window of meaningful bits has been set yet.
const NO_WINDOW: u32 = u32::MAX;

/// Widths of a delta of deltas, with the number of one bits that announces each.
const WIDTHS: [(u32, u32); 3] = [(1, 14), (2, 17), (3, 20)];

/// An open chunk of floats.
#[derive(Debug)]
pub(crate) struct XorWriter {
    bits: BitWriter,
    samples: u16,
    first_ms: i64,
    time_ms: i64,
    delta: u64,
    value: u64,
    leading: u32,
    trailing: u32,
}

impl Default for XorWriter {
    fn default() -> Self {
        Self {
            bits: BitWriter::default(),
            samples: 0,
            first_ms: 0,
            time_ms: 0,
            delta: 0,
            value: 0,
            leading: NO_WINDOW,
            trailing: 0,
        }
    }
}

impl XorWriter {
    pub(crate) fn samples(&self) -> u16 {
        self.samples
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bits.bytes().len()
    }

    pub(crate) fn first_ms(&self) -> i64 {
        self.first_ms
    }

    pub(crate) fn snapshot(&self) -> Chunk {
        Chunk {
            first_ms: self.first_ms,
            last_ms: self.time_ms,
            samples: self.samples,
            encoding: Encoding::Xor,
            bytes: self.bits.bytes().into(),
        }
    }

    /// Appends a sample; its time is past all others.
    pub(crate) fn push(&mut self, time_ms: i64, value: f64) {
        let value = value.to_bits();
        let delta = time_ms.wrapping_sub(self.time_ms) as u64;
        match self.samples {
            0 => {
                self.first_ms = time_ms;
                self.bits.signed_varint(time_ms);
                self.bits.bits(value, 64);
            }
            1 => {
                self.bits.varint(delta);
                self.delta = delta;
                self.push_value(value);
            }
            _ => {
                self.push_delta_of_delta(delta.wrapping_sub(self.delta) as i64);
                self.delta = delta;
                self.push_value(value);
            }
        }
        self.time_ms = time_ms;
        self.value = value;
        self.samples += 1;
    }

    fn push_delta_of_delta(&mut self, change: i64) {
        if change == 0 {
            self.bits.bit(false);
            return;
        }
        if let Some((ones, width)) = WIDTHS.into_iter().find(|(_, width)| fits(change, *width)) {
            // `ones` one bits and a zero.
            self.bits.bits((1 << (ones + 1)) - 2, ones + 1);
            self.bits.bits(change as u64, width);
        } else {
            self.bits.bits(0b1111, 4);
            self.bits.bits(change as u64, 64);
        }
    }

    fn push_value(&mut self, value: u64) {
        let changed = value ^ self.value;
        if changed == 0 {
            self.bits.bit(false);
            return;
        }
        self.bits.bit(true);
        // Five bits hold the leading zeros.
        let leading = changed.leading_zeros().min(31);
        let trailing = changed.trailing_zeros();
        if self.leading != NO_WINDOW && leading >= self.leading && trailing >= self.trailing {
            self.bits.bit(false);
            self.bits.bits(changed >> self.trailing, 64 - self.leading - self.trailing);
            return;
        }
        (self.leading, self.trailing) = (leading, trailing);
        let meaningful = 64 - leading - trailing;
        self.bits.bit(true);
        self.bits.bits(u64::from(leading), 5);
        // 64 becomes 0 in six bits; there are never no meaningful bits.
        self.bits.bits(u64::from(meaningful), 6);
        self.bits.bits(changed >> trailing, meaningful);
    }
}

/// Whether a number fits `width` bits the way Prometheus reads them: up to and with the half.
fn fits(number: i64, width: u32) -> bool {
    let half = 1_i64 << (width - 1);
    (-(half - 1)..=half).contains(&number)
}

/// Reads a chunk of floats.
#[derive(Debug)]
pub(crate) struct XorReader<'a> {
    bits: BitReader<'a>,
    samples: u16,
    read: u16,
    time_ms: i64,
    delta: u64,
    value: u64,
    leading: u32,
    trailing: u32,
}

impl<'a> XorReader<'a> {
    pub(crate) fn new(bytes: &'a [u8], samples: u16) -> Self {
        let bits = BitReader::new(bytes);
        Self { bits, samples, read: 0, time_ms: 0, delta: 0, value: 0, leading: 0, trailing: 0 }
    }

    fn read(&mut self) -> Option<(i64, f64)> {
        if self.read == self.samples {
            return None;
        }
        match self.read {
            0 => {
                self.time_ms = self.bits.signed_varint()?;
                self.value = self.bits.bits(64)?;
            }
            1 => {
                self.delta = self.bits.varint()?;
                self.time_ms = self.time_ms.wrapping_add(self.delta as i64);
                self.read_value()?;
            }
            _ => {
                let change = self.read_delta_of_delta()?;
                self.delta = self.delta.wrapping_add(change as u64);
                self.time_ms = self.time_ms.wrapping_add(self.delta as i64);
                self.read_value()?;
            }
        }
        self.read += 1;
        Some((self.time_ms, f64::from_bits(self.value)))
    }

    fn read_delta_of_delta(&mut self) -> Option<i64> {
        let mut ones = 0;
        while ones < 4 && self.bits.bit()? {
            ones += 1;
        }
        let Some((_, width)) = WIDTHS.into_iter().find(|(announced, _)| *announced == ones) else {
            return if ones == 0 { Some(0) } else { self.bits.bits(64).map(|bits| bits as i64) };
        };
        let bits = self.bits.bits(width)? as i64;
        let half = 1_i64 << (width - 1);
        Some(if bits > half { bits - (1 << width) } else { bits })
    }

    fn read_value(&mut self) -> Option<()> {
        if !self.bits.bit()? {
            return Some(());
        }
        if self.bits.bit()? {
            self.leading = self.bits.bits(5)? as u32;
            let meaningful = match self.bits.bits(6)? as u32 {
                0 => 64,
                meaningful => meaningful,
            };
            self.trailing = 64_u32.checked_sub(self.leading + meaningful)?;
        }
        let changed = self.bits.bits(64 - self.leading - self.trailing)?;
        self.value ^= changed << self.trailing;
        Some(())
    }
}

impl Iterator for XorReader<'_> {
    type Item = (i64, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let sample = self.read();
        if sample.is_none() {
            self.read = self.samples;
        }
        sample
    }
}
