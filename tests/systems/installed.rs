//! Real systems and clients from public packages, pinned, installed once into a folder outside of the checkout.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::bad_input::wait::within;
use crate::tidy::at;

/// Packages come over the network; a mirror may be slow.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// The oldest Node.js that what is installed runs on.
const NODE: u32 = 20;

/// Packages that were installed together. Another pin is another environment.
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// A Python environment with these packages.
    pub(crate) fn with(name: &str, requirements: &str) -> Self {
        Self::made(name, requirements, |folder| {
            let venv = folder.join("venv");
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
            let pins = folder.join("requirements.txt");
            fs::write(&pins, requirements).unwrap();
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
            run(Command::new(venv.join("bin/python")).args(pip).arg(&pins));
        })
    }

    /// The environment of these pins, made if it is not there. Tests that want the same one at a time wait for each other.
    pub(crate) fn made(name: &str, pins: &str, install: impl FnOnce(&Path)) -> Self {
        let mut hasher = DefaultHasher::new();
        pins.hash(&mut hasher);
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
        let cache = cache.expect("a home, to keep installed systems in").join("pairline/systems");
        fs::create_dir_all(&cache).unwrap();
        let environment = Self { folder: cache.join(format!("{name}-{:016x}", hasher.finish())) };
        environment.once("installed", || install(&environment.folder));
        environment
    }

    /// The folder of npm with the packages of a lock file. None of them runs anything when it is installed.
    pub(super) fn of_node(name: &str, package: &str, lock: &str) -> Self {
        has_node();
        Self::made(name, lock, |folder| {
            for (file, text) in [("package.json", package), ("package-lock.json", lock)] {
                fs::write(folder.join(file), text).unwrap();
            }
            let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
            run(Command::new("npm").args(install).current_dir(folder));
        })
    }

    /// A folder of it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program of it.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("venv/bin").join(name));
        command.stdin(Stdio::null());
        command
    }

    /// Node.js with a script of the checkout, in the folder with the packages.
    pub(super) fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(at(script)).current_dir(&self.folder);
        command
    }

    /// Does something once in the life of the environment, however many tests want it and however often one dies at it.
    pub(crate) fn once(&self, what: &str, make: impl FnOnce()) {
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
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", said(&output.stdout), said(&output.stderr));
}

/// Runs something to its end with this on its stdin. It is killed if the end does not come in time.
pub(super) fn finished(command: &mut Command, input: &str, limit: Duration) -> Output {
    // Files, which no side has to wait for.
    let [mut stdin, mut stdout, mut stderr] = [(); 3].map(|()| tempfile::tempfile().unwrap());
    stdin.write_all(input.as_bytes()).unwrap();
    stdin.rewind().unwrap();
    command.stdin(stdin).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let ended = within(limit, || child.try_wait().unwrap().ok_or(()));
    if ended.is_err() {
        drop(child.kill());
        drop(child.wait());
    }
    let said = |file: &mut File| {
        let mut said = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut said).unwrap();
        said
    };
    let (stdout, stderr) = (said(&mut stdout), said(&mut stderr));
    let text = || String::from_utf8_lossy(&[stdout.as_slice(), &stderr].concat()).into_owned();
    let status = ended.unwrap_or_else(|()| panic!("{command:?} has not ended within {limit:?}\n{}", text()));
    Output { status, stdout, stderr }
}

/// Says what is to be installed when it is not there.
pub(crate) fn has_node() {
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (node, npm) = (version("node"), version("npm"));
    let major = node.as_ref().and_then(|text| text.trim_start_matches('v').split('.').next()?.parse().ok());
    assert!(
        major.is_some_and(|major: u32| major >= NODE) && npm.is_some(),
        "expected Node.js {NODE} or newer with npm, found node {node:?} and npm {npm:?}: install them, for example with \
         `apt-get install nodejs npm`"
    );
}

/// A real system at work, on 127.0.0.1; it ends with the test.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts it, and waits until it answers.
    pub(crate) fn start(mut command: Command, is_ready: impl Fn() -> bool) -> Self {
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
