//! Machine code that is kept: loaded when nothing is wrong with it, and compiled again on any doubt.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pairline_sdk::NodeKind;
use pairline_wasm::{Host, HostOptions};

use crate::guest::{Bench, ECHO, Guest};

struct Kept {
    bench: Bench,
    file: PathBuf,
    folder: PathBuf,
}

impl Kept {
    fn new() -> Self {
        let bench = Bench::default();
        let file = bench.put("guest.wasm", &Guest::new(ECHO).component());
        let folder = bench.folder.path().join("cache");
        let kept = Self { bench, file, folder };
        kept.load();
        kept
    }

    /// A program that starts anew.
    fn load(&self) {
        let host = Host::new(HostOptions { cache: Some(self.folder.clone()), ..HostOptions::default() }).unwrap();
        assert_eq!(host.load(&self.file).unwrap().describe().kind, "guest");
    }

    fn code(&self) -> PathBuf {
        let ending = |path: &Path| path.extension().is_some_and(|ending| ending == "cwasm");
        let found = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| ending(path));
        found.expect("code is kept")
    }

    /// Whether a program that starts anew makes the code anew, which is how it is told from the old.
    fn is_made_anew_after(&self, harm: impl FnOnce(&Path)) -> bool {
        let code = self.code();
        let before = fs::read(&code).unwrap();
        harm(&code);
        let harmed = fs::read(&code).unwrap();
        self.load();
        let after = fs::read(self.code()).unwrap();
        assert_eq!(after, before, "what is kept is what the compiler makes");
        harmed != after
    }
}

#[test]
fn code_is_kept_for_this_user_alone() {
    let kept = Kept::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!((mode(&kept.folder), mode(&kept.code())), (0o700, 0o600));
    let before = fs::metadata(kept.code()).unwrap().modified().unwrap();
    kept.load();
    assert_eq!(fs::metadata(kept.code()).unwrap().modified().unwrap(), before, "it is loaded and not made again");
}

#[test]
fn a_poisoned_file_is_never_loaded() {
    let kept = Kept::new();
    let flip = |code: &Path| {
        let mut bytes = fs::read(code).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(code, bytes).unwrap();
    };

    assert!(kept.is_made_anew_after(flip), "one byte");
    assert!(kept.is_made_anew_after(|code| fs::write(code, b"garbage").unwrap()), "garbage");
    assert!(kept.is_made_anew_after(|code| fs::write(code, b"").unwrap()), "nothing");
    assert!(
        kept.is_made_anew_after(|code| {
            let bytes = fs::read(code).unwrap();
            fs::write(code, &bytes[..bytes.len() / 2]).unwrap();
        }),
        "half of it"
    );
    assert!(
        kept.is_made_anew_after(|code| {
            // With the time put back, as somebody would who does not want to be seen.
            let before = fs::metadata(code).unwrap().modified().unwrap();
            flip(code);
            fs::File::options().write(true).open(code).unwrap().set_modified(before).unwrap();
        }),
        "with its time put back"
    );
}

#[test]
fn a_file_that_somebody_has_only_touched_is_good_still() {
    let kept = Kept::new();
    let code = kept.code();
    let bytes = fs::read(&code).unwrap();
    fs::write(&code, &bytes).unwrap();

    kept.load();

    assert_eq!(fs::read(kept.code()).unwrap(), bytes);
}

#[test]
fn a_folder_that_others_can_write_to_is_not_trusted_and_neither_are_a_link_and_a_missing_seal() {
    let kept = Kept::new();
    let code = kept.code();
    let poison = |code: &Path| fs::write(code, b"\x7fELF poison").unwrap();

    fs::set_permissions(&kept.folder, fs::Permissions::from_mode(0o777)).unwrap();
    poison(&code);
    kept.load();
    assert_eq!(fs::read(&code).unwrap(), b"\x7fELF poison", "nothing is kept there any more, and nothing is loaded");

    fs::set_permissions(&kept.folder, fs::Permissions::from_mode(0o700)).unwrap();
    kept.load();
    let elsewhere = kept.bench.put("elsewhere.cwasm", &fs::read(&code).unwrap());
    fs::remove_file(&code).unwrap();
    std::os::unix::fs::symlink(elsewhere, &code).unwrap();
    kept.load();
    assert!(!fs::symlink_metadata(&code).unwrap().file_type().is_symlink(), "the link gives way to a file");

    fs::remove_file(code.with_extension("seal")).unwrap();
    kept.load();
    assert!(code.with_extension("seal").exists());
}

#[test]
fn a_folder_that_cannot_be_made_costs_time_and_nothing_else() {
    let bench = Bench::default();
    let file = bench.put("guest.wasm", &Guest::new(ECHO).component());
    let in_the_way = bench.put("taken", b"");
    let host = Host::new(HostOptions { cache: Some(in_the_way), ..HostOptions::default() }).unwrap();

    assert_eq!(host.load(&file).unwrap().describe().kind, "guest");
}

#[test]
fn code_that_nobody_has_asked_for_in_a_month_goes_and_what_is_used_stays() {
    let kept = Kept::new();
    let (code, seal) = (kept.code(), kept.code().with_extension("seal"));
    let left = code.with_extension("1-1.new");
    let notes = kept.folder.join("notes.new");
    for file in [&left, &notes] {
        fs::write(file, "").unwrap();
    }
    let was_used = |file: &Path, days: u64| {
        let when = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 24 * 3600);
        fs::File::options().write(true).open(file).unwrap().set_modified(when).unwrap();
    };
    let another_is_kept = |body: &str| {
        let file = kept.bench.put("other.wasm", &Guest::new(ECHO).with_text(5000, body).component());
        Host::new(HostOptions { cache: Some(kept.folder.clone()), ..HostOptions::default() })
            .unwrap()
            .load(&file)
            .unwrap();
    };
    for file in [&code, &left, &notes] {
        was_used(file, 40);
    }

    was_used(&seal, 29);
    kept.load();
    was_used(&code, 40);
    another_is_kept("1");
    assert!(code.exists() && seal.exists() && !left.exists(), "it was asked for a moment ago");

    was_used(&seal, 31);
    another_is_kept("2");
    assert!(!code.exists() && !seal.exists(), "nobody has asked for it in a month");
    assert!(notes.exists(), "that is none of ours");
    assert_eq!(
        fs::read_dir(&kept.folder).unwrap().count(),
        5,
        "the code of two others with their seals, and the notes"
    );
}
