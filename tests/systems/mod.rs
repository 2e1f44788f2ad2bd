//! The program with systems that nobody of us has written it for, connected by YAML alone; and a client of such a system,
//! which judges ours.

mod books;
mod described;
mod hubspot;
pub(crate) mod installed;
pub(crate) mod project;
mod report;
mod rotating;
mod stripe;
mod token_server;
mod tryton;
mod unlike;
