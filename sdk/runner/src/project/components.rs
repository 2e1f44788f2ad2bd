//! The components that topologies use by their files.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use pairline_sdk::Registry;

use crate::composition::Components;

/// Loads the components among what topologies use, each once, by what runs them.
pub(super) fn put<'a>(
    registry: &mut Registry,
    uses: impl Iterator<Item = &'a str>,
    folder: Option<&Path>,
    runs: Option<&dyn Components>,
) {
    let files: BTreeSet<&str> = uses.filter(|uses| is_component(uses)).collect();
    for file in files {
        let loaded = inside(folder, file).and_then(|path| match runs {
            Some(components) => components.load(&path),
            None => Err("this program was built without an engine for components".to_owned()),
        });
        match loaded {
            Ok(kind) => drop(registry.put(file, kind)),
            Err(reason) => registry.put_unusable(file, reason),
        }
    }
}

/// Whether `uses` names a file and no kind.
fn is_component(uses: &str) -> bool {
    uses.starts_with("./") || uses.ends_with(".wasm")
}

/// The path of a component, which lies in the folder of the topologies.
fn inside(folder: Option<&Path>, file: &str) -> Result<PathBuf, String> {
    let folder = folder.ok_or("the built-in project has no folder for components: give your own with --config")?;
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(file).components().all(plain) {
        return Err(format!("`{file}` leaves the folder of the topologies: expected `./plugins/<file>.wasm`"));
    }
    Ok(folder.join(file))
}
