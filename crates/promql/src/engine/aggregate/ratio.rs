//! Which series are in a share of all: by a hash of their labels, as Prometheus hashes them.

use model::Labels;
use twox_hash::XxHash64;

/// Longer texts have their length in four bytes.
const LONG: usize = 255;

/// Where a series stands between 0 and 1.
pub(super) fn place(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        let length = text.len();
        if length < LONG {
            bytes.push(length as u8);
        } else {
            bytes.extend([LONG as u8, length as u8, (length >> 8) as u8, (length >> 16) as u8]);
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    XxHash64::oneshot(0, &bytes) as f64 / u64::MAX as f64
}

/// Whether a place is within a share: from the beginning on, or of a negative share up to the end.
pub(super) fn is_within(ratio: f64, place: f64) -> bool {
    let ratio = ratio.clamp(-1.0, 1.0);
    (ratio >= 0.0 && place < ratio) || (ratio < 0.0 && place >= 1.0 + ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_the_rest_make_the_whole() {
        for index in 0..100 {
            let labels = [("instance".to_owned(), index.to_string())].into_iter().collect();
            let place = place(&labels);
            assert!((0.0..=1.0).contains(&place));
            assert!(is_within(0.3, place) != is_within(-0.7, place), "{place}");
            assert!(is_within(1.0, place) && is_within(-2.0, place) && !is_within(0.0, place));
        }
    }
}
