//! `echo-filter` as a component.

pairline_guest::component! {
    register: pairline_nodes::echo_filter::register,
    kind: "echo-filter",
    ports: [pairs: write, applications],
}
