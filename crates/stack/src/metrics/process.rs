//! This process as the system sees it, under the names that Prometheus's client libraries agree on.

use std::sync::OnceLock;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, Opts};

/// What the system says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProcessFigures {
    /// User and system time, seconds.
    pub cpu_seconds: f64,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Address space, bytes.
    pub virtual_bytes: u64,
    /// Start, seconds since the Unix epoch.
    pub start_seconds: f64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors; 0 where the process is not ours to look into.
    pub open_files: u64,
}

impl ProcessFigures {
    /// Reads `/proc/PID`; `None` where there is no such process, or no such file system.
    pub fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let open_files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |files| files.count() as u64);
        let page = rustix::param::page_size() as u64;
        Self::from_stat(&stat, rustix::param::clock_ticks_per_second() as f64, page, boot_seconds()?)
            .map(|figures| Self { open_files, ..figures })
    }

    /// From the text of `/proc/PID/stat` (proc_pid_stat(5)).
    fn from_stat(stat: &str, ticks_per_second: f64, page_bytes: u64, boot_seconds: f64) -> Option<Self> {
        // The second field, the name, may hold anything, parentheses too: what follows begins behind the last of them.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The manual counts from 1 and the rest begins with field 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / ticks_per_second,
            threads: field(20)?,
            start_seconds: boot_seconds + field(22)? as f64 / ticks_per_second,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_bytes,
            open_files: 0,
        })
    }
}

/// When the machine started, seconds since the Unix epoch.
fn boot_seconds() -> Option<f64> {
    static BOOT: OnceLock<Option<f64>> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
    })
}

/// The figures of this process as `process_*`.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    metrics: Mutex<Metrics>,
    descs: Vec<Desc>,
}

#[derive(Debug)]
struct Metrics {
    cpu: CounterVec,
    resident: GaugeVec,
    virtual_memory: GaugeVec,
    start: GaugeVec,
    threads: GaugeVec,
    open_files: GaugeVec,
    most_files: GaugeVec,
}

impl ProcessCollector {
    pub(super) fn new() -> prometheus::Result<Self> {
        use super::gauge;
        let cpu = Opts::new("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
        let metrics = Metrics {
            cpu: CounterVec::new(cpu, &[])?,
            resident: gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            start: gauge(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )?,
            threads: gauge("process_threads", "Number of OS threads in the process.")?,
            open_files: gauge("process_open_fds", "Number of open file descriptors.")?,
            most_files: gauge("process_max_fds", "Maximum number of open file descriptors.")?,
        };
        let descs = metrics.collectors().into_iter().flat_map(Collector::desc).cloned().collect();
        Ok(Self { metrics: Mutex::new(metrics), descs })
    }
}

impl Metrics {
    fn collectors(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.resident,
            &self.virtual_memory,
            &self.start,
            &self.threads,
            &self.open_files,
            &self.most_files,
        ]
    }

    fn set(&self, figures: &ProcessFigures) {
        let set = |gauge: &GaugeVec, value: f64| gauge.with_label_values::<&str>(&[]).set(value);
        let cpu = self.cpu.with_label_values::<&str>(&[]);
        cpu.inc_by((figures.cpu_seconds - cpu.get()).max(0.0));
        set(&self.resident, figures.resident_bytes as f64);
        set(&self.virtual_memory, figures.virtual_bytes as f64);
        set(&self.start, figures.start_seconds);
        set(&self.threads, figures.threads as f64);
        set(&self.open_files, figures.open_files as f64);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        set(&self.most_files, limit.map_or(f64::INFINITY, |limit| limit as f64));
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(figures) = ProcessFigures::read(std::process::id()) else { return Vec::new() };
        let metrics = self.metrics.lock();
        metrics.set(&figures);
        metrics.collectors().into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat =
            "42 (a) b) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 1000 8192 3 18446744073709551615";
        let figures = ProcessFigures::from_stat(stat, 100.0, 4096, 1_000_000.0).unwrap();
        let expected = ProcessFigures {
            cpu_seconds: 3.0,
            threads: 9,
            start_seconds: 1_000_010.0,
            virtual_bytes: 8192,
            resident_bytes: 12288,
            open_files: 0,
        };
        assert_eq!(figures, expected);
        assert_eq!(ProcessFigures::from_stat("42 (a) S 1", 100.0, 4096, 0.0), None);
    }

    #[test]
    fn this_process_has_figures() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let figures = ProcessFigures::read(std::process::id()).unwrap();
        assert!(
            figures.resident_bytes > 1 << 20 && figures.open_files >= 3 && figures.threads >= 1,
            "{figures:?}"
        );
    }
}
