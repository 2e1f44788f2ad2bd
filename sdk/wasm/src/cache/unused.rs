//! Code that nobody has asked for in a long time goes.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// So long code is kept that nobody asks for.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How exactly it is known when somebody has asked: a start need not write for it.
const NOTED: Duration = Duration::from_secs(24 * 3600);

/// Letters of a SHA-256.
const DIGEST: usize = 64;

/// Somebody has asked for the code with this seal.
pub(super) fn note(seal: &Path) {
    if age(seal).is_some_and(|age| age > NOTED)
        && let Ok(file) = fs::File::options().write(true).open(seal)
    {
        // Who cannot write here keeps code for less long, and that is all.
        drop(file.set_modified(SystemTime::now()));
    }
}

/// Removes code that nobody has asked for in a long time, and what a start that broke off has left.
pub(super) fn remove(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for file in entries.map(|entry| entry.path()) {
        let seal = file.with_extension("seal");
        if is_ours(&file) && age(&seal).or_else(|| age(&file)).is_some_and(|age| age > KEPT) {
            // Whoever runs it goes on: it is gone from the folder and not from memory.
            drop(fs::remove_file(&file));
        }
    }
}

/// Whether a file is named as we name them, by a digest: the folder may be one that somebody keeps other things in.
fn is_ours(file: &Path) -> bool {
    let digest = file.file_name().and_then(|name| name.as_encoded_bytes().get(..DIGEST));
    let ending = file.extension().and_then(|ending| ending.to_str());
    digest.is_some_and(|digest| digest.iter().all(u8::is_ascii_hexdigit))
        && matches!(ending, Some("cwasm" | "seal" | "new"))
}

fn age(file: &Path) -> Option<Duration> {
    fs::symlink_metadata(file).ok()?.modified().ok()?.elapsed().ok()
}
