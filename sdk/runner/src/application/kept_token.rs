//! A token that took the place of the one in the environment, kept so that the next start goes on with it.
//!
//! Some token servers answer every use of a refresh token with another one, and the first is worth nothing from then on. The
//! file says which token of the environment its own descends from: a person who enters another one there wins. Of all the
//! programs at one folder only one at a time spends a token, and it reads the file first.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What not everybody may do with a file or a folder. Its group may: a supervisor that mounts a volume gives it that right.
const EVERYBODY: u32 = 0o007;
const MODE: u32 = 0o777;

/// Where the newest token of one application is.
pub(crate) struct KeptToken {
    file: PathBuf,
    /// What the token of the environment is known by.
    from: String,
}

/// The right to spend a token; given up when the last of these is dropped, and with the process however it ends.
#[derive(Clone)]
pub(crate) struct Hold(#[expect(dead_code, reason = "the lock lives as long as the file is open")] Arc<File>);

/// What the file holds.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The SHA-256 of the token that stood in the environment.
    from: String,
    refresh_token: String,
}

impl fmt::Debug for KeptToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptToken").field("file", &self.file).finish_non_exhaustive()
    }
}

impl KeptToken {
    /// The one that an application goes on with, which was given this one at first.
    pub(crate) fn new(folder: &Path, application: &str, given: &str) -> Self {
        let from = Sha256::digest(given).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { file: folder.join(application).with_extension("json"), from }
    }

    /// Where it is.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The token, unless none was kept that descends from the one in the environment.
    ///
    /// # Errors
    ///
    /// One line that names the file and what would help, and never what is in it.
    pub(crate) fn read(&self) -> Result<Option<SecretString>, String> {
        let is_there = match fs::metadata(&self.file) {
            Ok(found) => found.is_file(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.broken("be read", &error)),
        };
        private(self.folder(), "a folder", 0o700)?;
        if is_there {
            private(&self.file, "a file", 0o600)?;
        }
        let text = fs::read(&self.file).map_err(|error| self.broken("be read", &error))?;
        // What the parser says may repeat what it has found.
        let document: Document = serde_json::from_slice(&text).map_err(|_| {
            let file = self.file.display();
            format!("{file}: expected a refresh token as it was kept, found something else: enter a new one into the environment, and remove the file")
        })?;
        Ok((document.from == self.from).then(|| document.refresh_token.into()))
    }

