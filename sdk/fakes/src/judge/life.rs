//! Life: the program from one start to one end, whoever ends it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::judge::program::{Program, ProgramError, READY_WITHIN, log_end, millis, spawn};

/// The number of the signal that nobody can catch.
const SIGKILL: i32 = 9;
/// Between two looks whether it is ready or has ended.
const LOOKS_EVERY: Duration = Duration::from_millis(1);
const READYZ: &str = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// How it ended.
pub(crate) enum End {
    /// It killed itself.
    Killed,
    /// It was killed from outside, because it lived for too long.
    ByChance,
    /// It ended in another way.
    Died(ExitStatus),
}

pub(crate) struct Life {
    child: Child,
    began: Instant,
    address: SocketAddr,
    pub(crate) ready_ms: Option<u64>,
}

impl Life {
    pub(crate) fn begin(
        program: &Program,
        env: &[(String, OsString)],
        port: u16,
        log: &Path,
    ) -> Result<Self, ProgramError> {
        let began = Instant::now();
        let child = spawn(program, env, log)?;
        Ok(Self { child, began, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ready_ms: None })
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn until_ready(&mut self, log: &Path) -> Result<u64, ProgramError> {
        loop {
            if self.is_ready().await {
                return Ok(self.ready_ms.unwrap_or_default());
            }
            if self.began.elapsed() > READY_WITHIN || self.ended().is_some() {
                return Err(ProgramError::NotReadyAgain(log_end(log)));
            }
            sleep(LOOKS_EVERY).await;
        }
    }

    /// Lets it live until it ends itself, at most for so long after it was ready.
    pub(crate) async fn until_killed(&mut self, at_most: Duration, log: &Path) -> Result<End, ProgramError> {
        let mut until = None;
        loop {
            if let Some(status) = self.ended() {
                return Ok(if status.signal() == Some(SIGKILL) { End::Killed } else { End::Died(status) });
            }
            match until {
                Some(until) if Instant::now() >= until => {
                    self.kill();
                    return Ok(End::ByChance);
                }
                None if self.is_ready().await => until = Some(Instant::now() + at_most),
                None if self.began.elapsed() > READY_WITHIN => {
                    return Err(ProgramError::NotReadyAgain(log_end(log)));
                }
                _ => sleep(LOOKS_EVERY).await,
            }
        }
    }

    /// SIGKILL, at whatever it is.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself a moment ago.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    async fn is_ready(&mut self) -> bool {
        if readyz(self.address).await.is_none() {
            return false;
        }
        self.ready_ms = Some(millis(self.began.elapsed()));
        true
    }
}

/// Asks as a supervisor would. Nothing is no: the port is closed, or it is not ready.
async fn readyz(address: SocketAddr) -> Option<()> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(READYZ.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    answer.starts_with(b"HTTP/1.1 200").then_some(())
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}
