//! One target by its name in `PAIRLINE_FUZZ_TARGET`, driven by libFuzzer.
#![no_main]

#[path = "../../targets/mod.rs"]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use targets::TARGETS;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PAIRLINE_FUZZ_TARGET").unwrap_or_default();
    let target = TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("no target `{name}` in PAIRLINE_FUZZ_TARGET")).run
});

fuzz_target!(|input: &[u8]| RUN(input));