    /// Takes the right to spend a token; nothing while another program has it. Makes the folder, so that one in which nothing
    /// can be kept is known before a token is spent.
    ///
    /// # Errors
    ///
    /// One line that names the file.
    pub(crate) fn hold(&self) -> Result<Option<Hold>, String> {
        let path = self.file.with_extension("lock");
        let broken = |error| format!("{} cannot be made: {error}", path.display());
        make(self.folder()).map_err(broken)?;
        private(self.folder(), "a folder", 0o700)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(broken)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Hold(Arc::new(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(format!("{} cannot be locked: {error}", path.display())),
        }
    }

    /// Keeps a token in the place of the last one. It is on the disk when this returns, or the last one is there still.
    ///
    /// # Errors
    ///
    /// One line that names the file.
    pub(crate) fn keep(&self, _: &Hold, token: &SecretString) -> Result<(), String> {
        self.write(token).map_err(|error| self.broken("be written", &error))
    }

    fn write(&self, token: &SecretString) -> io::Result<()> {
        let document = Document { from: self.from.clone(), refresh_token: token.expose_secret().to_owned() };
        let text = SecretString::from(serde_json::to_string(&document)?);
        let new = self.file.with_extension("json.new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
        file.write_all(text.expose_secret().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.file)?;
        synced(self.folder())
    }

    fn folder(&self) -> &Path {
        above(&self.file)
    }

    fn broken(&self, what: &str, error: &io::Error) -> String {
        format!("{} cannot {what}: {error}", self.file.display())
    }
}

fn above(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder that is its owner's alone, and those above it that are not there. Their names are on the disk when this
/// returns.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = above(folder);
    make(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    synced(above)
}

/// Brings the names in a folder to the disk.
fn synced(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems cannot do this to a folder, and keep its names by themselves.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Refuses what somebody else can read or replace.
fn private(path: &Path, what: &str, wanted: u32) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?.mode();
    if found & EVERYBODY == 0 {
        return Ok(());
    }
    Err(format!(
        "{}: expected {what} that is not for everybody (mode {wanted:04o}), found mode {:04o}: set it right, and enter a new \
         refresh token into the environment if somebody may have read the kept one",
        path.display(),
        found & MODE
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    /// A folder that is not there yet, and the token of an application in it.
    fn place() -> (TempDir, KeptToken) {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptToken::new(&folder.path().join("data/credentials"), "books", "canary-given");
        (folder, kept)
    }

    fn held(kept: &KeptToken) -> Hold {
        kept.hold().unwrap().expect("nobody else has it")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & MODE
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_token_is_kept_for_its_owner_alone_and_goes_with_the_one_it_descends_from() {
        let (_folder, kept) = place();
        assert!(kept.read().unwrap().is_none());

        for token in ["canary-second", "canary-third"] {
            kept.keep(&held(&kept), &secret(token)).unwrap();
            assert_eq!(kept.read().unwrap().unwrap().expose_secret(), token);
        }

        assert_eq!((mode(kept.file()), mode(kept.folder())), (0o600, 0o700));
        let names = fs::read_dir(kept.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["books.json", "books.lock"]);
        // A person has entered another one.
        assert!(KeptToken::new(kept.folder(), "books", "entered").read().unwrap().is_none());
        assert!(KeptToken::new(kept.folder(), "other", "canary-given").read().unwrap().is_none());
        let text = fs::read_to_string(kept.file()).unwrap();
        assert!(!text.contains("canary-given") && !format!("{kept:?}").contains("canary"), "{text}");
    }

    #[test]
    fn what_a_crash_has_left_half_written_is_in_nobodys_way() {
        let (_folder, kept) = place();
        kept.keep(&held(&kept), &secret("second")).unwrap();
        let left = kept.file().with_extension("json.new");
        fs::write(&left, "{\"from\":").unwrap();
        set_mode(&left, 0o644);

        assert_eq!(kept.read().unwrap().unwrap().expose_secret(), "second");
        kept.keep(&held(&kept), &secret("third")).unwrap();

        assert_eq!(kept.read().unwrap().unwrap().expose_secret(), "third");
        assert_eq!(mode(kept.file()), 0o600);
        assert!(!left.exists());
    }

    #[test]
    fn one_at_a_time_may_spend_a_token() {
        let (_folder, kept) = place();
        let first = held(&kept);
        let same = first.clone();

        drop(first);
        assert!(kept.hold().unwrap().is_none());
        drop(same);
        assert!(kept.hold().unwrap().is_some());
    }

    #[test]
    fn a_file_that_cannot_be_trusted_is_named_with_what_to_do_and_not_shown() {
        let (_folder, kept) = place();
        kept.keep(&held(&kept), &secret("canary-second")).unwrap();
        let whole = fs::read_to_string(kept.file()).unwrap();
        let said = |what: &str| {
            let said = kept.read().map(drop).expect_err(what);
            assert!(said.contains(&kept.folder().display().to_string()) && !said.contains("canary"), "{what}: {said}");
            said
        };

        for text in ["", "{", "\"canary\"", "{\"from\":\"canary\"}", "[\"canary\"]", &whole[..whole.len() - 1]] {
            fs::write(kept.file(), text).unwrap();
            assert!(said(text).contains("remove the file"), "{text}");
        }
        fs::write(kept.file(), &whole).unwrap();
        for for_everybody in [0o644, 0o604, 0o602] {
            set_mode(kept.file(), for_everybody);
            assert!(said("a mode").contains(&format!("found mode {for_everybody:04o}")));
        }
        set_mode(kept.file(), 0o640);
        assert!(kept.read().unwrap().is_some());
        set_mode(kept.folder(), 0o755);
        assert!(said("a folder").contains("mode 0700"));
        assert!(kept.hold().map(drop).unwrap_err().contains("mode 0700"));
        set_mode(kept.folder(), 0o700);
        assert_eq!(kept.read().unwrap().unwrap().expose_secret(), "canary-second");
        fs::remove_file(kept.file()).unwrap();
        fs::create_dir(kept.file()).unwrap();
        assert!(said("a folder in its place").contains("cannot be read"));
        assert!(kept.keep(&held(&kept), &secret("canary")).unwrap_err().contains("cannot be written"));
    }

    #[test]
    fn a_file_where_the_folder_should_be_is_told_before_a_token_is_spent() {
        let (folder, kept) = place();
        fs::write(folder.path().join("data"), "").unwrap();

        assert!(kept.hold().map(drop).unwrap_err().contains("books.lock cannot be made"));
        assert!(kept.read().is_err());
    }
}
