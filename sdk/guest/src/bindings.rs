//! The boundary, made from `sdk/wit`.

#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]

wit_bindgen::generate!({
    path: "../wit",
    world: "full",
    pub_export_macro: true,
    default_bindings_module: "pairline_guest::bindings",
});
