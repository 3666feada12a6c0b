//! Floats in Prometheus' XOR chunks: delta-of-delta times, values as [`Xor`] has them
//! (`tsdb/docs/format/chunks.md` in its repository).

use super::bits::{BitReader, BitWriter};
use super::gorilla::{Window, Xor};
use super::varbit::{fits, signed};
use super::{Chunk, Encoding};

/// Bytes before the samples: their number.
const HEADER: usize = 2;

/// Widths of a delta of deltas, by how many ones announce it.
const WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];

/// An open chunk of floats.
#[derive(Debug)]
pub(crate) struct XorWriter {
    bits: BitWriter,
    samples: u16,
    first_ms: i64,
    time_ms: i64,
    delta: u64,
    value: Xor,
}

impl Default for XorWriter {
    fn default() -> Self {
        let bits = BitWriter::after(&[0; HEADER]);
        Self { bits, samples: 0, first_ms: 0, time_ms: 0, delta: 0, value: Xor::default() }
    }
}

impl XorWriter {
    pub(crate) fn samples(&self) -> u16 {
        self.samples
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bits.capacity()
    }

    pub(crate) fn first_ms(&self) -> i64 {
        self.first_ms
    }

    pub(crate) fn last_ms(&self) -> i64 {
        self.time_ms
    }

    pub(crate) fn last_value(&self) -> f64 {
        self.value.get()
    }

    pub(crate) fn snapshot(&self) -> Chunk {
        Chunk {
            first_ms: self.first_ms,
            last_ms: self.time_ms,
            encoding: Encoding::Xor,
            bytes: self.bits.bytes().into(),
        }
    }

    /// Appends a sample; its time is past all others.
    pub(crate) fn push(&mut self, time_ms: i64, value: f64) {
        self.push_time(time_ms);
        if self.samples == 0 {
            self.begin(value);
        } else {
            self.value.write(&mut self.bits, value);
        }
        self.count();
    }

    /// Appends a sample as [`XorWriter::push`] does, in the window that is opened for it or was opened before.
    pub(super) fn push_in(&mut self, time_ms: i64, value: f64, opened: Option<Window>) {
        self.push_time(time_ms);
        if self.samples == 0 {
            self.begin(value);
        } else {
            self.value.write_in(&mut self.bits, value, opened);
        }
        self.count();
    }

    fn push_time(&mut self, time_ms: i64) {
        let delta = time_ms.wrapping_sub(self.time_ms) as u64;
        match self.samples {
            0 => {
                self.first_ms = time_ms;
                self.bits.signed_varint(time_ms);
            }
            1 => {
                self.bits.varint(delta);
                self.delta = delta;
            }
            _ => {
                self.push_delta_of_delta(delta.wrapping_sub(self.delta) as i64);
                self.delta = delta;
            }
        }
        self.time_ms = time_ms;
    }

    fn begin(&mut self, value: f64) {
        self.bits.bits(value.to_bits(), 64);
        self.value = Xor::at(value);
    }

    fn count(&mut self) {
        self.samples += 1;
        self.bits.header(HEADER).copy_from_slice(&self.samples.to_be_bytes());
    }

    fn push_delta_of_delta(&mut self, change: i64) {
        if change == 0 {
            self.bits.bit(false);
            return;
        }
        if let Some(ones) = (1..4_u32).find(|ones| fits(change, WIDTHS[*ones as usize])) {
            // `ones` one bits and a zero.
            self.bits.bits((1 << (ones + 1)) - 2, ones + 1);
            self.bits.bits(change as u64, WIDTHS[ones as usize]);
        } else {
            self.bits.bits(0b1111, 4);
            self.bits.bits(change as u64, 64);
        }
    }
}

/// Reads a chunk of floats.
#[derive(Debug)]
pub(crate) struct XorReader<'a> {
    bits: BitReader<'a>,
    samples: u16,
    read: u16,
    time_ms: i64,
    delta: u64,
    value: Xor,
}

impl<'a> XorReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let (samples, rest) = super::sample_count(bytes);
        Self { bits: BitReader::new(rest), samples, read: 0, time_ms: 0, delta: 0, value: Xor::default() }
    }

    #[inline]
    fn read(&mut self) -> Option<(i64, f64)> {
        if self.read == self.samples {
            return None;
        }
        let value = match self.read {
            0 => {
                self.time_ms = self.bits.signed_varint()?;
                self.value.value = self.bits.bits(64)?;
                self.value.get()
            }
            1 => {
                self.delta = self.bits.varint()?;
                self.time_ms = self.time_ms.wrapping_add(self.delta as i64);
                self.value.read(&mut self.bits)?
            }
            _ => {
                if self.read_regular() {
                    self.read += 1;
                    return Some((self.time_ms, self.value.get()));
                }
                let change = self.read_delta_of_delta()?;
                self.delta = self.delta.wrapping_add(change as u64);
                self.time_ms = self.time_ms.wrapping_add(self.delta as i64);
                self.value.read(&mut self.bits)?
            }
        };
        self.read += 1;
        Some((self.time_ms, value))
    }

    /// Reads a sample of what most are, in one look at the bits: as long after the one before as that after its own,
    /// and a value that is the same or differs within the window. Of another nothing is read.
    #[inline]
    fn read_regular(&mut self) -> bool {
        if self.bits.left() < 64 {
            return false;
        }
        let bits = self.bits.peek();
        match bits >> 61 {
            0b000 | 0b001 => self.bits.skip(2),
            0b010 => {
                // 57 bits are there, 3 of them are said.
                let Some(count) = self.value.window(54) else { return false };
                self.value.change(bits << 3 >> (64 - count));
                self.bits.skip(3 + count);
            }
            _ => return false,
        }
        self.time_ms = self.time_ms.wrapping_add(self.delta as i64);
        true
    }

    #[inline]
    fn read_delta_of_delta(&mut self) -> Option<i64> {
        let ones = self.bits.ones(4)?;
        let width = WIDTHS[ones as usize];
        let bits = self.bits.bits(width)?;
        Some(match width {
            0 => 0,
            64 => bits as i64,
            _ => signed(bits, width),
        })
    }
}

impl Iterator for XorReader<'_> {
    type Item = (i64, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let sample = self.read();
        if sample.is_none() {
            self.read = self.samples;
        }
        sample
    }
}
