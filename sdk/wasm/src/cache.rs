//! Machine code of components, kept between starts.
//!
//! Loading machine code is trusting it, so it is taken from nowhere but a folder that only this user can write to, from a
//! file that nobody has touched since it was written, made by this very engine. On any doubt the component is compiled again.

mod unused;

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

pub(crate) struct Cache {
    folder: PathBuf,
    /// What code must have been made by: the engine's version and settings, and the machine.
    engine: String,
}

/// What is remembered of a file when it is written. Who changes the file changes this, if only its last line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    bytes: u64,
    inode: u64,
    changed_at: (i64, i64),
    digest: String,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, engine: &Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { folder, engine: format!("{:016x}", hasher.finish()) }
    }

    /// The component of these bytes: its kept code, or compiled and kept.
    pub(crate) fn component(&self, engine: &Engine, bytes: &[u8]) -> Result<Component, wasmtime::Error> {
        let name = format!("{}-{}", hex(&Sha256::digest(bytes)), self.engine);
        let (code, seal) = (self.folder.join(format!("{name}.cwasm")), self.folder.join(format!("{name}.seal")));
        match self.kept(engine, &code, &seal) {
            Ok(Some(component)) => {
                unused::note(&seal);
                return Ok(component);
            }
            Ok(None) => {}
            Err(doubt) => tracing::warn!(%doubt, "kept code of a component is not used"),
        }
        let component = Component::new(engine, bytes)?;
        if let Err(error) = self.keep(&component, &code, &seal) {
            tracing::debug!(%error, "code of a component is not kept");
        }
        Ok(component)
    }

    fn kept(&self, engine: &Engine, code: &Path, seal: &Path) -> Result<Option<Component>, String> {
        if !code.exists() {
            return Ok(None);
        }
        only_ours(&self.folder)?;
        for file in [code, seal] {
            only_ours(file)?;
        }
        let said = fs::read(seal).map_err(|error| format!("it has no seal: {error}"))?;
        let said: Seal = serde_json::from_slice(&said).map_err(|_| "its seal cannot be read".to_owned())?;
        let (bytes, inode, changed_at) = stamp(code)?;
        if (said.bytes, said.inode, said.changed_at) != (bytes, inode, changed_at) {
            // A copied folder looks touched, and is as good as new if every byte is the same.
            let found = fs::read(code).map_err(|error| format!("it cannot be read: {error}"))?;
            if hex(&Sha256::digest(&found)) != said.digest {
                return Err("it is not as it was written".to_owned());
            }
            drop(self.seal(code, seal, said.digest));
        }
        load(engine, code).map(Some).map_err(|error| format!("it cannot be loaded: {error:#}"))
    }

    fn keep(&self, component: &Component, code: &Path, seal: &Path) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        make_folder(&self.folder).map_err(text)?;
        only_ours(&self.folder)?;
        let bytes = component.serialize().map_err(|error| format!("{error:#}"))?;
        unused::remove(&self.folder);
        put(code, &bytes).map_err(text)?;
        self.seal(code, seal, hex(&Sha256::digest(&bytes)))
    }

    fn seal(&self, code: &Path, seal: &Path, digest: String) -> Result<(), String> {
        let (bytes, inode, changed_at) = stamp(code)?;
        let written = serde_json::to_vec(&Seal { bytes, inode, changed_at, digest });
        put(seal, &written.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }
}

/// Loads machine code.
#[allow(unsafe_code)]
fn load(engine: &Engine, code: &Path) -> Result<Component, wasmtime::Error> {
    // SAFETY: the file is one that `Cache::keep` has written with `Component::serialize`. `Cache::kept` has made sure that no
    // other user can write to it or to its folder, and that it is as it was written, by its stamp or by its digest. wasmtime
    // itself refuses code of another version or with other settings.
    unsafe { Component::deserialize_file(engine, code) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file at once: whoever opens it sees all of it or none.
fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let beside = path.with_extension(format!("{process}-{number}.new"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(&beside, path)
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Size, inode, and when it was last changed in any way, which nobody can set.
#[cfg(unix)]
fn stamp(path: &Path) -> Result<(u64, u64, (i64, i64)), String> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    Ok((metadata.len(), metadata.ino(), (metadata.ctime(), metadata.ctime_nsec())))
}

#[cfg(not(unix))]
fn stamp(_: &Path) -> Result<(u64, u64, (i64, i64)), String> {
    // Nothing here tells whether a file was touched: every byte is looked at.
    Ok((0, 0, (0, 0)))
}

/// Whether this user alone can change what is there.
#[cfg(unix)]
fn only_ours(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let metadata = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if metadata.file_type().is_symlink() {
        return Err(format!("`{}` is a link", path.display()));
    }
    // Without it nobody can tell who we are, and nothing is trusted.
    let ours = fs::metadata("/proc/self").map_err(|_| "nobody can tell here which user this is".to_owned())?.uid();
    if metadata.uid() != ours {
        return Err(format!("`{}` belongs to another user", path.display()));
    }
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err(format!("other users can write to `{}`", path.display()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn only_ours(path: &Path) -> Result<(), String> {
    Err(format!("nobody can tell here who else can write to `{}`", path.display()))
}
