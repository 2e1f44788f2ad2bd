//! The program with systems that nobody of us has written it for, connected by YAML alone.

mod books;
mod described;
mod hubspot;
mod installed;
mod tryton;
pub(crate) mod unlike;
