//! The disk of the test, what it has kept, and what the program has promised.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use pairline_fakes::judge::Program;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::tidy::at;

/// A name that no sync of its folder has brought to the disk ends so.
const UNLISTED: &str = ".new";

pub(super) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Compiles it with the C compiler that Rust links with.
    pub(super) fn new() -> Self {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(disk.copy()).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-Wno-format-truncation", "-o"]);
        let compiled = compiler.arg(disk.shim()).arg(at("tests/power/disk.c")).args(["-ldl", "-lpthread"]).status();
        assert!(compiled.unwrap().success(), "the disk does not compile");
        disk
    }

    /// A program that runs on it.
    pub(super) fn under(&self, program: Program) -> Program {
        self.variables().into_iter().fold(program, |program, (name, value)| program.env(name, value))
    }

    pub(super) fn variables(&self) -> [(&'static str, OsString); 3] {
        [("LD_PRELOAD", self.shim().into()), ("DISK_COPY", self.copy().into()), ("DISK_LOG", self.log().into())]
    }

    fn shim(&self) -> PathBuf {
        self.folder.path().join("disk.so")
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("copy")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The power is lost: leaves in a folder what the disk holds. Answers whether that is less than there was.
    pub(super) fn cut(&self, data: &Path) -> io::Result<bool> {
        let mut forgot = false;
        for entry in fs::read_dir(data)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            let kept = fs::read(self.copy().join(name)).unwrap_or_default();
            let is_kept = ["pairline.db", "pairline.db-wal"].into_iter().any(|file| name == file);
            forgot |= is_kept && fs::read(&path)? != kept;
            fs::remove_file(path)?;
        }
        for entry in fs::read_dir(self.copy())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(UNLISTED) {
                fs::remove_file(&path)?;
            } else {
                fs::copy(&path, data.join(&*name))?;
            }
        }
        Ok(forgot)
    }

    /// What a program finds on it. Looked at in a folder of its own: to open a database changes it.
    pub(super) fn found(&self) -> Found {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.copy()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        let path = folder.path().join("pairline.db");
        if !path.exists() {
            return Found::default();
        }
        let database = Connection::open(path).unwrap();
        let rows = |question: &str| -> BTreeSet<String> {
            // A disk that was told nothing does not even hold the tables.
            let Ok(mut statement) = database.prepare(question) else { return BTreeSet::new() };
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        Found {
            events: rows("SELECT application || ' ' || record_id || ' ' || event_key FROM inbox"),
            operations: rows("SELECT id FROM operation"),
        }
    }

    /// All that the program has promised so far.
    pub(super) fn promises(&self) -> Promises {
        let mut promises = Promises::default();
        for line in fs::read_to_string(self.log()).unwrap_or_default().lines() {
            match line.split_once(' ').unwrap() {
                ("taken", rest) => promises.taken.push(Taken::read(rest)),
                ("sent", operation) => drop(promises.sent.insert(operation.to_owned())),
                ("folder", path) => drop(promises.folders.insert(path.into())),
                other => panic!("the disk says {other:?}"),
            }
        }
        promises
    }
}

/// What is in a database.
#[derive(Default)]
pub(super) struct Found {
    /// System, record and key, with a blank between.
    events: BTreeSet<String>,
    operations: BTreeSet<String>,
}

#[derive(Default)]
pub(super) struct Promises {
    /// Webhooks that were answered 2xx, in their order.
    pub(super) taken: Vec<Taken>,
    /// Operations whose request has left the machine.
    pub(super) sent: BTreeSet<String>,
    /// Folders that were synced.
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Promises {
    /// Those of which the disk knows nothing, in words.
    pub(super) fn broken(&self, found: &Found) -> Vec<String> {
        let of_webhooks = self.taken.iter().flat_map(|taken| &taken.events).filter(|event| {
            let next = found.events.range(String::clone(event)..).next();
            !next.is_some_and(|next| next.starts_with(event.as_str()))
        });
        let of_writes = self.sent.iter().filter(|operation| !found.operations.contains(*operation));
        let webhooks = of_webhooks.map(|event| format!("webhook {event} was acknowledged and is lost"));
        webhooks
            .chain(of_writes.map(|operation| format!("write {operation} was sent and its intent is lost")))
            .collect()
    }
}

/// A webhook that was answered 2xx.
#[derive(Debug)]
pub(super) struct Taken {
    /// Syncs that were begun and finished between its arrival and its answer.
    pub(super) syncs: i64,
    accepted: u64,
    /// The begin of the key of the first event on each record, as [`Found::events`] has it.
    events: Vec<String>,
}

impl Taken {
    fn read(line: &str) -> Self {
        let parts: Vec<&str> = line.splitn(4, ' ').collect();
        let [system, syncs, accepted, body] = parts[..] else { panic!("the disk says `{line}`") };
        let body: Value = serde_json::from_str(body).unwrap();
        let mut events: Vec<(String, String)> = Vec::new();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for event in body.as_array().map_or(std::slice::from_ref(&body), Vec::as_slice) {
            let [record, at, id] = match system {
                "crm" => ["objectId", "occurredAt", "eventId"],
                _ => ["customer_id", "occurred_at", "event_id"],
            }
            .map(|name| text(&event[name]));
            if !events.iter().any(|(known, _)| *known == record) {
                events.push((record, format!("{at}/{id}/")));
            }
        }
        let events = events.into_iter().map(|(record, key)| format!("{system} {record} {key}"));
        Self { syncs: syncs.parse().unwrap(), accepted: accepted.parse().unwrap(), events: events.collect() }
    }

    /// Whether anything in it was not known before.
    pub(super) fn is_new(&self) -> bool {
        self.accepted > 0
    }
}
