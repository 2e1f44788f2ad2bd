//! Where the tokens are that took the place of those in the environment: beside the database, whose owner goes on with them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Context, Exit};
use crate::application::{Description, Environment};
use crate::doctor::program_runs;

/// The name of their folder.
const FOLDER: &str = "credentials";

/// The variables of this process, and the folder of the tokens.
pub(super) fn environment(context: &Context) -> Environment {
    Environment::of_process().keeping_tokens_in(folder(&context.global.data_dir))
}

fn folder(data_dir: &Path) -> PathBuf {
    // It may be the database itself that was named.
    let is_database = data_dir.is_file() || data_dir.extension().is_some_and(|extension| extension == "db");
    let folder = if is_database { data_dir.parent().unwrap_or(Path::new("")) } else { data_dir };
    folder.join(FOLDER)
}

/// Whether a command may sign in by these descriptions. Beside the program it goes by the token that the program keeps, and
/// keeps the next one for it; without that it would spend one that a running program lives on.
///
/// # Errors
///
/// The exit of a command that must not.
pub(super) async fn may_be_spent<'d>(
    context: &Context,
    descriptions: impl IntoIterator<Item = &'d Description>,
    listen: SocketAddr,
) -> Result<(), Exit> {
    let Some(description) = descriptions.into_iter().find(|description| description.keeps_a_token()) else {
        return Ok(());
    };
    let is_here = context.composition.databases.is_owned(&context.global.data_dir);
    if is_here || !program_runs(listen).await.map_err(|reason| Exit::new(69, reason))? {
        return Ok(());
    }
    let (system, data_dir) = (description.system(), context.global.data_dir.display());
    let message = format!(
        "nothing was asked: the program is running on {listen} with another folder than {data_dir}, and whoever signs in \
         at `{system}` without what is kept there may shut it out; name its folder with --data-dir or DATA_DIR"
    );
    Err(Exit::new(75, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_beside_the_database() {
        let kept = |data_dir: &str| folder(Path::new(data_dir)).display().to_string();

        assert_eq!(kept("/var/data"), "/var/data/credentials");
        assert_eq!(kept(".pairline"), ".pairline/credentials");
        assert_eq!(kept("/var/data/pairline.db"), "/var/data/credentials");
        assert_eq!(kept("other.db"), "credentials");
    }
}
