//! `counterpart` as a component.

#[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "it is exported from a component alone"))]
mod node;

pairline_guest::component! {
    register: node::register,
    kind: "counterpart",
    ports: [pairs: read],
}
