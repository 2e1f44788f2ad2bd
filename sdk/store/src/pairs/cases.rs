//! Cases: opened by whoever finds something only a person can decide, closed by a person.

use async_trait::async_trait;
use pairline_sdk::{Case, CaseId};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Open(pub(super) Case);

#[async_trait]
impl Command for Open {
    type Answer = CaseId;

    async fn run(&self, work: &mut Work<'_>) -> Result<CaseId, Failure> {
        work.open_case(&self.0).await
    }
}

pub(super) struct Close(pub(super) CaseId);

#[async_trait]
impl Command for Close {
    type Answer = bool;

    async fn run(&self, work: &mut Work<'_>) -> Result<bool, Failure> {
        let done = sqlx::query("UPDATE cases SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL")
            .bind(self.0.0)
            .bind(work.now.as_millis())
            .execute(work.connection().await?)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}
