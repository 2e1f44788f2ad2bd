//! `status`, `pause` and `resume`: how the sync is doing, and stopping it without losing anything.

use pairline_sdk::{Control, Creates, System};
use serde_json::json;

use super::output::instant;
use super::{Context, Exit, project};

/// Cases shown, at most.
const CASES: usize = 20;

pub(super) async fn status(context: &Context) -> Result<u8, Exit> {
    let stores = context.attach().await?;
    let counts = stores.pairs.counts().await.map_err(Exit::store)?;
    let health = stores.engine.health().await.map_err(Exit::store)?;
    let creates = stores.pairs.creates().await.map_err(Exit::store)?;
    let cases = stores.pairs.cases(CASES).await.map_err(Exit::store)?;
    let needs_a_person = counts.cases_open > 0 || health.trash > 0 || matches!(creates, Creates::Held(_));
    let result = json!({
        "pairs": { "active": counts.pairs_active, "inactive": counts.pairs_inactive, "inverse_pending": counts.inverse_pending },
        "reservations_open": counts.reservations_open,
        "reservation_oldest": counts.reservation_oldest.map(instant),
        "operations_unknown": counts.operations_unknown,
        "waiting": health.waiting,
        "waiting_oldest": health.oldest.map(instant),
        "trash": health.trash,
        "paused": health.paused.iter().map(|(system, reason)| json!({ "application": system, "reason": reason })).collect::<Vec<_>>(),
        "creates": match &creates { Creates::Undecided => json!("undecided"), Creates::Allowed => json!("allowed"), Creates::Held(reason) => json!({ "held": reason }) },
        "cases": cases,
    });
    context.output.print(&result, || {
        let since = |at: Option<pairline_sdk::Timestamp>| {
            at.map(|at| format!(", oldest since {}", instant(at))).unwrap_or_default()
        };
        let mut text = format!(
            "pairs      {} active, {} inactive, {} with an inverse id still to be written\n",
            counts.pairs_active, counts.pairs_inactive, counts.inverse_pending
        );
        text += &format!("waiting    {} to be looked at{}\n", health.waiting, since(health.oldest));
        text += &format!("creating   {} under way{}\n", counts.reservations_open, since(counts.reservation_oldest));
        text += &format!("unknown    {} with an outcome that is not known yet\n", counts.operations_unknown);
        text += &format!("trash      {} that could not be delivered\n", health.trash);
        text += &match &creates {
            Creates::Allowed => "creates    allowed\n".to_owned(),
            Creates::Undecided => {
                "creates    not decided: the first start has not looked at both systems yet\n".to_owned()
            }
            Creates::Held(reason) => format!("creates    held back: {reason}\n"),
        };
        for (system, reason) in &health.paused {
            text += &format!("paused     {system}: {reason}\n");
        }
        text += &cases.iter().map(super::cases::line).collect::<String>();
        if !cases.is_empty() {
            text += "next: pairline cases list\n";
        }
        if health.trash > 0 {
            text += "next: pairline trash list\n";
        }
        if !health.paused.is_empty() {
            text += "next: pairline resume\n";
        }
        if matches!(creates, Creates::Held(_)) {
            text += "next: pairline creates allow --yes, once the records are linked or may be created\n";
        }
        text
    });
    Ok(u8::from(needs_a_person))
}

pub(super) async fn pause(context: &Context, application: Option<String>, reason: Option<String>) -> Result<u8, Exit> {
    let known: Vec<System> = project::load(context)?.applications.iter().map(|(name, _)| System::new(name)).collect();
    let systems = match application {
        None => known,
        Some(name) if known.contains(&System::new(&name)) => vec![System::new(&name)],
        Some(name) => {
            let names: Vec<&str> = known.iter().map(System::as_str).collect();
            return Err(Exit::new(64, format!("no application `{name}`; known applications: {}", names.join(", "))));
        }
    };
    let stores = context.attach().await?;
    let names: Vec<&str> = systems.iter().map(System::as_str).collect();
    let names = names.join(", ");
    let paused = reason.is_some();
    let control = match reason {
        Some(reason) => Control::Pause { systems: systems.clone(), reason },
        None => Control::Resume { systems: systems.clone() },
    };
    stores.engine.control(control).await.map_err(Exit::store)?;
    context.output.print(&json!({ if paused { "paused" } else { "resumed" }: systems }), || {
        if paused {
            format!(
                "paused: what starts from {names} waits; events are still taken\n\
                 a running program notices within half a second, and ends the calls that are under way\n\
                 next: pairline resume\n"
            )
        } else {
            format!("{names}: resumed; what has waited is read afresh, in its order\nnext: pairline status\n")
        }
    });
    Ok(0)
}
