//! The texts a project is made of: the shipped ones, or those of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::finding::SourceText;

/// A folder of a project holds at most this many files.
const MOST_FILES: usize = 500;

/// The named texts a project is made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What to call the whole: a folder, or `built-in`.
    pub origin: String,
    /// The folder that `./plugins/score.wasm` is looked for in; none for texts that lie in no folder.
    pub folder: Option<PathBuf>,
    /// `*.yaml` on top: topologies.
    pub topologies: Vec<SourceText>,
    /// `*.test.yaml` beside them: their tests.
    pub tests: Vec<SourceText>,
    /// `contracts/*.yaml`: sync contracts.
    pub contracts: Vec<SourceText>,
    /// `applications/*.yaml`: application descriptions.
    pub applications: Vec<SourceText>,
    /// `fixtures/*.json`: messages the tests name, by that name.
    pub fixtures: BTreeMap<String, String>,
}

/// A folder cannot be taken for a project.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// It is not there.
    #[error("no folder `{}`: expected one with topologies (*.yaml), contracts/ and applications/", .0.display())]
    Missing(PathBuf),
    /// It is there and there is nothing of a project in it.
    #[error("no topology in `{}`: expected *.yaml files there, or in its folder topologies/", .0.display())]
    Empty(PathBuf),
    /// It holds too much to be one.
    #[error("`{}` holds more than {MOST_FILES} files: expected a folder with topologies", .0.display())]
    TooMany(PathBuf),
    /// Something in it cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl SourcesError {
    /// What a command ends with: a configuration error.
    pub fn exit_code(&self) -> u8 {
        78
    }
}

macro_rules! built_in {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../../../topologies/", $path)))),*]
    };
}

/// The shipped project. A test compares the list with the folder.
const BUILT_IN: &[(&str, &str)] = &built_in![
    "applications/crm.yaml",
    "applications/erp.yaml",
    "contracts/contact.yaml",
    "crm-to-erp.test.yaml",
    "crm-to-erp.yaml",
    "erp-to-crm.test.yaml",
    "erp-to-crm.yaml",
    "fixtures/contact-101-created.json",
    "fixtures/contact-101-edited-by-another-tool.json",
    "fixtures/customer-1-saved-by-finance.json",
];

/// Systems that are described without being part of the shipped project.
static LIBRARY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../topologies/library");

/// The descriptions that are shipped beside the project, by the names of their systems.
pub fn library() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIBRARY.files().filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
}

impl Sources {
    /// The shipped project.
    pub fn built_in() -> Self {
        let mut sources = Self { origin: "built-in".to_owned(), ..Self::default() };
        for (path, text) in BUILT_IN {
            sources.add(path, &format!("topologies/{path}"), text);
        }
        sources
    }

    /// A project from a folder: the folder itself, or its folder `topologies`.
    ///
    /// # Errors
    ///
    /// [`SourcesError`] when it is not there, cannot be read, or holds nothing of a project.
    pub fn read(folder: &Path) -> Result<Self, SourcesError> {
        if !folder.is_dir() {
            return Err(SourcesError::Missing(folder.to_owned()));
        }
        let inner = folder.join("topologies");
        let base = if inner.is_dir() { inner } else { folder.to_owned() };
        let mut sources = Self { origin: folder.display().to_string(), folder: Some(base.clone()), ..Self::default() };
        let mut count = 0;
        for part in ["", "contracts", "applications", "fixtures"] {
            for path in files(&base.join(part))? {
                count += 1;
                if count > MOST_FILES {
                    return Err(SourcesError::TooMany(base));
                }
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let inside = if part.is_empty() { name } else { format!("{part}/{name}") };
                if !Self::takes(&inside) {
                    continue;
                }
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| SourcesError::Unreadable { path: path.clone(), source })?;
                sources.add(&inside, &path.display().to_string(), &text);
            }
        }
        // A folder that somebody has begun with holds a description and no topology yet.
        let nothing = sources.topologies.is_empty() && sources.applications.is_empty() && sources.contracts.is_empty();
        if nothing { Err(SourcesError::Empty(base)) } else { Ok(sources) }
    }

    fn takes(inside: &str) -> bool {
        let yaml = inside.ends_with(".yaml") || inside.ends_with(".yml");
        yaml || inside.starts_with("fixtures/")
    }

    /// Adds a text by its path inside the project.
    pub fn add(&mut self, inside: &str, name: &str, text: &str) {
        let source = SourceText::new(name, text);
        match inside.split_once('/') {
            Some(("contracts", _)) => self.contracts.push(source),
            Some(("applications", _)) => self.applications.push(source),
            Some(("fixtures", _)) => drop(self.fixtures.insert(inside.to_owned(), text.to_owned())),
            Some(_) => {}
            None if inside.ends_with(".test.yaml") || inside.ends_with(".test.yml") => self.tests.push(source),
            None => self.topologies.push(source),
        }
    }
}

/// The files of a folder by name; none if there is no such folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SourcesError> {
    let unreadable = |source| SourcesError::Unreadable { path: folder.to_owned(), source };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../topologies")
    }

    #[test]
    fn the_built_in_project_is_the_shipped_folder() {
        let built_in = Sources::built_in();
        let folder = Sources::read(&shipped()).unwrap();
        let texts = |sources: &Sources| {
            let all = [&sources.topologies, &sources.tests, &sources.contracts, &sources.applications];
            all.map(|texts| texts.iter().map(|source| source.text.clone()).collect::<Vec<_>>())
        };

        assert_eq!(texts(&built_in), texts(&folder));
        assert_eq!(built_in.fixtures, folder.fixtures);
    }

    #[test]
    fn the_library_is_the_shipped_folder() {
        let mut texts: Vec<_> = files(&shipped().join("library")).unwrap();
        texts.sort();
        let texts: Vec<_> = texts.iter().map(|file| fs::read_to_string(file).unwrap()).collect();

        let library: Vec<_> = library().map(|(_, text)| text).collect();

        assert_eq!(library, texts);
        assert!(library.len() > 5, "{}", library.len());
    }

    #[test]
    fn a_folder_that_is_not_there_or_empty_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();

        let missing = Sources::read(&folder.path().join("nowhere")).unwrap_err();
        let empty = Sources::read(folder.path()).unwrap_err();

        assert!(missing.to_string().contains("no folder"), "{missing}");
        assert!(empty.to_string().contains("no topology in"), "{empty}");
        assert_eq!(missing.exit_code(), 78);
    }

    #[test]
    fn a_file_that_is_not_text_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), [0xff, 0xfe, 0x00]).unwrap();

        let error = Sources::read(folder.path()).unwrap_err();

        assert!(error.to_string().contains("a.yaml"), "{error}");
    }

    #[test]
    fn tests_and_topologies_are_told_apart_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("topologies");
        fs::create_dir_all(inside.join("fixtures")).unwrap();
        for name in ["a.yaml", "a.test.yaml", "README.md", "fixtures/one.json"] {
            fs::write(inside.join(name), "topology: a").unwrap();
        }

        let sources = Sources::read(folder.path()).unwrap();

        assert_eq!((sources.topologies.len(), sources.tests.len(), sources.fixtures.len()), (1, 1, 1));
    }
}
