//! Quiet: when nothing is written and nothing announced any more.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::judge::audit::{Audit, Tolerance};
use crate::judge::cast::Cast;
use crate::judge::evidence::Evidence;

/// The first look at what is left comes after this much quiet.
const LOOK_AFTER_QUIET: Duration = Duration::from_millis(1_000);
/// What is not healed after this much quiet will not be: the contract allows 15 s.
pub(crate) const HEALED_WITHIN_QUIET: Duration = Duration::from_secs(17);

/// Waits until it has been quiet for so long.
pub(crate) async fn quiet(cast: &Cast, quiet: Duration, until: Instant) {
    while quiet_for(cast) < quiet && Instant::now() < until {
        sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn quiet_for(cast: &Cast) -> Duration {
    cast.crm().quiet_for().min(cast.erp().quiet_for())
}

/// Waits until it is quiet and nothing is left to heal, or for as long as healing may take.
pub(crate) async fn settled(cast: &Cast, tolerance: Tolerance, until: Instant) -> bool {
    let mut next_look = LOOK_AFTER_QUIET;
    while Instant::now() < until {
        sleep(Duration::from_millis(25)).await;
        let quiet = quiet_for(cast);
        if quiet < LOOK_AFTER_QUIET {
            next_look = LOOK_AFTER_QUIET;
        }
        if quiet < next_look {
            continue;
        }
        let evidence = Evidence::of(cast.crm(), cast.erp());
        let converged = Audit::of(cast.ledger(), &evidence, cast.ownership(), tolerance).is_converged();
        if converged || quiet >= HEALED_WITHIN_QUIET {
            return true;
        }
        next_look = (quiet + LOOK_AFTER_QUIET).min(HEALED_WITHIN_QUIET);
    }
    false
}
