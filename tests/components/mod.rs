//! Nodes in languages other than Rust: each template as a stranger builds it, with the real compiler of its language, and
//! what a node of that language can do to the program it runs in.

mod answers;
mod build;
mod guide;
mod language;
mod machine;
mod sandbox;
mod settings;
