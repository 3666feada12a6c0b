//! The `storage` block.

use model::literal::Quoted;
use std::time::Duration;

use yaml::{Context, Fields, Node, Outcome};

use crate::print::Block;
use crate::read::{duration, size};

/// How samples and exemplars are kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StorageConfig {
    /// Samples.
    pub tsdb: TsdbConfig,
    /// How many exemplars are kept; `None` where nothing is said. 0 or less keeps none.
    pub max_exemplars: Option<i64>,
    exemplars_block: bool,
}

/// How samples are kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TsdbConfig {
    /// How old a sample may be beside newer ones of its series.
    pub out_of_order_time_window: Duration,
    /// Share of stale series in the head from which on they are compacted.
    pub stale_series_compaction_threshold: f64,
    /// Encoding of float chunks: `xor`, `xor2`, or nothing.
    pub float_chunk_encoding: String,
    /// How long samples are kept; zero says nothing.
    pub retention_time: Duration,
    /// How many bytes blocks may take; 0 says nothing.
    pub retention_size: i64,
    /// How much of the disk blocks may take, in percent; 0 says nothing.
    pub retention_percentage: f64,
}

impl StorageConfig {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.StorageConfig")?;
        let mut storage = Self::default();
        fields.set("tsdb", &mut storage.tsdb, context, TsdbConfig::read)?;
        let exemplars = fields.optional("exemplars", context, |node, context| {
            let mut fields = Fields::open(node, context, "config.ExemplarsConfig")?;
            let mut most = 0;
            fields.set("max_exemplars", &mut most, context, |node, context| {
                yaml::integer(node, context, "int64")
            })?;
            fields.close(context)?;
            Ok(most)
        })?;
        fields.close(context)?;
        storage.max_exemplars = exemplars;
        storage.exemplars_block = exemplars.is_some();
        Ok(storage)
    }

    pub(crate) fn print(&self) -> Block {
        let mut block = Block::default();
        block.always("tsdb", self.tsdb.print().into());
        if self.exemplars_block {
            let mut exemplars = Block::default();
            exemplars.signed("max_exemplars", self.max_exemplars.unwrap_or_default());
            block.always("exemplars", exemplars.into());
        }
        block
    }
}

impl TsdbConfig {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut tsdb = Self::default();
        fields.set("out_of_order_time_window", &mut tsdb.out_of_order_time_window, context, duration)?;
        let threshold = &mut tsdb.stale_series_compaction_threshold;
        fields.set("stale_series_compaction_threshold", threshold, context, yaml::float)?;
        fields.set("chunk_encoding", &mut tsdb.float_chunk_encoding, context, |node, context| {
            let mut fields = Fields::open(node, context, "config.ChunkEncodingConfig")?;
            let mut floats = String::new();
            fields.set("floats", &mut floats, context, yaml::string)?;
            fields.close(context)?;
            Ok(floats)
        })?;
        let retention = fields.optional("retention", context, |node, context| {
            let mut retention = Self::default();
            retention.read_retention(node, context)?;
            Ok(retention)
        })?;
        fields.close(context)?;
        if !matches!(tsdb.float_chunk_encoding.as_str(), "" | "xor" | "xor2") {
            return Err(node.refuse(format!(
                "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got {}",
                Quoted(&tsdb.float_chunk_encoding)
            )));
        }
        if let Some(retention) = retention {
            tsdb.retention_time = retention.retention_time;
            tsdb.retention_size = retention.retention_size;
            tsdb.retention_percentage = retention.retention_percentage;
        }
        Ok(tsdb)
    }

    fn read_retention(&mut self, node: &Node, context: &mut Context) -> Outcome<()> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        fields.set("time", &mut self.retention_time, context, duration)?;
        fields.set("size", &mut self.retention_size, context, size)?;
        fields.set("percentage", &mut self.retention_percentage, context, yaml::float)?;
        fields.close(context)?;
        if self.retention_size < 0 {
            let got = crate::size::print(self.retention_size);
            let message =
                format!("'storage.tsdb.retention.size' must be greater than or equal to 0, got {got}");
            return Err(node.refuse(message));
        }
        if !(0.0..=100.0).contains(&self.retention_percentage) {
            let got = self.retention_percentage;
            let message =
                format!("'storage.tsdb.retention.percentage' must be in the range [0, 100], got {got}");
            return Err(node.refuse(message));
        }
        Ok(())
    }

    fn print(&self) -> Block {
        let mut block = Block::default();
        // A field of the real one that has no key of its own and is printed under its name in Go.
        block.always("outofordertimewindow", yaml::Output::raw(self.out_of_order_time_window.as_millis()));
        block.duration("out_of_order_time_window", self.out_of_order_time_window);
        block.float("stale_series_compaction_threshold", self.stale_series_compaction_threshold);
        let mut encoding = Block::default();
        encoding.text("floats", &self.float_chunk_encoding);
        block.block("chunk_encoding", encoding);
        let mut retention = Block::default();
        retention.duration("time", self.retention_time).size("size", self.retention_size);
        retention.float("percentage", self.retention_percentage);
        block.always("retention", retention.into());
        block
    }
}
