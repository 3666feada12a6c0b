//! Faults on demand: a share of requests fails, a share is slow, changed at run time through `/chaos`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use serde::{Deserialize, Serialize};
use telemetry::Telemetry;

use crate::Problem;
use crate::extract::Json;

/// Longest delay that may be asked for, below the time limit of a request.
pub const MOST_LATENCY_MS: u32 = 10_000;

/// How much it hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Share of requests that fail, 0 to 100.
    pub errors_percent: u8,
    /// Most milliseconds that a slow request is delayed; at least half of them are.
    pub latency_ms: u32,
    /// Share of requests that are slow, 0 to 100.
    pub slow_percent: u8,
}

/// What `PUT /chaos` takes. What is left out stays as it is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    errors_percent: Option<u64>,
    latency_ms: Option<u64>,
    slow_percent: Option<u64>,
}

/// The faults of a running service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// All three settings in one word, so that a request never sees half of a change.
    settings: AtomicU64,
    /// Seed and number of draws so far, added up.
    draws: AtomicU64,
    injected: Counter<u64>,
}

impl Settings {
    /// Nothing hurts.
    pub const NONE: Self = Self { errors_percent: 0, latency_ms: 0, slow_percent: 0 };

    fn pack(self) -> u64 {
        u64::from(self.latency_ms) << 16 | u64::from(self.slow_percent) << 8 | u64::from(self.errors_percent)
    }

    fn unpack(word: u64) -> Self {
        Self { errors_percent: word as u8, slow_percent: (word >> 8) as u8, latency_ms: (word >> 16) as u32 }
    }
}

impl Faults {
    /// The same seed makes the same decisions in the same order. Without one, each start makes its own.
    pub fn new(settings: Settings, seed: Option<u64>, telemetry: &Telemetry) -> Self {
        let seed = seed.unwrap_or_else(|| {
            use std::hash::{BuildHasher, Hasher};
            std::hash::RandomState::new().build_hasher().finish()
        });
        let injected = telemetry
            .meter()
            .u64_counter("demo.faults")
            .with_unit("{fault}")
            .with_description("Faults that were injected on purpose.")
            .build();
        // From 0, so that the first one is seen as an increase.
        for kind in ["latency", "error"] {
            injected.add(0, &[KeyValue::new("fault.kind", kind)]);
        }
        Self {
            inner: Arc::new(Inner {
                settings: AtomicU64::new(settings.pack()),
                draws: AtomicU64::new(seed),
                injected,
            }),
        }
    }

    /// What holds now.
    pub fn settings(&self) -> Settings {
        Settings::unpack(self.inner.settings.load(Ordering::Relaxed))
    }

