//! Numbers and texts in bytes, for the log, the checkpoint and blocks.

/// Appends.
pub(crate) trait Writer {
    /// Seven bits a byte, the lowest first.
    fn varint(&mut self, number: u64);
    /// Small numbers of either sign are short.
    fn signed(&mut self, number: i64);
    /// Eight bytes, bit for bit.
    fn double(&mut self, number: f64);
    /// A bucket's count: short where it is a whole number, bit for bit in any case.
    fn count(&mut self, count: f64);
    /// Length and bytes.
    fn text(&mut self, text: &str);
}

/// Whole numbers below this are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Writer for Vec<u8> {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.varint((number << 1 ^ number >> 63) as u64);
    }

    fn double(&mut self, number: f64) {
        self.extend_from_slice(&number.to_bits().to_le_bytes());
    }

    fn count(&mut self, count: f64) {
        if count.fract() == 0.0
            && (0.0..EXACT).contains(&count)
            && !(count == 0.0 && count.is_sign_negative())
        {
            self.varint(count as u64 + 1);
        } else {
            self.push(0);
            self.double(count);
        }
    }

    fn text(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.extend_from_slice(text.as_bytes());
    }
}

/// Reads; `None` where the bytes end or make no sense.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Four bytes, the highest first.
    pub(crate) fn be32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn double(&mut self) -> Option<f64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(f64::from_bits(u64::from_le_bytes(*bytes)))
    }

    pub(crate) fn count(&mut self) -> Option<f64> {
        match self.varint()? {
            0 => self.double(),
            whole => Some((whole - 1) as f64),
        }
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// How many items follow: never more than there are bytes, so that nothing is set aside for a lie.
    pub(crate) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|length| *length <= self.0.len())
    }

    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.length()?;
        (0..length).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut out = Vec::new();
        for number in [0, 1, -1, i64::MAX, i64::MIN] {
            out.signed(number);
        }
        let counts = [0.0, -0.0, 1.0, 0.5, -3.0, 9e15, 9_007_199_254_740_992.0, f64::NAN, f64::INFINITY];
        for count in counts {
            out.count(count);
        }
        out.text("grüße");
        let mut reader = Reader::new(&out);
        for number in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(reader.signed(), Some(number));
        }
        for count in counts {
            assert_eq!(reader.count().map(f64::to_bits), Some(count.to_bits()));
        }
        assert_eq!(reader.text(), Some("grüße"));
        assert!(reader.is_empty());
    }

    #[test]
    fn lies_about_lengths_are_found() {
        assert_eq!(Reader::new(&[0xff, 0xff, 0x03, 1]).list(Reader::byte), None);
        assert_eq!(Reader::new(&[5, b'a']).text(), None);
        assert_eq!(Reader::new(&[0xff; 11]).varint(), None);
    }
}
