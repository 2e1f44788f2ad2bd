//! Two real systems in step with each other: Directus and Tryton, both on PostgreSQL. It takes long to install and much to
//! run, so it is a command of its own, `sh tests/systems/directus/run`, and no part of the suite.
#![expect(clippy::unwrap_used, reason = "all of this is a test, helpers included")]

#[path = "../../bad_input"]
#[expect(dead_code, reason = "the suite uses the rest of it")]
mod bad_input {
    pub(crate) mod http;
    pub(crate) mod runner;
    pub(crate) mod stage;
    pub(crate) mod wait;
}

/// As in the suite.
mod tidy {
    use std::path::{Path, PathBuf};

    pub(crate) fn at(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    pub(crate) fn read(path: &str) -> String {
        std::fs::read_to_string(at(path)).unwrap()
    }
}

#[path = ".."]
#[expect(dead_code, reason = "the suite uses the rest of it")]
mod systems {
    pub(crate) mod installed;
    pub(crate) mod project;
    pub(crate) mod report;
    pub(crate) mod tryton {
        pub(crate) mod server;
    }
}

mod postgres;
mod server;
mod sync;
