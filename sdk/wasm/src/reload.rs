//! Takes up a component whose file has changed, between two messages.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use pairline_sdk::{NodeDescription, Usage};

use crate::component::{Loaded, Stamp};
use crate::counts::Counts;
use crate::host::Host;
use crate::instances::Program;
use crate::node::link;
use crate::ports::Granted;

/// How often a file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The program of a node, as the newest usable file has it.
pub(crate) struct Current {
    program: RwLock<Arc<Program>>,
    file: PathBuf,
    usage: Usage,
    description: NodeDescription,
    seen: Mutex<(Instant, Stamp)>,
    at_it: AtomicBool,
    host: Weak<Host>,
    counts: Arc<Counts>,
}

/// Somebody takes up a change.
struct AtIt(Arc<Current>);

impl Drop for AtIt {
    fn drop(&mut self) {
        self.0.at_it.store(false, Ordering::Release);
    }
}

impl Current {
    pub(crate) fn new(
        host: &Arc<Host>,
        file: PathBuf,
        loaded: &Loaded,
        usage: Usage,
        program: Program,
        counts: Arc<Counts>,
    ) -> Arc<Self> {
        Arc::new(Self {
            program: RwLock::new(Arc::new(program)),
            file,
            usage,
            description: loaded.description.clone(),
            seen: Mutex::new((Instant::now(), loaded.modified)),
            at_it: AtomicBool::new(false),
            host: Arc::downgrade(host),
            counts,
        })
    }

    /// The program to run the next message with. If the file has changed, that is taken up meanwhile by a thread of its own.
    pub(crate) fn program(self: &Arc<Self>) -> Arc<Program> {
        // A change that comes while another is taken up is seen once that is done.
        if !self.at_it.load(Ordering::Acquire) && self.has_changed() && !self.at_it.swap(true, Ordering::AcqRel) {
            // However it ends, a thread that does not begin included, the next change is looked at again.
            let done = AtIt(Arc::clone(self));
            let work = move || done.0.take_up();
            drop(std::thread::Builder::new().name("component-reload".to_owned()).spawn(work));
        }
        Arc::clone(&self.program.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn has_changed(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0.elapsed() < LOOK_EVERY {
            return false;
        }
        seen.0 = Instant::now();
        let now = Stamp::of(&self.file);
        // A file that is gone is being replaced; until then what is loaded goes on.
        let changed = now != seen.1 && now.0.is_some();
        if changed {
            seen.1 = now;
        }
        changed
    }

    fn take_up(&self) {
        let Some(host) = self.host.upgrade() else { return };
        match self.changed(&host) {
            Ok(program) => {
                *self.program.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(program);
                self.counts.reloads.fetch_add(1, Ordering::Relaxed);
                tracing::info!(component = %self.file.display(), "a changed component is taken up");
            }
            Err(reason) => {
                self.counts.reloads_refused.fetch_add(1, Ordering::Relaxed);
                tracing::error!(component = %self.file.display(), %reason, "a changed component is not taken up");
            }
        }
    }

    fn changed(&self, host: &Arc<Host>) -> Result<Program, String> {
        let loaded = Loaded::read(host, &self.file)?;
        // The topologies were checked with what it said before.
        let same = loaded.description.routes == self.description.routes
            && loaded.description.settings == self.description.settings
            && loaded.description.effects == self.description.effects
            && loaded.description.at_the_door == self.description.at_the_door;
        if !same {
            return Err(
                "it describes other routes, settings or effects: a restart checks the topologies anew".to_owned()
            );
        }
        if let Some(misfit) = loaded.misfits(&self.usage.with).first() {
            return Err(format!("its schema does not fit the settings any more: {}", misfit.message));
        }
        let before = Arc::clone(&self.program.read().unwrap_or_else(PoisonError::into_inner));
        let granted: Arc<Granted> = Arc::clone(before.granted());
        link(host, &loaded, &self.usage, granted)
    }
}
