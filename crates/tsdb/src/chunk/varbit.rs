//! Numbers in few bits, as Prometheus' histogram chunks have them: a prefix of ones says how many bits follow.

use super::bits::{BitReader, BitWriter};

/// Bits of a number by how many ones stand before it.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/// Ones of the widest number, which no zero ends.
const MOST: u32 = 8;

impl BitWriter {
    fn prefixed(&mut self, class: usize, number: u64) {
        let ones = class as u32;
        if ones < MOST {
            self.bits((1 << (ones + 1)) - 2, ones + 1);
        } else {
            self.bits(0xff, MOST);
        }
        if ones > 0 {
            self.bits(number, WIDTHS[class]);
        }
    }

    /// A number of either sign; zero takes one bit.
    pub(super) fn varbit_signed(&mut self, number: i64) {
        let class = if number == 0 {
            0
        } else {
            (1..WIDTHS.len() - 1).find(|class| fits(number, WIDTHS[*class])).unwrap_or(WIDTHS.len() - 1)
        };
        self.prefixed(class, number as u64);
    }

    /// A number without a sign.
    pub(super) fn varbit(&mut self, number: u64) {
        let needed = 64 - number.leading_zeros();
        let class = WIDTHS.iter().position(|width| needed <= *width).unwrap_or(WIDTHS.len() - 1);
        self.prefixed(class, number);
    }
}

/// Whether a number fits `width` bits the way Prometheus reads them: up to and with the half.
pub(super) fn fits(number: i64, width: u32) -> bool {
    let half = 1_i64 << (width - 1);
    (-(half - 1)..=half).contains(&number)
}

/// The number that [`fits`] its bits.
pub(super) fn signed(bits: u64, width: u32) -> i64 {
    let half = 1_u64 << (width - 1);
    if bits > half { (bits as i64).wrapping_sub(1_i64.wrapping_shl(width)) } else { bits as i64 }
}

impl BitReader<'_> {
    pub(super) fn varbit_signed(&mut self) -> Option<i64> {
        let ones = self.ones(MOST)?;
        let width = WIDTHS[ones as usize];
        let bits = self.bits(width)?;
        Some(match width {
            0 => 0,
            64 => bits as i64,
            _ => signed(bits, width),
        })
    }

    pub(super) fn varbit(&mut self) -> Option<u64> {
        let ones = self.ones(MOST)?;
        self.bits(WIDTHS[ones as usize])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits_of(number: i64) -> usize {
        let mut writer = BitWriter::default();
        writer.varbit_signed(number);
        writer.bytes().len()
    }

    #[test]
    fn the_bounds_of_each_width() {
        let bounds = [1, -3, 4, -31, 32, -255, 256, -2047, 2048, -131_071, 131_072, -16_777_215, 16_777_216];
        for number in bounds.into_iter().chain([0, i64::MAX, i64::MIN, -36_028_797_018_963_967]) {
            let mut writer = BitWriter::default();
            writer.varbit_signed(number);
            assert_eq!(BitReader::new(writer.bytes()).varbit_signed(), Some(number));
        }
        assert_eq!((bits_of(0), bits_of(4), bits_of(5), bits_of(32), bits_of(33)), (1, 1, 2, 2, 2));
        assert_eq!((bits_of(131_072), bits_of(131_073), bits_of(i64::MIN)), (3, 4, 9));
    }

    proptest! {
        #[test]
        fn numbers_come_back(number in any::<i64>(), shift in 0..64_u32) {
            let (signed, unsigned) = (number >> shift, number as u64 >> shift);
            let mut writer = BitWriter::default();
            writer.bit(true);
            writer.varbit_signed(signed);
            writer.varbit(unsigned);
            let mut reader = BitReader::new(writer.bytes());
            prop_assert_eq!(reader.bit(), Some(true));
            prop_assert_eq!(reader.varbit_signed(), Some(signed));
            prop_assert_eq!(reader.varbit(), Some(unsigned));
        }
    }
}
