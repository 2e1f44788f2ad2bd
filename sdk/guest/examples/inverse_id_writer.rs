//! `inverse-id-writer` as a component.

pairline_guest::component! {
    register: pairline_nodes::inverse_id_writer::register,
    kind: "inverse-id-writer",
    ports: [pairs: write, applications, writes],
}
