//! How many spans a sampled span stands for: the threshold `th` that a consistent sampler leaves in the trace state
//! (OpenTelemetry's "TraceState: Probability Sampling").

/// Digits of a threshold, and what it counts to.
const DIGITS: usize = 14;
const WHOLE: u64 = 1 << 56;

/// Counts spans by their trace state. Neighbours mostly have the same one.
#[derive(Debug)]
pub(crate) struct AdjustedCounts {
    random: u64,
}

impl AdjustedCounts {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: seed | 1 }
    }

    /// How many spans one with this trace state stands for: one, unless a sampler says otherwise. A fraction is rounded up
    /// as often as it is large.
    #[inline]
    pub(crate) fn of(&mut self, trace_state: &str) -> u64 {
        if trace_state.is_empty() { 1 } else { self.sampled(trace_state) }
    }

    fn sampled(&mut self, trace_state: &str) -> u64 {
        let Some(threshold) = threshold(trace_state) else { return 1 };
        let kept = WHOLE - threshold;
        let (count, rest) = (WHOLE / kept, WHOLE % kept);
        count + u64::from(rest > 0 && self.next() % kept < rest)
    }

    /// xorshift64*.
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 12;
        self.random ^= self.random >> 25;
        self.random ^= self.random << 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// The threshold, below [`WHOLE`]; `None` where there is none, or the trace state is not well-formed.
fn threshold(trace_state: &str) -> Option<u64> {
    let mut threshold = None;
    for member in trace_state.split(',').map(|member| member.trim_matches([' ', '\t'])) {
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if key != "ot" {
            continue;
        }
        for field in value.split(';') {
            match field.split_once(':')? {
                ("th", digits) => threshold = Some(parse(digits)?),
                ("rv", digits) if digits.len() != DIGITS || parse(digits).is_none() => return None,
                _ => {}
            }
        }
    }
    threshold
}

/// Hexadecimal digits, of which zeros at the end may be left out.
fn parse(digits: &str) -> Option<u64> {
    if digits.is_empty() || digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u64::from_str_radix(digits, 16).ok()?;
    Some(number << (4 * (DIGITS - digits.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_stands_for_as_many_as_were_sampled_away() {
        let mut counts = AdjustedCounts::new(1);
        for (trace_state, count) in [
            ("", 1),
            ("rojo=00f067aa0ba902b7", 1),
            ("ot=th:0", 1),
            ("ot=th:8", 2),
            ("congo=t61, ot=rv:6e6d1a75832a2f;th:c ,,", 4),
            ("ot=th:f", 16),
            ("ot=th:ffffffffffffff", WHOLE),
            // Not well-formed: as if there were none.
            ("ot=th:", 1),
            ("ot=th:123456789abcdef", 1),
            ("ot=th:xy", 1),
            ("ot=th:+8", 1),
            ("ot=rv:1;th:8", 1),
            ("ot=th:8;", 1),
            ("ot", 1),
        ] {
            assert_eq!(counts.of(trace_state), count, "{trace_state:?}");
        }
    }

    #[test]
    fn fractions_are_right_on_average() {
        let mut counts = AdjustedCounts::new(7);
        // Three quarters are kept: each stands for 4/3.
        let total: u64 = (0..30_000).map(|_| counts.of("ot=th:4")).sum();
        assert!((39_400..40_600).contains(&total), "{total}");
    }
}
