//! Waiting for what cannot tell when it has changed: the two systems, the database, an answer of the program. What the
//! program says and how it ends is waited for itself; see [`Runner`](super::runner::Runner).

use std::time::{Duration, Instant};

/// Everything that is waited for must have happened by then.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until something is there, and says what was missing if it never is.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    within(SOON, || look().ok_or(())).unwrap_or_else(|()| panic!("waited {SOON:?} in vain: {what}"))
}

/// Looks until something is there, for so long; what the last look missed, if it never is.
pub(crate) fn within<T, E>(limit: Duration, mut look: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let began = Instant::now();
    loop {
        match look() {
            Err(_) if began.elapsed() < limit => std::thread::sleep(LOOK_EVERY),
            seen => return seen,
        }
    }
}
