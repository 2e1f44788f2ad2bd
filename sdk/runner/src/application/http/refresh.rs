//! The refresh token in use: the newest that the token server has given, here and where it is kept.

use std::sync::Arc;

use secrecy::SecretString;
use tracing::error;

use super::sign_in::Failure;
use crate::application::description::Refresh;
use crate::application::kept_token::{Hold, KeptToken};

/// What this process knows of it.
#[derive(Default)]
pub(super) struct Newest {
    /// The last one that was given or read.
    token: Option<SecretString>,
    /// Held for as long as the last one could not be kept: whoever read the file would spend the one before it.
    unkept: Option<Hold>,
    /// Whether the last one was read.
    is_kept: bool,
}

/// A token that is about to be spent.
pub(super) struct Spent {
    pub(super) token: SecretString,
    hold: Option<Hold>,
}

impl Newest {
    /// Whether the token that was spent last is the one that is kept, and not that of the environment.
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The token to spend. Nobody else spends one until this is dropped.
    pub(super) async fn spend(&mut self, refresh: &Refresh) -> Result<Spent, Failure> {
        let Some(kept) = &refresh.kept else {
            let token = self.token.clone().unwrap_or_else(|| refresh.given.clone());
            return Ok(Spent { token, hold: None });
        };
        if let (Some(hold), Some(token)) = (self.unkept.clone(), self.token.clone()) {
            self.keep(kept, hold, token).await?;
        }
        let found = Arc::clone(kept);
        let (hold, found) = apart(move || Ok((found.hold()?, found.read()?))).await?;
        let hold = hold.ok_or_else(|| Failure::NoAnswer("another program is signing in there just now".to_owned()))?;
        self.is_kept = found.is_some();
        // The file may be gone, or be another's who was given another token: what this process was given is newer still.
        self.token = found.or_else(|| self.token.take());
        let token = self.token.clone().unwrap_or_else(|| refresh.given.clone());
        Ok(Spent { token, hold: Some(hold) })
    }

    /// Takes another token in the place of the one that was spent. It is kept when this returns.
    pub(super) async fn replace(&mut self, refresh: &Refresh, spent: Spent, by: SecretString) -> Result<(), Failure> {
        self.token = Some(by.clone());
        match (&refresh.kept, spent.hold) {
            (Some(kept), Some(hold)) => self.keep(kept, hold, by).await,
            _ => Ok(()),
        }
    }

    async fn keep(&mut self, kept: &Arc<KeptToken>, hold: Hold, token: SecretString) -> Result<(), Failure> {
        self.unkept = Some(hold.clone());
        let file = Arc::clone(kept);
        if let Err(failure) = apart(move || file.keep(&hold, &token)).await {
            let file = kept.file().display();
            error!(%file, "a new refresh token cannot be kept: if the program ends now, a person has to enter another one");
            return Err(failure);
        }
        self.unkept = None;
        Ok(())
    }
}

/// Does what waits for a disk where no call waits for it.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Failure::broken_off())?.map_err(Failure::NoAnswer)
}
