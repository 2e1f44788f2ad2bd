//! Folder: where the program keeps its data and its log during a trial.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::wall::Wall;

/// A fresh folder that is removed again, also when the trial is broken off, unless it is to be kept.
pub(crate) struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    pub(crate) fn fresh(kept: bool) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pairline-judge-{}-{}-{number}", std::process::id(), Wall::of_the_machine().now_ms());
        let folder = Self { path: std::env::temp_dir().join(name), kept };
        fs::create_dir_all(folder.data())?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("program.log")
    }

    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// What the data takes up.
    pub(crate) fn data_bytes(&self) -> u64 {
        bytes_in(&self.data())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed is in the system's folder for such things.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_in(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_trial_unless_it_is_kept() {
        let [gone, mut left] = [false, false].map(|kept| Folder::fresh(kept).unwrap());
        left.keep();
        fs::write(left.log(), "a line").unwrap();
        let [gone_path, left_path] = [&gone, &left].map(|folder| folder.path().to_owned());

        drop((gone, left));

        assert!(!gone_path.exists() && left_path.join("program.log").exists());
        fs::remove_dir_all(left_path).unwrap();
    }
}
