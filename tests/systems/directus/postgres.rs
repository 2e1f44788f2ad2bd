//! A PostgreSQL of this machine, in a folder of its own, on 127.0.0.1; it ends with the test.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pairline_fakes::Port;

use crate::bad_input::wait::until;
use crate::systems::installed::{Server, run};

/// It refuses to be run by the administrator of the machine, who is nobody then.
const NOBODY: u32 = 65_534;

pub(crate) struct Postgres {
    port: u16,
    programs: PathBuf,
    _server: Server,
    folder: tempfile::TempDir,
    _port: Port,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().unwrap();
        if is_administrator(folder.path()) {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = folder.path().join("data");
        let mut initdb = by_nobody(&programs.join("initdb"), folder.path());
        run(initdb.arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]));
        let held = Port::free().unwrap();
        let port = held.number();
        let mut postgres = by_nobody(&programs.join("postgres"), folder.path());
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"] {
            postgres.args(["-c", setting]);
        }
        let server = Server::start(postgres, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        Self { port, programs, _server: server, folder, _port: held }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes a database with nothing in it.
    pub(crate) fn makes(&self, database: &str) {
        until("PostgreSQL takes calls", || {
            let mut createdb = Command::new(self.programs.join("createdb"));
            createdb.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", database]);
            let status = createdb.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            status.success().then_some(())
        });
    }
}

impl Drop for Postgres {
    /// A database that is killed leaves memory behind that it shares with itself.
    fn drop(&mut self) {
        let mut stop = by_nobody(&self.programs.join("pg_ctl"), self.folder.path());
        stop.arg("-D").arg(self.folder.path().join("data")).args(["stop", "--silent", "-m", "fast"]);
        drop(stop.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

fn is_administrator(folder: &Path) -> bool {
    fs::metadata(folder).unwrap().uid() == 0
}

/// A command that works in a folder, and is run by whom the folder belongs to.
fn by_nobody(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if fs::metadata(folder).unwrap().uid() == NOBODY {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Where its programs are: Debian keeps them out of the way, the newest last.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut versions: Vec<(u32, PathBuf)> =
        versions.filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))).collect();
    versions.sort();
    let named = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&named).chain(versions.into_iter().rev().map(|(_, path)| path));
    // What is in the path may be links to some of them.
    let initdb = all.find_map(|path| fs::canonicalize(path.join("initdb")).ok());
    let initdb = initdb.expect("PostgreSQL, as `apt-get install postgresql` brings it");
    initdb.parent().unwrap().to_owned()
}
