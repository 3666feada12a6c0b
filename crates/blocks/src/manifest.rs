//! What every block says of itself, whichever store it belongs to.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{Error, Result, io_error, read_json};

/// The file that holds a block's [`Meta`].
pub const META_FILE: &str = "meta.json";

/// The part of `meta.json` that is the same for every store. A store puts it into its own with `#[serde(flatten)]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the store's format.
    pub version: u32,
    /// The block's name.
    pub id: Ulid,
    /// Bytes of the data file: one of another length is damaged.
    pub file_bytes: u64,
    /// The last segment of the log whose records are in this block or an older one.
    pub last_wal: u64,
    /// Blocks whose content is all in this one: where they are still there, replacing them was interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Ulid>,
}

/// What a store writes as `meta.json`.
pub trait Meta: Serialize + DeserializeOwned {
    /// Version that is written; a reader takes this and older ones.
    const VERSION: u32;
    /// The file whose length [`Manifest::file_bytes`] is.
    const DATA_FILE: &'static str;

    /// The part that every store has.
    fn manifest(&self) -> &Manifest;
}

/// Reads the metadata of a block and checks that the block can be what they speak of.
pub(crate) fn read<M: Meta>(block: &Path, id: Ulid) -> Result<M> {
    let path = block.join(META_FILE);
    let meta: M = read_json(&path)?;
    let Manifest { version, id: own_id, file_bytes, .. } = *meta.manifest();
    if version > M::VERSION {
        let reason = format!("version {version} is newer than this program, which reads {}", M::VERSION);
        return Err(Error::damaged(path, reason));
    }
    if own_id != id {
        return Err(Error::damaged(path, format!("it is of block {own_id}")));
    }
    let data = block.join(M::DATA_FILE);
    let bytes = fs::metadata(&data).map_err(io_error("stat", &data))?.len();
    if bytes != file_bytes {
        return Err(Error::damaged(data, format!("{bytes} bytes instead of {file_bytes}")));
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Own {
        #[serde(flatten)]
        manifest: Manifest,
        rows: u64,
    }

    impl Meta for Own {
        const VERSION: u32 = 2;
        const DATA_FILE: &'static str = "data";

        fn manifest(&self) -> &Manifest {
            &self.manifest
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let id = Ulid::from_parts(1, 2);
        fs::write(root.path().join("data"), b"12345").unwrap();
        let outcome = |text: String| {
            fs::write(root.path().join(META_FILE), text).unwrap();
            read::<Own>(root.path(), id).map_err(|error| error.to_string())
        };
        let meta = |version: u32, id: Ulid, bytes: u64| {
            format!(
                r#"{{"version":{version},"id":"{id}","rows":{},"file_bytes":{bytes},"last_wal":3}}"#,
                u64::MAX
            )
        };
        for version in [1, 2] {
            let read = outcome(meta(version, id, 5)).unwrap();
            assert_eq!(
                (read.rows, read.manifest),
                (u64::MAX, Manifest { version, id, file_bytes: 5, last_wal: 3, sources: Vec::new() })
            );
        }
        let other = Ulid::from_parts(1, 3);
        for (text, file, reason) in [
            (meta(3, id, 5), META_FILE, "version 3 is newer than this program, which reads 2".to_owned()),
            (meta(2, other, 5), META_FILE, format!("it is of block {other}")),
            (meta(2, id, 6), "data", "5 bytes instead of 6".to_owned()),
        ] {
            let path = root.path().join(file);
            assert_eq!(outcome(text).unwrap_err(), format!("{} is damaged: {reason}", path.display()));
        }
        let missing = outcome(r#"{"version":1,"rows":1}"#.to_owned()).unwrap_err();
        assert!(missing.contains("meta.json is damaged: missing field `id`"), "{missing}");
        fs::remove_file(root.path().join("data")).unwrap();
        let missing = outcome(meta(2, id, 5)).unwrap_err();
        assert!(missing.starts_with("stat ") && missing.contains("/data: No such file"), "{missing}");
    }
}
