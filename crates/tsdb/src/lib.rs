//! Samples: kept at once, found at once. Series of floats and native histograms in memory, in compressed chunks,
//! behind a log that survives `kill -9`; what is older in blocks on the disk, in the format of Prometheus' TSDB.
//!
//! Begin with [`Tsdb`]. A write is judged in `plan`, becomes a `record` of the log and is applied to the `head`, which
//! has an `index` and, for each `series`, its `chunk`s. A `checkpoint` keeps the log short. When a range of two hours
//! is past, `seal` writes it as a `block`; `maintenance` puts blocks together and removes old ones. Queries are in
//! `select`, deletions in `delete`; `postings` finds series by matchers in the head as in a block, `order` has them
//! sorted by labels, and `merge` makes one series of what several places have of it.

mod block;
mod checkpoint;
mod chunk;
mod codec;
mod delete;
mod encoded;
mod exemplars;
mod floats;
mod head;
mod histogram;
mod index;
mod intervals;
mod maintenance;
mod merge;
mod order;
mod plan;
mod postings;
mod record;
mod seal;
mod select;
mod series;
mod snapshot;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use model::{Batch, Clock, DataPoint};
use parking_lot::{Mutex, RwLock};
use wal::{SyncPolicy, Wal};

use block::{Block, Directory, Ids};
use head::Head;
use maintenance::Keeper;
use plan::{Bounds, Plan};
use record::Record;

pub use block::crc32c;
pub use encoded::EncodedChunk;
pub use floats::{FloatSample, FloatSeries, FloatsAppended};
pub use select::{IndexStats, SelectedSeries};
pub use whole::Undone;

/// Samples that are judged and written together; a larger batch takes several records.
const SAMPLES_PER_RECORD: usize = 20_000;

/// Bytes of labels, metadata and exemplars that one record takes at most, and one data point's more.
const BYTES_PER_RECORD: usize = 16 << 20;

/// How the store is kept.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the log's segments and of the checkpoint.
    pub wal_dir: PathBuf,
    /// Directory of the blocks: what Prometheus calls its data directory.
    pub blocks_dir: PathBuf,
    /// When the log is forced to the disk.
    pub wal_sync: SyncPolicy,
    /// Memory that the head may take, in bytes. Before it is reached, samples go to blocks early; where that does not
    /// help, appends are refused.
    pub memory_bytes: usize,
    /// Age after which samples are dropped. A block goes when all of it is older.
    pub retention_age: Duration,
    /// Bytes of blocks past which the oldest go.
    pub retention_bytes: u64,
    /// Most series.
    pub max_series: usize,
    /// How far behind the newest sample an older one is still taken.
    pub out_of_order_window: Duration,
    /// How far ahead of the clock a sample may lie.
    pub max_ahead: Duration,
    /// Most exemplars; past it the oldest are dropped.
    pub max_exemplars: usize,
    /// Bytes of log past which a checkpoint is written.
    pub checkpoint_bytes: u64,
}

impl Config {
    /// A store in a directory, with the defaults of Prometheus where it has any.
    pub fn new(wal_dir: impl Into<PathBuf>, blocks_dir: impl Into<PathBuf>) -> Self {
        Self {
            wal_dir: wal_dir.into(),
            blocks_dir: blocks_dir.into(),
            wal_sync: SyncPolicy::Interval(Duration::from_secs(1)),
            memory_bytes: 256 << 20,
            retention_age: Duration::from_hours(15 * 24),
            retention_bytes: u64::MAX,
            max_series: 1_000_000,
            out_of_order_window: Duration::from_mins(10),
            max_ahead: Duration::from_mins(10),
            max_exemplars: 100_000,
            checkpoint_bytes: 32 << 20,
        }
    }
}

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log refused; nothing was taken of what is not there already.
    #[error(transparent)]
    Wal(#[from] wal::Error),
    /// The head is full; try again after a while. Nothing was taken.
    #[error("the metrics head holds {bytes} bytes, the limit is {limit}")]
    Full {
        /// What it holds.
        bytes: usize,
        /// Its limit.
        limit: usize,
    },
    /// The operating system refused.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a block is not what it should be.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint that this version does not read.
    #[error("{path} is not a checkpoint of a known version")]
    UnknownCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// The store has been shut down.
    #[error("the metrics store is stopped")]
    Stopped,
}

impl Error {
    /// Makes an error of what the operating system said.
    fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.as_ref().to_owned(), source }
    }

    /// Whether the operating system refused: no reason to take a block for damaged.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Io { source, .. } if blocks::is_refusal(source))
    }
}

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// Samples that were written; one that was there already is not.
    pub samples: u64,
    /// Data points of the sender that were taken; one that was there already counts.
    pub points: u64,
    /// Exemplars that were kept.
    pub exemplars: u64,
    /// Data points of the sender that were refused, each with its reason: `out_of_bounds` (too far ahead), `too_old`,
    /// `duplicate`, `series_limit`, `too_large`, `delta_out_of_order`, `delta_overlap`.
    pub rejected: otlp::Rejected,
    /// The same data points by their position in the batch, each with Prometheus' words for why.
    pub refused: Vec<(usize, String)>,
}

