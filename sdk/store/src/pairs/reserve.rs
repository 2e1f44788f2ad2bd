//! A create is reserved and its intent committed together, before anything leaves the machine.

use async_trait::async_trait;
use pairline_sdk::{Create, Creates, Intent, Look, Reserve};

use crate::failure::Failure;
use crate::row;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct ReserveCreate(pub(super) Create);

#[async_trait]
impl Command for ReserveCreate {
    type Answer = Reserve;

    async fn run(&self, work: &mut Work<'_>) -> Result<Reserve, Failure> {
        let Self(create) = self;
        let standing = work.standing(&create.source, &create.target).await?;
        // What is left there by a refused create; only its number matters.
        let before = standing.reservation.as_ref().map_or(0, |reservation| reservation.incarnation);
        match standing.look() {
            Look::Missing => {}
            taken => return Ok(Reserve::Taken(taken)),
        }
        let value = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'creates'")
            .fetch_optional(&mut *work.connection)
            .await?;
        match creates_of(value)? {
            Creates::Allowed => {}
            Creates::Undecided => return Ok(Reserve::Held("the first start has not looked at both sides yet".into())),
            Creates::Held(reason) => return Ok(Reserve::Held(reason)),
        }
        let incarnation = before + 1;
        let operation = create.operation(work.next_operation(), incarnation, work.now, work.start);
        work.insert_operation(&operation).await?;
        sqlx::query(
            "INSERT INTO reservation VALUES ($1, $2, $3, $4, $5, 0) \
             ON CONFLICT DO UPDATE SET incarnation = excluded.incarnation, operation = excluded.operation",
        )
        .bind(create.source.system.as_str())
        .bind(create.source.id.as_str())
        .bind(create.target.as_str())
        .bind(i64::from(incarnation))
        .bind(operation.id.0.as_str())
        .execute(&mut *work.connection)
        .await?;
        Ok(Reserve::Won(Intent::recorded(operation)))
    }
}

/// What `meta` says about creates; nothing stands there before the first start has decided.
pub(super) fn creates_of(value: Option<String>) -> Result<Creates, Failure> {
    Ok(value.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or(Creates::Undecided))
}

pub(super) struct SetCreates(pub(super) Creates);

#[async_trait]
impl Command for SetCreates {
    type Answer = ();

    async fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        sqlx::query("INSERT INTO meta VALUES ('creates', $1) ON CONFLICT DO UPDATE SET value = excluded.value")
            .bind(row::json(&self.0)?)
            .execute(&mut *work.connection)
            .await?;
        Ok(())
    }
}
