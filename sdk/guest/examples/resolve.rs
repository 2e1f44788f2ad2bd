//! `resolve` as a component.

pairline_guest::component! {
    register: pairline_nodes::resolve::register,
    kind: "resolve",
    ports: [pairs: write, applications],
}
