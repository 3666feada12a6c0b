//! Start times within a chunk, as Prometheus' encodings `XOR2`, `histogramST` and `floathistogramST` have them.

use super::bits::BitReader;

/// Reads the start time behind each sample.
#[derive(Debug, Clone, Default)]
pub(super) struct Starts {
    /// Whether the first sample has one.
    first: bool,
    /// The sample from which on each has one; 0 if none has.
    changed_on: u16,
    difference: i64,
    start_ms: i64,
}

impl Starts {
    pub(super) fn new(header: u8) -> Self {
        Self { first: header & 0x80 != 0, changed_on: u16::from(header & 0x7f), ..Self::default() }
    }

    /// The start time of the sample with a number from 0; 0 if it is not known. Times are the sample's and the one's
    /// before it.
    pub(super) fn read(
        &mut self,
        bits: &mut BitReader<'_>,
        sample: u16,
        time_ms: i64,
        before_ms: i64,
    ) -> Option<i64> {
        if sample == 0 {
            if self.first {
                self.difference = bits.signed_varint()?;
                self.start_ms = time_ms.wrapping_sub(self.difference);
            }
        } else if self.changed_on > 0 && sample >= self.changed_on {
            let change = bits.varbit_signed()?;
            self.difference =
                if sample == self.changed_on { change } else { self.difference.wrapping_add(change) };
            self.start_ms = before_ms.wrapping_sub(self.difference);
        }
        Some(self.start_ms)
    }
}
