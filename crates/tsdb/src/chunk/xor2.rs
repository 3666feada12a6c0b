//! Reads Prometheus' XOR2 chunks: floats whose time and value share a prefix, with start times. They are read, not
//! written: Prometheus writes them where it is told to, and versions before 3.12 do not know them.

use model::sample::STALE_NAN_BITS;

use super::bits::BitReader;
use super::gorilla::Xor;
use super::start::Starts;

/// Reads a chunk.
#[derive(Debug)]
pub(crate) struct Xor2Reader<'a> {
    bits: BitReader<'a>,
    starts: Starts,
    samples: u16,
    read: u16,
    time_ms: i64,
    delta: u64,
    /// The last value that was no staleness marker.
    value: Xor,
}

impl<'a> Xor2Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let (samples, rest) = super::sample_count(bytes);
        let (header, rest) = rest.split_first().map_or((0, rest), |(header, rest)| (*header, rest));
        Self {
            bits: BitReader::new(rest),
            starts: Starts::new(header),
            samples,
            read: 0,
            time_ms: 0,
            delta: 0,
            value: Xor::default(),
        }
    }

    fn read(&mut self) -> Option<(i64, i64, f64)> {
        if self.read == self.samples {
            return None;
        }
        let before_ms = self.time_ms;
        let value = match self.read {
            0 => {
                self.time_ms = self.bits.signed_varint()?;
                let value = self.bits.bits(64)?;
                if value != STALE_NAN_BITS {
                    self.value.value = value;
                }
                f64::from_bits(value)
            }
            1 => {
                self.delta = self.bits.varint()?;
                self.time_ms = self.time_ms.wrapping_add(self.delta as i64);
                self.any_value()?
            }
            _ => self.joint()?,
        };
        let start_ms = self.starts.read(&mut self.bits, self.read, self.time_ms, before_ms)?;
        self.read += 1;
        Some((self.time_ms, start_ms, value))
    }

    /// A sample from the third on: the prefix says what changed.
    fn joint(&mut self) -> Option<f64> {
        let ones = self.bits.ones(5)?;
        let width = match ones {
            2 => 13,
            3 => 20,
            4 => 64,
            _ => 0,
        };
        if width > 0 {
            let bits = self.bits.bits(width)?;
            // The usual two's complement, unlike that of the other encodings.
            let unused = 64 - width;
            self.delta = self.delta.wrapping_add(((bits << unused) as i64 >> unused) as u64);
        }
        self.time_ms = self.time_ms.wrapping_add(self.delta as i64);
        match ones {
            0 => Some(self.value.get()),
            1 => {
                if self.bits.bit()? {
                    self.value.read_window(&mut self.bits)?;
                }
                self.value.read_in_window(&mut self.bits)?;
                Some(self.value.get())
            }
            5 => Some(f64::from_bits(STALE_NAN_BITS)),
            _ => self.any_value(),
        }
    }

    fn any_value(&mut self) -> Option<f64> {
        match self.bits.ones(3)? {
            0 => {}
            1 => self.value.read_in_window(&mut self.bits)?,
            2 => {
                self.value.read_window(&mut self.bits)?;
                self.value.read_in_window(&mut self.bits)?;
            }
            _ => return Some(f64::from_bits(STALE_NAN_BITS)),
        }
        Some(self.value.get())
    }
}

impl Iterator for Xor2Reader<'_> {
    /// Time, start time, value.
    type Item = (i64, i64, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let sample = self.read();
        if sample.is_none() {
            self.read = self.samples;
        }
        sample
    }
}
