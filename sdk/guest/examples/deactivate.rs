//! `deactivate` as a component.

pairline_guest::component! {
    register: pairline_nodes::deactivate::register,
    kind: "deactivate",
    ports: [pairs: write, applications],
}
