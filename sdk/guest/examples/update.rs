//! `update` as a component.

pairline_guest::component! {
    register: pairline_nodes::update::register,
    kind: "update",
    ports: [pairs: write, applications, writes],
}
