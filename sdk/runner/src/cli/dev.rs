//! `dev`: everything in one process, to try it: a fake CRM, a fake ERP, the runner, and a picture that lives.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::output::counted;
use super::run::ended;
use super::{Context, Exit, ids, project, typed};
use crate::application::Environment;
use crate::composition::{DemoSystems, Stores};
use crate::system::{RunningSystem, Settings};

/// How often the picture is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(500);

/// Pairs looked at to find the last of them.
const PAIRS: usize = 200;

#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// The port on 127.0.0.1 that takes webhooks.
    #[arg(long, env = "PORT", default_value_t = 18090)]
    port: u16,
    /// The same as --data-dir: keep the database in this folder. Without either a folder is made and removed again.
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    /// What the fake systems throw their dice with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn dev(context: &Context, args: DevArgs) -> Result<u8, Exit> {
    let ended = ended()?;
    // Before anything is started.
    project::load_sound(context)?;
    let kept = kept(context, args.db)?;
    let temporary = kept.is_none();
    let folder = kept.unwrap_or_else(|| std::env::temp_dir().join(format!("pairline-dev-{}", std::process::id())));
    let mut variables = BTreeMap::new();
    let webhook_base = format!("http://127.0.0.1:{}/webhooks", args.port);
    let demo = context.composition.demo.start(&webhook_base, args.seed, &mut variables).await;
    let demo = demo.map_err(|error| Exit::new(69, format!("cannot start the fake systems: {error}")))?;
    let ended = sync(context, args.port, &folder, variables, &*demo, ended).await;
    demo.stop().await;
    if temporary {
        std::fs::remove_dir_all(&folder).ok();
    }
    ended
}

/// The folder that was asked for, if any. DATA_DIR does not count: it names the database of `run`, and what the fake
/// systems do must not get into it because a variable happens to be set.
fn kept(context: &Context, db: Option<PathBuf>) -> Result<Option<PathBuf>, Exit> {
    let typed = context.global.data_dir_is_typed.then(|| context.global.data_dir.clone());
    match (typed, db) {
        (Some(data_dir), Some(db)) if data_dir != db => {
            let (data_dir, db) = (data_dir.display(), db.display());
            Err(Exit::new(64, format!("expected one folder, found `--data-dir {data_dir}` and `--db {db}`")))
        }
        (typed, db) => Ok(typed.or(db)),
    }
}

/// The fake systems start without a record, and give their first ones the ids they gave the last time. To a database
/// that knows those ids the new records would be the old ones.
async fn knows_nobody(stores: &Stores, folder: &Path) -> Result<(), Exit> {
    let counts = stores.pairs.counts().await.map_err(Exit::store)?;
    if counts.pairs_active + counts.pairs_inactive + counts.reservations_open == 0 {
        return Ok(());
    }
    let folder = folder.display();
    Err(Exit::new(
        64,
        format!(
            "the database in {folder} knows records, and the fake systems start without any: choose another folder, or remove this one if it is of an earlier `dev`"
        ),
    ))
}

/// Runs until a signal comes, or cannot start.
async fn sync(
    context: &Context,
    port: u16,
    folder: &Path,
    variables: BTreeMap<String, String>,
    demo: &dyn DemoSystems,
    ended: impl Future<Output = u8>,
) -> Result<u8, Exit> {
    let project = project::load_sound(context)?;
    let stores = context.open(folder).await?;
    if let Err(exit) = knows_nobody(&stores, folder).await {
        stores.handle.close().await;
        return Err(exit);
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    let settings = Settings { listen, ..Settings::default() };
    let environment = Environment::of_map(variables);
    let registry = &project.registry;
    let ground = context.ground(stores.clone());
    let system = match RunningSystem::start(&project, registry, &environment, &settings, ground).await {
        Ok(system) => system,
        Err(error) => {
            stores.handle.close().await;
            return Err(project::not_started(context, &error));
        }
    };
    let scene = Scene { demo, stores: &stores, system: &system, folder };
    let code = scene.live(context.output.is_json(), ended).await;
    system.stop().await;
    Ok(code)
}

/// What the picture is drawn of.
struct Scene<'a> {
    demo: &'a dyn DemoSystems,
    stores: &'a Stores,
    system: &'a RunningSystem,
    folder: &'a Path,
}

impl Scene<'_> {
    /// Draws until a signal comes: in place on a terminal, again after a change elsewhere, a line of JSON if wished.
    async fn live(&self, as_json: bool, ended: impl Future<Output = u8>) -> u8 {
        let in_place = !as_json && std::io::stdout().is_terminal();
        let mut out = std::io::stdout();
        let intro = if as_json { format!("{}\n", self.intro_json()) } else { self.intro() };
        out.write_all(intro.as_bytes()).ok();
        let (mut drawn, mut height) = (String::new(), 0);
        tokio::pin!(ended);
        loop {
            let picture = self.picture(as_json).await;
            if picture != drawn {
                // Up to where the last picture began, and clear from there.
                let back = if in_place && height > 0 { format!("\x1b[{height}A\x1b[J") } else { String::new() };
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

    /// Commands to try, ours among them.
    fn examples(&self) -> Vec<String> {
        let mut examples = self.demo.examples();
        let folder = typed::word(&self.folder.to_string_lossy());
        examples.push(format!("{} --data-dir {folder} explain crm:101", typed::program()));
        examples
    }

    fn intro(&self) -> String {
        format!(
            "pairline dev: a fake CRM, a fake ERP, and the sync between them on {}\n\ntry, in another terminal, one after the other:\n{}\n",
            self.system.address,
            self.examples().iter().map(|line| format!("  {line}\n")).collect::<String>()
        )
    }

    fn intro_json(&self) -> Value {
        json!({ "address": self.system.address.to_string(), "data_dir": self.folder, "try": self.examples() })
    }

    async fn picture(&self, as_json: bool) -> String {
        let systems = self.demo.lines();
        let counts = self.stores.pairs.counts().await.unwrap_or_default();
        let health = self.stores.engine.health().await.unwrap_or_default();
        let pairs = self.stores.pairs.pairs(None, PAIRS).await.unwrap_or_default();
        let last = pairs.iter().rev().take(8);
        if as_json {
            let pairs: Vec<Value> = last.map(ids::pair_json).collect();
            let picture = json!({
                "systems": systems, "pairs": counts.pairs_active, "waiting": health.waiting,
                "unknown": counts.operations_unknown, "trash": health.trash, "cases": counts.cases_open, "last": pairs,
            });
            return format!("{picture}\n");
        }
        let mut lines = systems;
        lines.push(format!(
            "sync  {}, {} waiting, {} unknown, {} in the trash, {}",
            counted(counts.pairs_active, "pair", "pairs"),
            health.waiting,
            counts.operations_unknown,
            health.trash,
            counted(counts.cases_open, "case", "cases")
        ));
        lines.extend(last.map(|pair| format!("      {}  ⇄  {}", pair.sides[0].record, pair.sides[1].record)));
        lines.join("\n") + "\n"
    }
}
