//! The sandbox for components, as the runner wants to be handed one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pairline_runner::composition::{ComponentCounts, ComponentReport, Components};
use pairline_sdk::NodeKind;
use pairline_wasm::{Host, HostOptions};

/// Where machine code of components is kept, instead of the usual folder.
const CACHE: &str = "PAIRLINE_COMPONENT_CACHE";

/// Made when the first component is loaded: a program without one pays nothing.
#[derive(Default)]
pub(crate) struct Sandbox(OnceLock<Result<Arc<Host>, String>>);

impl Sandbox {
    fn host(&self) -> Result<&Arc<Host>, String> {
        self.0
            .get_or_init(|| Host::new(HostOptions { cache: cache(), ..HostOptions::default() }))
            .as_ref()
            .map_err(String::clone)
    }
}

/// As the XDG base directories have it; none where nobody has a home.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(CACHE).or_else(|| {
        let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        Some(caches?.join("pairline").join("components"))
    })
}

impl Components for Sandbox {
    fn load(&self, file: &Path) -> Result<Arc<dyn NodeKind>, String> {
        Ok(Arc::new(self.host()?.load(file)?))
    }

    fn inspect(&self, file: &Path) -> Result<ComponentReport, String> {
        let found = self.host()?.inspect(file)?;
        Ok(ComponentReport {
            bytes: found.bytes,
            description: found.description,
            schema: found.schema,
            imports: found.imports,
            exports: found.exports,
            needs: found.needs,
            calls: found.calls,
        })
    }

    fn wrap(&self, module: &[u8]) -> Result<Vec<u8>, String> {
        pairline_wasm::wrap(module)
    }

    fn contract(&self) -> &'static str {
        pairline_wasm::WIT
    }

    fn counts(&self) -> Vec<ComponentCounts> {
        let Some(Ok(host)) = self.0.get() else { return Vec::new() };
        let counted = host.counts().into_iter().map(|counts| ComponentCounts {
            component: counts.component,
            calls: counts.calls.into_iter().map(|(ended, calls)| (ended.name(), calls)).collect(),
            instances: counts.instances,
            reloads: [counts.reloads, counts.reloads_refused],
        });
        counted.collect()
    }
}
