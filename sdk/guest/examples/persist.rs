//! `persist` as a component.

pairline_guest::component! {
    register: pairline_nodes::persist::register,
    kind: "persist",
    ports: [pairs: write, applications],
}
