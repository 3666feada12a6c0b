//! A double as the difference to the one before, after Pelkonen et al., "Gorilla: a fast, scalable, in-memory time
//! series database" (VLDB 2015): the bits that changed, in a window that is kept while it fits.

use super::bits::{BitReader, BitWriter};

/// Says that no window of meaningful bits has been set yet.
const NO_WINDOW: u8 = u8::MAX;

/// Bits of a double between zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    leading: u8,
    trailing: u8,
}

impl Window {
    /// The narrowest one for bits that changed; `None` if there are none.
    #[inline]
    pub(super) fn of(changed: u64) -> Option<Self> {
        // Five bits hold the leading zeros.
        let leading = changed.leading_zeros().min(31) as u8;
        (changed != 0).then(|| Self { leading, trailing: changed.trailing_zeros() as u8 })
    }

    /// The narrowest one that has the bits of both.
    pub(super) fn with(self, other: Self) -> Self {
        Self { leading: self.leading.min(other.leading), trailing: self.trailing.min(other.trailing) }
    }

    /// How many bits it has: 1 to 64.
    pub(super) fn bits(self) -> u32 {
        u32::from(64 - self.leading - self.trailing)
    }
}

/// The last value and the window of its bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Xor {
    pub(super) value: u64,
    leading: u8,
    trailing: u8,
}

impl Default for Xor {
    fn default() -> Self {
        Self { value: 0, leading: NO_WINDOW, trailing: 0 }
    }
}

impl Xor {
    /// Begins with a value, which is written in full elsewhere.
    pub(super) fn at(value: f64) -> Self {
        Self { value: value.to_bits(), ..Self::default() }
    }

    pub(super) fn get(&self) -> f64 {
        f64::from_bits(self.value)
    }

    #[inline]
    pub(super) fn write(&mut self, bits: &mut BitWriter, value: f64) {
        let value = value.to_bits();
        let changed = value ^ self.value;
        self.value = value;
        let Some(needed) = Window::of(changed) else {
            bits.bit(false);
            return;
        };
        let fits = needed.leading >= self.leading && needed.trailing >= self.trailing;
        if self.leading != NO_WINDOW && fits {
            self.write_within(bits, changed);
        } else {
            self.open(bits, needed, changed);
        }
    }

    /// Writes a value in the window that is opened for it or was opened before; it has to fit.
    pub(super) fn write_in(&mut self, bits: &mut BitWriter, value: f64, opened: Option<Window>) {
        let value = value.to_bits();
        let changed = value ^ self.value;
        self.value = value;
        match opened {
            Some(window) => self.open(bits, window, changed),
            None if changed == 0 => bits.bit(false),
            None => self.write_within(bits, changed),
        }
    }

    fn write_within(&self, bits: &mut BitWriter, changed: u64) {
        bits.bits(0b10, 2);
        bits.bits(changed >> self.trailing, u32::from(64 - self.leading - self.trailing));
    }

    fn open(&mut self, bits: &mut BitWriter, window: Window, changed: u64) {
        (self.leading, self.trailing) = (window.leading, window.trailing);
        // 64 becomes 0 in six bits; there are never no meaningful bits.
        let description = 0b11 << 11 | u64::from(window.leading) << 6 | u64::from(window.bits() & 63);
        bits.bits(description, 13);
        bits.bits(changed >> window.trailing, window.bits());
    }

    /// How many bits the window has, if one is set that is not wider than `most`.
    #[inline]
    pub(super) fn window(&self, most: u32) -> Option<u32> {
        // Without a window this wraps to a number that no window has.
        let bits = 64_u32.wrapping_sub(u32::from(self.leading) + u32::from(self.trailing));
        (bits <= most).then_some(bits)
    }

    /// Takes bits of the window that were read elsewhere.
    #[inline]
    pub(super) fn change(&mut self, changed: u64) {
        self.value ^= changed << self.trailing;
    }

    #[inline]
    pub(super) fn read(&mut self, bits: &mut BitReader<'_>) -> Option<f64> {
        match bits.ones(2)? {
            0 => {}
            1 => self.read_in_window(bits)?,
            _ => {
                self.read_window(bits)?;
                self.read_in_window(bits)?;
            }
        }
        Some(self.get())
    }

    /// Reads a new window.
    pub(super) fn read_window(&mut self, bits: &mut BitReader<'_>) -> Option<()> {
        let window = bits.bits(11)?;
        let leading = (window >> 6) as u8;
        let meaningful = match (window & 63) as u8 {
            0 => 64,
            meaningful => meaningful,
        };
        self.trailing = 64_u8.checked_sub(leading + meaningful)?;
        self.leading = leading;
        Some(())
    }

    /// Reads bits of the window that is set.
    #[inline]
    pub(super) fn read_in_window(&mut self, bits: &mut BitReader<'_>) -> Option<()> {
        if self.leading == NO_WINDOW {
            // Nothing says how many bits follow; Prometheus takes all.
            (self.leading, self.trailing) = (0, 0);
        }
        let changed = bits.bits(u32::from(64 - self.leading - self.trailing))?;
        self.value ^= changed << self.trailing;
        Some(())
    }
}
