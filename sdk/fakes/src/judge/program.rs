//! Program: what is judged, as a process of its own.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

/// A program that has not opened its port by then never will.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(30);
/// A program that was told to stop has 3 s by the contract; it is killed after this.
const STOPPED_WITHIN: Duration = Duration::from_secs(6);
/// Lines of its log that are shown when something is wrong.
const LOG_LINES: usize = 40;
/// What a program needs from our own environment to start at all, and what may make it talk.
const INHERITED: [&str; 6] = ["PATH", "HOME", "TMPDIR", "RUST_LOG", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];
/// Linux counts the time of a process in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;

/// How to start the program.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) name: String,
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    folder: Option<PathBuf>,
}

/// Why the program could not be judged.
#[derive(Debug)]
pub enum ProgramError {
    /// It could not be started at all.
    Start(PathBuf, io::Error),
    /// It did not open its port; with the end of its log.
    NotReady(String),
    /// It did not open its port again after a kill; with the end of its log.
    NotReadyAgain(String),
}

impl std::fmt::Display for ProgramError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProgramError::Start(path, error) => write!(f, "cannot start {}: {error}", path.display()),
            ProgramError::NotReady(log) => write!(f, "the program did not open its port; its log ends with\n{log}"),
            ProgramError::NotReadyAgain(log) => {
                write!(f, "the program did not open its port again after a kill; its log ends with\n{log}")
            }
        }
    }
}

impl std::error::Error for ProgramError {}

impl Program {
    /// A program by its path; `name` is for the report.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into(), args: Vec::new(), env: Vec::new(), folder: None }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// One more variable of its environment, besides those of the contract.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The folder it is started in; ours when none is named.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// What the process used.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Resources {
    /// Processor seconds while the scenario was played and settled.
    pub cpu_s: f64,
    /// Processor seconds for 1,000 edits.
    pub cpu_s_per_1000_edits: f64,
    /// The processor share while nothing happened, in percent of one core.
    pub idle_cpu_percent: f64,
    /// The most memory it ever held.
    pub peak_rss_mb: f64,
    /// From each start to the open port.
    pub ready_ms: Vec<u64>,
    /// From SIGTERM to the end; nothing when it had to be killed.
    pub stopped_in_ms: Option<u64>,
    /// What it left in its folder.
    pub data_bytes: u64,
}

/// The process, over all its lives.
pub(crate) struct Running {
    program: Program,
    env: Vec<(String, OsString)>,
    port: u16,
    log: PathBuf,
    child: Child,
    /// Of the lives before this one.
    spent_cpu_s: f64,
    peak_rss_kb: u64,
    pub(crate) ready_ms: Vec<u64>,
    /// A life that ended without being asked to.
    pub(crate) died: Option<String>,
}

impl Running {
    pub(crate) async fn start(
        program: &Program,
        env: Vec<(String, OsString)>,
        port: u16,
        log: PathBuf,
    ) -> Result<Self, ProgramError> {
        let child = spawn(program, &env, &log)?;
        let mut running = Self {
            program: program.clone(),
            env,
            port,
            log,
            child,
            spent_cpu_s: 0.0,
            peak_rss_kb: 0,
            ready_ms: Vec::new(),
            died: None,
        };
        running.until_ready(Instant::now()).await?;
        Ok(running)
    }

    /// SIGKILL, and once more from the start with the same data.
    pub(crate) async fn kill_and_restart(&mut self, after: Duration) -> Result<(), ProgramError> {
        self.kill();
        sleep(after).await;
        self.child = spawn(&self.program, &self.env, &self.log)?;
        self.until_ready(Instant::now()).await
    }

    /// Processor time of all lives.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.spent_cpu_s + cpu_s_of(self.child.id())
    }

    pub(crate) fn peak_rss_mb(&mut self) -> f64 {
        self.peak_rss_kb = self.peak_rss_kb.max(peak_rss_kb_of(self.child.id()));
        self.peak_rss_kb as f64 / 1024.0
    }

    /// SIGTERM, and the time until it is gone.
    pub(crate) async fn stop(&mut self) -> Option<u64> {
        self.note_death();
        if self.died.is_some() {
            return None;
        }
        let told = Instant::now();
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        if !sent.is_ok_and(|status| status.success()) {
            return None;
        }
        while told.elapsed() < STOPPED_WITHIN {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return Some(millis(told.elapsed()));
            }
            sleep(Duration::from_millis(5)).await;
        }
        None
    }

    pub(crate) fn log_end(&self) -> String {
        log_end(&self.log)
    }

    /// Notes a life that has ended on its own.
    pub(crate) fn note_death(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait()
            && self.died.is_none()
        {
            self.died = Some(status.to_string());
        }
    }

    fn kill(&mut self) {
        self.note_death();
        self.spent_cpu_s += cpu_s_of(self.child.id());
        self.peak_rss_kb = self.peak_rss_kb.max(peak_rss_kb_of(self.child.id()));
        // It may have ended by itself, which is noted.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    async fn until_ready(&mut self, began: Instant) -> Result<(), ProgramError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        loop {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                self.ready_ms.push(millis(began.elapsed()));
                return Ok(());
            }
            self.note_death();
            if self.died.is_some() || began.elapsed() > READY_WITHIN {
                let error = if self.ready_ms.is_empty() { ProgramError::NotReady } else { ProgramError::NotReadyAgain };
                return Err(error(self.log_end()));
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn spawn(program: &Program, env: &[(String, OsString)], log: &Path) -> Result<Child, ProgramError> {
    let spawned = || -> io::Result<Child> {
        let log: File = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(&program.path);
        command.args(&program.args).env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(env.iter().cloned()).envs(program.env.iter().cloned());
        if let Some(folder) = &program.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
    };
    spawned().map_err(|error| ProgramError::Start(program.path.clone(), error))
}

/// User and system time, from the 14th and 15th column; the name in the second may hold blanks.
fn cpu_s_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}

fn peak_rss_kb_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

pub(crate) fn log_end(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
