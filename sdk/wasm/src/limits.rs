//! What a component may use up, and what it was refused.

use std::time::Duration;

use pairline_sdk::Limits;
use wasmtime::ResourceLimiter;

use crate::host::TICK;

/// How long a component may take for a message unless a topology says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// How much memory an instance may have unless a topology says otherwise, in bytes.
pub const DEFAULT_MEMORY: u64 = 64 << 20;
/// A component of fewer bytes is made anew for each message unless a topology says otherwise: that takes some 20 µs, and one
/// message can leave nothing behind for the next.
pub const FRESH_BELOW: usize = 1 << 20;
/// How many messages an instance of a larger one serves: to make one takes as long as hundreds of calls.
pub const REUSED_CALLS: u32 = 1000;
/// What no topology can go beyond, in bytes.
pub(crate) const LARGEST_MEMORY: u64 = 1 << 30;
/// A page of memory, in bytes: no component does without one.
const PAGE: u64 = 64 << 10;
/// The longest body of an answer, in bytes; no system takes a longer one.
pub(crate) const LONGEST_BODY: usize = 4 << 20;
/// The most headers of an answer.
pub(crate) const MOST_HEADERS: usize = 100;
/// Elements of all tables of an instance.
const MOST_ELEMENTS: usize = 1_000_000;

/// What one use of a component may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    pub(crate) memory: usize,
    pub(crate) calls: u32,
    /// How many ticks a component may compute; what it waits for is counted by another clock.
    pub(crate) ticks: u64,
}

impl Bounds {
    pub(crate) fn new(limits: &Limits, component_bytes: usize) -> Self {
        let calls = if component_bytes < FRESH_BELOW { 1 } else { REUSED_CALLS };
        let timeout = limits.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let ticks = timeout.as_millis().div_ceil(TICK.as_millis());
        Self {
            timeout,
            ticks: u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1),
            memory: usize::try_from(limits.memory.unwrap_or(DEFAULT_MEMORY)).unwrap_or(usize::MAX),
            calls: limits.calls.unwrap_or(calls),
        }
    }
}

/// Why nothing can run within these limits.
pub(crate) fn too_tight(limits: &Limits) -> Option<String> {
    if limits.timeout.is_some_and(|timeout| timeout < TICK) {
        return Some(format!("`timeout` is shorter than {} ms, which cannot be told apart", TICK.as_millis()));
    }
    if limits.memory.is_some_and(|memory| memory < PAGE) {
        return Some(format!("`memory` is less than the {} KiB that every component begins with", PAGE >> 10));
    }
    if limits.memory.is_some_and(|memory| memory > LARGEST_MEMORY) {
        return Some(format!("`memory` is more than the {} MiB that an instance can have", LARGEST_MEMORY >> 20));
    }
    (limits.calls == Some(0)).then(|| "`calls: 0` would serve no message".to_owned())
}

/// Watches one instance grow.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    most_memory: usize,
    memory: usize,
    refused: Option<String>,
}

impl Limiter {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self { most_memory: bounds.memory, ..Self::default() }
    }

    /// What the instance wanted and did not get.
    pub(crate) fn take_refused(&mut self) -> Option<String> {
        self.refused.take()
    }

    /// Bytes of all its memories.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // Several memories of one instance share what it may have.
        let wanted = self.memory.saturating_sub(current).saturating_add(desired);
        if wanted > self.most_memory {
            self.refused =
                Some(format!("it wanted {} KiB of memory, and may have {}", wanted >> 10, self.most_memory >> 10));
            return Ok(false);
        }
        self.memory = wanted;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = Some(format!("it wanted more memory than there is: {error}"));
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let most = maximum.unwrap_or(MOST_ELEMENTS).min(MOST_ELEMENTS);
        if desired > most {
            self.refused = Some(format!("it wanted a table of {desired} elements, and may have {most}"));
        }
        Ok(desired <= most)
    }

    fn instances(&self) -> usize {
        1000
    }

    fn tables(&self) -> usize {
        1000
    }

    fn memories(&self) -> usize {
        100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_component_is_fresh_for_each_message_and_a_large_one_serves_many() {
        let calls = |bytes, calls| Bounds::new(&Limits { calls, ..Limits::default() }, bytes).calls;

        assert_eq!((calls(100_000, None), calls(12 << 20, None)), (1, REUSED_CALLS));
        assert_eq!((calls(100_000, Some(50)), calls(12 << 20, Some(1))), (50, 1));
    }

    #[test]
    fn two_memories_share_what_an_instance_may_have() {
        let limits = Limits { memory: Some(4 * PAGE), ..Limits::default() };
        let mut limiter = Limiter::new(&Bounds::new(&limits, 0));
        let page = usize::try_from(PAGE).unwrap();

        assert!(limiter.memory_growing(0, 3 * page, None).unwrap());
        assert!(!limiter.memory_growing(0, 2 * page, None).unwrap());
        assert!(limiter.take_refused().unwrap().contains("320 KiB"));
        assert!(limiter.memory_growing(0, page, None).unwrap());
        assert_eq!(limiter.memory(), 4 * page);
    }

    #[test]
    fn limits_that_nothing_can_run_within_are_told() {
        let millis = |millis| Limits { timeout: Some(Duration::from_millis(millis)), ..Limits::default() };
        let memory = |memory| Limits { memory: Some(memory), ..Limits::default() };

        assert_eq!(too_tight(&Limits::default()), None);
        assert_eq!((too_tight(&millis(10)), too_tight(&memory(PAGE))), (None, None));
        assert!(too_tight(&millis(9)).unwrap().contains("timeout"));
        assert!(too_tight(&memory(PAGE - 1)).unwrap().contains("64 KiB"));
        assert!(too_tight(&memory(LARGEST_MEMORY + 1)).unwrap().contains("1024 MiB"));
        assert!(too_tight(&Limits { calls: Some(0), ..Limits::default() }).is_some());
    }
}
