//! The composed program: registers the nodes and hands over to the runner's command line.

fn main() {}
