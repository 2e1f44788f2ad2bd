//! The contract in Rust, made from `sdk/wit`.

#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "full",
    imports: {
        "pairline:node/pairs": async,
        "pairline:node/ledger": async,
        "pairline:node/applications": async,
        "pairline:node/writes": async,
        "pairline:node/http": async,
    },
    exports: { default: async },
});
