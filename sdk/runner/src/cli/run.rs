//! `run`: the program at work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Context, Exit, project, tokens};
use crate::kill::{self, KillAt};
use crate::system::{RunningSystem, Settings};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The port on 127.0.0.1 that takes webhooks and answers probes.
    #[arg(long, env = "PORT", default_value_t = 18090)]
    port: u16,
    /// Another address to listen on. Whoever can reach it can see the metrics; webhooks are signed.
    #[arg(long, env = "PAIRLINE_LISTEN", value_name = "ADDRESS", conflicts_with = "port")]
    listen: Option<SocketAddr>,
    /// Hints at work at the same time, at most.
    #[arg(long, env = "PAIRLINE_WORKERS", value_name = "N", default_value_t = 64)]
    workers: usize,
    /// Milliseconds between two looks at what has changed in a system.
    #[arg(long, env = "PAIRLINE_POLL_MS", value_name = "MS", default_value_t = 2000)]
    poll_ms: u64,
    /// Days that event keys and finished operations are kept.
    #[arg(long, env = "PAIRLINE_KEEP_DAYS", value_name = "DAYS", default_value_t = 30)]
    keep_days: u32,
    /// Ends the program with SIGKILL when it comes to a moment for the COUNTth time. For tests.
    #[arg(long, env = kill::VARIABLE, value_name = "MOMENT:COUNT", value_parser = KillAt::parse, hide = true)]
    kill_at: Option<KillAt>,
}

impl RunArgs {
    fn settings(&self) -> Settings {
        let keep = Duration::from_secs(u64::from(self.keep_days) * 24 * 3600);
        Settings {
            listen: self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], self.port))),
            poll_every: Duration::from_millis(self.poll_ms.max(100)),
            parallel: self.workers.clamp(1, 1024),
            keep_events: keep,
            keep_operations: keep,
            kill_at: self.kill_at.clone(),
        }
    }
}

pub(super) async fn run(context: &Context, args: RunArgs) -> Result<u8, Exit> {
    // A signal that comes while everything is still starting must not be lost.
    let ended = ended()?;
    let project = project::load_sound(context)?;
    let settings = args.settings();
    let environment = tokens::environment(context);
    // A start that cannot be leaves no database behind.
    let possible = RunningSystem::can_start(&project, &environment, &settings).await;
    possible.map_err(|error| project::not_started(context, &error))?;
    let stores = context.open(&context.global.data_dir).await?;
    let registry = &project.registry;
    let handle = Arc::clone(&stores.handle);
    tokio::pin!(ended);
    let start = RunningSystem::start(&project, registry, &environment, &settings, context.ground(stores));
    let system = tokio::select! {
        started = start => match started {
            Ok(system) => system,
            Err(error) => {
                handle.close().await;
                return Err(project::not_started(context, &error));
            }
        },
        code = &mut ended => {
            handle.close().await;
            return Ok(code);
        }
    };
    let code = ended.await;
    system.stop().await;
    Ok(code)
}

/// Waits for a signal to end. SIGTERM is how a supervisor asks for a clean stop, so it ends well.
pub(super) fn ended() -> Result<impl Future<Output = u8>, Exit> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = |error: std::io::Error| Exit::new(71, format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => 0,
            _ = interrupt.recv() => 130,
        }
    })
}