/// The store. Dropping it stops its background work and syncs the log.
#[derive(Debug)]
pub struct Tsdb {
    inner: Arc<Inner>,
    keeper: Keeper,
}

#[derive(Debug)]
pub(crate) struct Inner {
    config: Config,
    clock: Arc<dyn Clock>,
    head: Head,
    wal: Wal,
    /// One write at a time: what is judged holds until it is applied, and the log has the head's order.
    writer: Mutex<Writer>,
    /// Held while a checkpoint is written, and while blocks are written, deleted from or removed.
    maintaining: Mutex<()>,
    checkpoint_bytes: AtomicU64,
    directory: Directory,
    /// By their begin. Who changes the list holds `maintaining`.
    blocks: RwLock<Arc<Vec<Arc<Block>>>>,
    ids: Ids,
    /// When room was made last.
    made_room_ms: AtomicI64,
    /// Whether the background work should begin nothing that takes long.
    stopping: AtomicBool,
}

#[derive(Debug)]
struct Writer {
    next_id: u32,
    stopped: bool,
}

impl Tsdb {
    /// Opens the store: reads the checkpoint, replays what the log has beyond it, starts the background work.
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let inner = Arc::new(Inner::open(config, clock)?);
        let keeper = Keeper::start(&inner);
        Ok(Self { inner, keeper })
    }

    /// Keeps a batch: in the log first, then in the head. When this returns, the next query finds it.
    ///
    /// A data point is taken or refused as a whole; what is refused is counted with its reason. Deltas are added to
    /// the last value of their series. After an error the batch may be sent again: what was written of it is the same
    /// and is not written twice.
    pub fn append(&self, batch: &Batch) -> Result<Appended> {
        let appended = self.inner.append(batch)?;
        self.keeper.wake_if(self.inner.work_is_due());
        Ok(appended)
    }

    /// The store's figures.
    pub fn stats(&self) -> Stats {
        let head = &self.inner.head;
        let is_empty = head.sample_count() == 0;
        let [appended_floats, appended_histograms] = head.appended();
        let blocks = self.inner.blocks();
        Stats {
            head_items: head.sample_count(),
            head_bytes: head.bytes() as u64,
            wal: self.inner.wal.stats(),
            series: head.series_count() as u64,
            chunks: head.chunk_count(),
            appended_floats,
            appended_histograms,
            exemplars: head.exemplar_count() as u64,
            max_exemplars: self.inner.config.max_exemplars as u64,
            checkpoint_bytes: self.inner.checkpoint_bytes.load(Ordering::Relaxed),
            min_time_ms: if is_empty { 0 } else { head.min_time_ms() },
            max_time_ms: if is_empty { 0 } else { head.max_time_ms() },
            blocks: blocks.len() as u64,
            block_bytes: blocks.iter().map(|block| block.bytes()).sum(),
            block_items: blocks.iter().map(|block| block.meta().stats.num_samples).sum(),
        }
    }

    /// Does what the background work does now and then: writes what is past to blocks, puts blocks together, drops what
    /// is too old, writes a checkpoint where the log has grown.
    pub fn maintain(&self) -> Result<()> {
        self.inner.maintain()
    }

    /// Writes a checkpoint now and removes the log before it.
    pub fn checkpoint(&self) -> Result<()> {
        self.inner.checkpoint()
    }

    /// Stops the background work and syncs the log. Appends are refused from here on; queries are still answered.
    pub fn shutdown(&self) -> Result<()> {
        self.inner.writer.lock().stopped = true;
        self.inner.stopping.store(true, Ordering::Relaxed);
        self.keeper.stop();
        Ok(self.inner.wal.sync()?)
    }

    /// How it is kept.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn head(&self) -> &Head {
        &self.inner.head
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl Inner {
    fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let (directory, blocks) = Directory::open(&config.blocks_dir)?;
        let head = Head::new(config.max_series, config.max_exemplars, config.memory_bytes);
        let loaded = checkpoint::load(&config.wal_dir, &head)?;
        if let Some(loaded) = loaded.filter(|loaded| loaded.damaged > 0) {
            let path = checkpoint::path(&config.wal_dir);
            tracing::error!(path = %path.display(), frames = loaded.damaged, "parts of the checkpoint are damaged");
        }
        let covered = loaded.map(|loaded| loaded.covered);
        let mut next_id = loaded.map_or(1, |loaded| loaded.next_id);
        let (mut unknown, mut unreadable) = (0, 0);
        let wal_config = wal::Config { sync: config.wal_sync, ..wal::Config::new(&config.wal_dir) };
        let (wal, recovery) = Wal::open_after(wal_config, covered, |_, bytes| match Record::decode(bytes) {
            Ok(record) => {
                let newest = record.series.iter().map(|(id, _)| *id).max().unwrap_or(0);
                next_id = next_id.max(newest.saturating_add(1));
                unknown += head.apply(record);
            }
            Err(_) => unreadable += 1,
        })?;
        head.forget_appended();
        for damage in &recovery.damage {
            tracing::warn!(?damage, "damage in the metrics log was stepped over");
        }
        if unknown + unreadable > 0 {
            tracing::error!(unknown, unreadable, "samples without a series and records that cannot be read");
        }
        Ok(Self {
            head,
            wal,
            writer: Mutex::new(Writer { next_id, stopped: false }),
            maintaining: Mutex::new(()),
            directory,
            blocks: RwLock::new(Arc::new(blocks)),
            ids: Ids::default(),
            made_room_ms: AtomicI64::new(i64::MIN),
            stopping: AtomicBool::new(false),
            checkpoint_bytes: AtomicU64::new(loaded.map_or(0, |loaded| loaded.bytes)),
            config,
            clock,
        })
    }

    fn append(&self, batch: &Batch) -> Result<Appended> {
        let mut appended = Appended::default();
        let mut position = None;
        let mut points = batch.points.as_slice();
        while !points.is_empty() {
            // One write at a time, but not one batch: others get their turn.
            let mut writer = self.writer.lock();
            if writer.stopped {
                return Err(Error::Stopped);
            }
            self.check_room()?;
            let record;
            (record, points) = self.judge(batch, points, writer.next_id, &mut appended);
            if record.is_empty() {
                continue;
            }
            position = Some(self.wal.append(&[&record.encode()])?);
            writer.next_id += record.series.len() as u32;
            appended.samples += record.samples.len() as u64;
            self.head.apply(record);
        }
        if let Some(position) = position {
            self.wal.commit(position)?;
        }
        Ok(appended)
    }

    /// Judges as many data points as go into one record; the others are left.
    fn judge<'a>(
        &self,
        batch: &'a Batch,
        points: &'a [DataPoint],
        next_id: u32,
        appended: &mut Appended,
    ) -> (Record, &'a [DataPoint]) {
        let mut plan = self.plan(next_id);
        let mut left = points;
        while let Some((point, rest)) = left.split_first() {
            plan.point(batch, batch.points.len() - left.len(), point, appended);
            left = rest;
            if plan.samples() >= SAMPLES_PER_RECORD || plan.bytes() >= BYTES_PER_RECORD {
                break;
            }
        }
        (plan.finish(), left)
    }

    /// An empty plan on the head as it is.
    fn plan(&self, next_id: u32) -> Plan<'_> {
        let now_ms = self.clock.now_ms();
        let bounds = Bounds {
            oldest_ms: now_ms.saturating_sub(millis(self.config.retention_age)),
            newest_ms: now_ms.saturating_add(millis(self.config.max_ahead)),
            window_ms: millis(self.config.out_of_order_window),
        };
        Plan::new(&self.head, bounds, next_id)
    }

    /// The background work makes room long before there is none.
    fn check_room(&self) -> Result<()> {
        match (self.head.bytes(), self.config.memory_bytes) {
            (bytes, limit) if bytes >= limit => Err(Error::Full { bytes, limit }),
            _ => Ok(()),
        }
    }

    /// The blocks as they are now.
    pub(crate) fn blocks(&self) -> Arc<Vec<Arc<Block>>> {
        Arc::clone(&self.blocks.read())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The store's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Samples in the head.
    pub head_items: u64,
    /// Bytes of the head, estimated.
    pub head_bytes: u64,
    /// Segments and bytes of the log.
    pub wal: wal::Stats,
    /// Series in the head.
    pub series: u64,
    /// Chunks in the head.
    pub chunks: u64,
    /// Floats that were taken since the start.
    pub appended_floats: u64,
    /// Native histograms that were.
    pub appended_histograms: u64,
    /// Exemplars in the ring.
    pub exemplars: u64,
    /// Most exemplars in the ring.
    pub max_exemplars: u64,
    /// Bytes of the newest checkpoint.
    pub checkpoint_bytes: u64,
    /// Milliseconds since the Unix epoch of the oldest sample; 0 if there is none.
    pub min_time_ms: i64,
    /// Of the newest sample.
    pub max_time_ms: i64,
    /// Blocks on the disk.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Their samples.
    pub block_items: u64,
}
