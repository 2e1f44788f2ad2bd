//! The folder of a database, made so that a loss of power does not take it away again with all that is in it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes a folder and those above it that are not there. Each has its name on the disk when this returns: SQLite sees to
/// the names of its files in it, and to nothing above.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    match File::open(above)?.sync_all() {
        // Some file systems cannot do this to a folder, and keep its names by themselves.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_with_those_above_it_and_may_be_there_already() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("a/b/c");

        for _ in 0..2 {
            make(&folder).unwrap();
        }

        assert!(folder.is_dir());
    }

    #[test]
    fn a_file_in_the_way_is_not_taken_for_a_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("a");
        fs::write(&file, "").unwrap();

        assert!(make(&file).is_err());
        assert!(make(&file.join("b")).is_err());
    }
}
