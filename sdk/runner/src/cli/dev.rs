//! `dev`: everything in one process, to try it: a fake CRM, a fake ERP, the runner, and a picture that lives.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pairline_sdk::{Clock, Random};

use super::run::ended;
use super::{Context, Exit, project};
use crate::application::Environment;
use crate::composition::{DemoSystems, Stores};
use crate::machine::{SystemClock, SystemRandom};
use crate::system::{RunningSystem, Settings};

/// How often the picture is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// The port on 127.0.0.1 that takes webhooks.
    #[arg(long, env = "PORT", default_value_t = 18090)]
    port: u16,
    /// Keep the database in this folder; without it a folder is made and removed again.
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    /// What the fake systems throw their dice with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn dev(context: &Context, args: DevArgs) -> Result<u8, Exit> {
    let ended = ended()?;
    let project = project::load_sound(context)?;
    let temporary = args.db.is_none();
    let folder = args.db.unwrap_or_else(|| std::env::temp_dir().join(format!("pairline-dev-{}", std::process::id())));
    let mut variables = BTreeMap::new();
    let webhook_base = format!("http://127.0.0.1:{}/webhooks", args.port);
    let demo = context.composition.demo.start(&webhook_base, args.seed, &mut variables).await;
    let demo = demo.map_err(|error| Exit::new(69, format!("cannot start the fake systems: {error}")))?;
    let stores = context.composition.databases.open(&folder, Context::database_settings()).await;
    let stores = stores.map_err(|error| Exit::new(error.exit_code, error.message))?;
    let time: (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
    let listen = SocketAddr::from(([127, 0, 0, 1], args.port));
    let settings = Settings { listen, ..Settings::default() };
    let environment = Environment::of_map(variables);
    let registry = &context.composition.registry;
    let system = RunningSystem::start(&project, registry, &environment, stores.clone(), &settings, time).await;
    let system = system.map_err(|error| Exit::new(error.exit_code(), error.to_string()))?;
    let code = live(&*demo, &stores, &system, ended).await;
    system.stop().await;
    demo.stop().await;
    if temporary {
        std::fs::remove_dir_all(&folder).ok();
    }
    Ok(code)
}

/// Draws until a signal comes: in place on a terminal, a line per change elsewhere.
async fn live(demo: &dyn DemoSystems, stores: &Stores, system: &RunningSystem, ended: impl Future<Output = u8>) -> u8 {
    let terminal = std::io::stdout().is_terminal();
    let mut out = std::io::stdout();
    let intro = format!(
        "pairline dev: a fake CRM, a fake ERP, and the sync between them on {}\n\ntry, in another terminal:\n{}\n",
        system.address,
        demo.examples().iter().map(|line| format!("  {line}\n")).collect::<String>()
    );
    out.write_all(intro.as_bytes()).ok();
    let (mut drawn, mut height) = (String::new(), 0);
    tokio::pin!(ended);
    loop {
        let picture = picture(demo, stores).await;
        if picture != drawn {
            // Up to where the last picture began, and clear from there.
            let back = if terminal && height > 0 { format!("\x1b[{height}A\x1b[J") } else { String::new() };
            out.write_all(format!("{back}{picture}").as_bytes()).and_then(|()| out.flush()).ok();
            height = picture.lines().count();
            drawn = picture;
        }
        tokio::select! {
            code = &mut ended => return code,
            () = tokio::time::sleep(DRAW_EVERY) => {}
        }
    }
}

async fn picture(demo: &dyn DemoSystems, stores: &Stores) -> String {
    let mut lines = demo.lines();
    let counts = stores.pairs.counts().await.unwrap_or_default();
    let health = stores.engine.health().await.unwrap_or_default();
    lines.push(format!(
        "sync  {} pairs, {} waiting, {} unknown, {} in the trash, {} cases",
        counts.pairs_active, health.waiting, counts.operations_unknown, health.trash, counts.cases_open
    ));
    let pairs = stores.pairs.pairs(None, 200).await.unwrap_or_default();
    for pair in pairs.iter().rev().take(8) {
        lines.push(format!("      {}  ⇄  {}", pair.sides[0].record, pair.sides[1].record));
    }
    lines.join("\n") + "\n"
}
