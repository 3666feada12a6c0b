//! Bits in bytes, the highest first.

/// Appends bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl BitWriter {
    /// Begins behind bytes that are there already.
    pub(super) fn after(header: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(header.len() + 30);
        bytes.extend_from_slice(header);
        Self { bytes, free: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that are set aside for it.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The first bytes, which can be changed: a chunk's header.
    pub(super) fn header(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes[..length]
    }

    pub(super) fn bit(&mut self, bit: bool) {
        self.bits(u64::from(bit), 1);
    }

    /// The lowest `count` bits of a number, at most 64.
    pub(super) fn bits(&mut self, number: u64, count: u32) {
        let number = if count < 64 { number & ((1 << count) - 1) } else { number };
        if count <= self.free {
            self.free -= count;
            if let Some(last) = self.bytes.last_mut() {
                *last |= (number << self.free) as u8;
            }
            return;
        }
        // What the last byte takes, and then the others, the highest first.
        let rest = count - self.free;
        if self.free > 0
            && let Some(last) = self.bytes.last_mut()
        {
            *last |= (number >> rest) as u8;
        }
        let aligned = number << (64 - rest);
        let whole = rest.div_ceil(8);
        self.reserve(whole as usize);
        self.bytes.extend_from_slice(&aligned.to_be_bytes()[..whole as usize]);
        self.free = whole * 8 - rest;
    }

    /// Open chunks are as many as series: they grow by small steps rather than by doubling.
    fn reserve(&mut self, bytes: usize) {
        if self.bytes.capacity() - self.bytes.len() < bytes {
            self.bytes.reserve_exact((self.bytes.len() / 4).max(24));
        }
    }

    /// A number as seven bits a byte, the lowest first.
    pub(super) fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bits(number & 0x7f | 0x80, 8);
            number >>= 7;
        }
        self.bits(number, 8);
    }

    pub(super) fn signed_varint(&mut self, number: i64) {
        self.varint((number << 1 ^ number >> 63) as u64);
    }
}

/// Reads bits; `None` behind the last one.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits that were read.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The next 57 bits or more in the highest places; zeros behind the last one.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let (byte, used) = (self.position / 8, self.position % 8);
        let window = match self.bytes.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(window) => u64::from_be_bytes(*window),
            None => self.tail(byte),
        };
        window << used
    }

    #[cold]
    fn tail(&self, byte: usize) -> u64 {
        let mut window = [0; 8];
        let rest = self.bytes.get(byte..).unwrap_or_default();
        window[..rest.len()].copy_from_slice(rest);
        u64::from_be_bytes(window)
    }

    /// Leaves out bits that were peeked at; whoever does knows that they are there.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.position += count as usize;
    }

    #[inline]
    pub(super) fn left(&self) -> usize {
        self.bytes.len() * 8 - self.position
    }

    #[inline]
    pub(super) fn bit(&mut self) -> Option<bool> {
        self.bits(1).map(|bit| bit == 1)
    }

    #[inline]
    pub(super) fn bits(&mut self, count: u32) -> Option<u64> {
        if count as usize > self.left() {
            return None;
        }
        if count == 0 {
            return Some(0);
        }
        if count > 56 {
            let high = self.peek() >> 32;
            self.position += 32;
            let low = self.peek() >> (64 - (count - 32));
            self.position += count as usize - 32;
            return Some(high << (count - 32) | low);
        }
        let number = self.peek() >> (64 - count);
        self.position += count as usize;
        Some(number)
    }

    /// How many one bits come before the next zero, at most `most`; the zero is read too if there were fewer.
    #[inline]
    pub(super) fn ones(&mut self, most: u32) -> Option<u32> {
        let ones = self.peek().leading_ones().min(most);
        let read = (ones + u32::from(ones < most)) as usize;
        if read > self.left() {
            return None;
        }
        self.position += read;
        Some(ones)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bits(8)?;
            number |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed_varint(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_come_back(numbers in prop::collection::vec((any::<u64>(), 1..=64_u32), 0..200)) {
            let mut writer = BitWriter::after(&[7]);
            for (number, count) in &numbers {
                writer.bits(*number, *count);
            }
            let bits: u32 = numbers.iter().map(|(_, count)| count).sum();
            prop_assert_eq!(writer.bytes().len(), 1 + bits.div_ceil(8) as usize);
            let mut reader = BitReader::new(&writer.bytes()[1..]);
            for (number, count) in &numbers {
                prop_assert_eq!(reader.bits(*count), Some(number << (64 - count) >> (64 - count)));
            }
            prop_assert_eq!(reader.bits(8), None);
        }
    }

    #[test]
    fn ones_end_at_a_zero_or_at_the_most() {
        let mut reader = BitReader::new(&[0b1110_1111, 0b1000_0000]);
        assert_eq!(reader.ones(8), Some(3));
        assert_eq!(reader.ones(4), Some(4));
        assert_eq!(reader.ones(8), Some(1));
        assert_eq!(BitReader::new(&[0xff]).ones(9), None);
    }
}
