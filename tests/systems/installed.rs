//! Real systems from public packages, pinned, installed once into a folder outside of the checkout.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::bad_input::wait::within;

/// Packages come over the network; a mirror may be slow.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A Python environment with these packages. Another pin is another environment.
pub(super) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// The environment, made if it is not there. Tests that want the same one at a time wait for each other.
    pub(super) fn with(name: &str, requirements: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        requirements.hash(&mut hasher);
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
        let cache = cache.expect("a home, to keep installed systems in").join("pairline/systems");
        fs::create_dir_all(&cache).unwrap();
        let folder = cache.join(format!("{name}-{:016x}", hasher.finish()));
        let environment = Self { folder };
        environment.once("installed", || {
            let venv = environment.folder.join("venv");
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
            let pins = environment.folder.join("requirements.txt");
            fs::write(&pins, requirements).unwrap();
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
            run(Command::new(venv.join("bin/python")).args(pip).arg(&pins));
        });
        environment
    }

    /// A folder of it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program of it.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("venv/bin").join(name));
        command.stdin(Stdio::null());
        command
    }

    /// Does something once in the life of the environment, however many tests want it and however often one dies at it.
    pub(super) fn once(&self, what: &str, make: impl FnOnce()) {
        fs::create_dir_all(&self.folder).unwrap();
        let lock = File::create(self.folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let done = self.folder.join(format!("{what}.done"));
        if !done.exists() {
            make();
            File::create(&done).unwrap().write_all(b"done\n").unwrap();
        }
    }
}

/// Runs something that must go well.
pub(super) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", said(&output.stdout), said(&output.stderr));
}

/// A real system at work, on 127.0.0.1; it ends with the test.
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// Starts it, and waits until it answers.
    pub(super) fn start(mut command: Command, is_ready: impl Fn() -> bool) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { child };
        let ready = within(STARTS_WITHIN, || {
            assert!(server.child.try_wait().unwrap().is_none(), "{command:?} has ended");
            if is_ready() { Ok(()) } else { Err(()) }
        });
        assert!(ready.is_ok(), "{command:?} has not answered within {STARTS_WITHIN:?}");
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