    /// Delays the request, or fails it, as chance and the settings have it.
    ///
    /// # Errors
    /// A problem with status 500.
    pub async fn strike(&self) -> Result<(), Problem> {
        let settings = self.settings();
        if settings == Settings::NONE {
            return Ok(());
        }
        if let Some(delay_ms) = self.delay_ms(settings) {
            telemetry::event("fault.latency", vec![KeyValue::new("fault.delay_ms", i64::from(delay_ms))]);
            self.inner.injected.add(1, &[KeyValue::new("fault.kind", "latency")]);
            tracing::warn!(delay_ms, "this request is slow on purpose");
            tokio::time::sleep(Duration::from_millis(u64::from(delay_ms))).await;
        }
        if self.chance(settings.errors_percent) {
            self.inner.injected.add(1, &[KeyValue::new("fault.kind", "error")]);
            let detail = "this request failed on purpose (APP_ERRORS, PUT /chaos)";
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
                .recorded("InjectedFault", "the query for users was lost on purpose"));
        }
        Ok(())
    }

    fn delay_ms(&self, settings: Settings) -> Option<u32> {
        if settings.latency_ms == 0 || !self.chance(settings.slow_percent) {
            return None;
        }
        let least = settings.latency_ms.div_ceil(2);
        let spread = u64::from(settings.latency_ms - least) + 1;
        Some(least + (self.draw() % spread) as u32)
    }

    fn chance(&self, percent: u8) -> bool {
        percent > 0 && self.draw() % 100 < u64::from(percent)
    }

    /// SplitMix64: every state is a good one, so a counter is all that threads have to share.
    fn draw(&self) -> u64 {
        let mut z = self.inner.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `GET /chaos` and `PUT /chaos`.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let (read, write) = (self.clone(), self.clone());
        get(async move || axum::Json(read.settings())).put(async move |Json(change): Json<Change>| {
            let settings = write.change(change)?;
            tracing::warn!(
                errors_percent = settings.errors_percent,
                latency_ms = settings.latency_ms,
                slow_percent = settings.slow_percent,
                "faults were changed"
            );
            Ok::<_, Problem>(axum::Json(settings))
        })
    }

    fn change(&self, change: Change) -> Result<Settings, Problem> {
        let limit = |name: &str, value: Option<u64>, old: u32, most: u32| match value {
            None => Ok(old),
            Some(value) => u32::try_from(value)
                .ok()
                .filter(|value| *value <= most)
                .ok_or_else(|| Problem::unprocessable(format!("{name} may be from 0 to {most}"))),
        };
        let old = self.settings();
        let errors = limit("errors_percent", change.errors_percent, u32::from(old.errors_percent), 100)?;
        let slow = limit("slow_percent", change.slow_percent, u32::from(old.slow_percent), 100)?;
        let settings = Settings {
            errors_percent: errors as u8,
            latency_ms: limit("latency_ms", change.latency_ms, old.latency_ms, MOST_LATENCY_MS)?,
            slow_percent: slow as u8,
        };
        self.inner.settings.store(settings.pack(), Ordering::Relaxed);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Settings = Settings { errors_percent: 10, latency_ms: 801, slow_percent: 25 };

    fn faults(settings: Settings, seed: u64) -> Faults {
        Faults::new(settings, Some(seed), &Telemetry::disabled())
    }

    #[test]
    fn settings_survive_packing() {
        let extreme = Settings { errors_percent: 100, latency_ms: MOST_LATENCY_MS, slow_percent: 100 };
        for settings in [SOME, Settings::NONE, extreme] {
            assert_eq!(Settings::unpack(settings.pack()), settings);
        }
    }

    #[test]
    fn a_seed_decides() {
        let draws = |seed| {
            let faults = faults(SOME, seed);
            (0..64).map(|_| faults.chance(50)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }

    #[test]
    fn shares_and_delays_are_kept() {
        let faults = faults(SOME, 42);
        let failed = (0..10_000).filter(|_| faults.chance(SOME.errors_percent)).count();
        assert!((800..1200).contains(&failed), "{failed} of 10000 failed");
        let delays: Vec<u32> = (0..10_000).filter_map(|_| faults.delay_ms(SOME)).collect();
        assert!((2200..2800).contains(&delays.len()), "{} of 10000 were slow", delays.len());
        assert_eq!(delays.iter().min(), Some(&401));
        assert_eq!(delays.iter().max(), Some(&801));
        assert!(!faults.chance(0));
    }

    #[test]
    fn changes_are_checked_and_may_be_partial() {
        let faults = faults(SOME, 1);
        let change = |text: &str| faults.change(serde_json::from_str(text).unwrap());
        assert_eq!(change(r#"{"errors_percent": 50}"#).unwrap(), Settings { errors_percent: 50, ..SOME });
        for bad in
            [r#"{"errors_percent": 101}"#, r#"{"latency_ms": 10001}"#, r#"{"slow_percent": 99999999999}"#]
        {
            assert_eq!(change(bad).unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert_eq!(faults.settings().errors_percent, 50, "a refused change changes nothing");
    }
}
