//! The program with systems that nobody of us has written it for, connected by YAML alone; and a client of such a system,
//! which judges ours.

mod books;
mod described;
mod hubspot;
mod installed;
mod project;
mod report;
mod tryton;
pub(crate) mod unlike;
