//! Bits in bytes, the highest first.

/// Appends bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl BitWriter {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn bit(&mut self, bit: bool) {
        self.bits(u64::from(bit), 1);
    }

    /// The lowest `count` bits of a number, at most 64.
    pub(super) fn bits(&mut self, number: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = (number >> (left - taken)) as u8 & mask(taken);
            self.free -= taken;
            left -= taken;
            if let Some(last) = self.bytes.last_mut() {
                *last |= part << self.free;
            }
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

/// The lowest `count` bits, at most 8.
fn mask(count: u32) -> u8 {
    (0xff_u16 >> (8 - count)) as u8
}

/// Reads bits; `None` behind the last one.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits of the first byte that were read.
    used: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, used: 0 }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = *self.bytes.first()?;
        let bit = byte >> (7 - self.used) & 1 == 1;
        self.advance(1);
        Some(bit)
    }

    pub(super) fn bits(&mut self, count: u32) -> Option<u64> {
        let mut number = 0;
        let mut left = count;
        while left > 0 {
            let byte = *self.bytes.first()?;
            let taken = left.min(8 - self.used);
            let part = byte >> (8 - self.used - taken) & mask(taken);
            number = number << taken | u64::from(part);
            self.advance(taken);
            left -= taken;
        }
        Some(number)
    }

    fn advance(&mut self, bits: u32) {
        self.used += bits;
        if self.used == 8 {
            self.bytes = &self.bytes[1..];
            self.used = 0;
        }
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
