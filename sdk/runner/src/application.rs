//! Remote systems over HTTP, as their descriptions say.
//!
//! `description` is what a system looks like, and `http` the port through which nodes reach it; every call goes through
//! `limiter` and `transport`. The other files are what these speak about. Nothing here knows a topology, a store or a
//! particular system.

mod changes;
pub mod description;
mod environment;
mod errors;
mod form;
mod host_guard;
mod http;
pub(crate) mod http_date;
pub(crate) mod json;
pub(crate) mod kept_token;
mod limiter;
mod played;
mod pointer;
mod record_shape;
pub(crate) mod secrets;
mod template;
mod transport;
mod url_encoded;

pub(crate) use changes::Cursor;
/// The JSON Schema of application descriptions, for editors.
pub(crate) const SCHEMA: &str = include_str!("application/description/schema.json");

pub use description::Description;
pub use environment::Environment;
pub use host_guard::{HostGuard, Lookup};
pub use http::HttpApplication;
pub use limiter::Limiter;
pub use played::{Exchange, PlayedTransport};
pub use transport::{Answer, Call, ReqwestTransport, Transport, TransportError};
