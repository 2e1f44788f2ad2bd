//! Remote systems over HTTP, as their descriptions say.

pub mod changes;
pub mod description;
pub mod environment;
pub mod http;
pub mod json;
pub mod limiter;
pub mod played;
pub mod pointer;
pub mod record_shape;
pub mod refusals;
pub mod template;
pub mod transport;

pub use description::Description;
pub use environment::Environment;
pub use http::HttpApplication;
pub use limiter::Limiter;
pub use played::{Exchange, PlayedTransport};
pub use transport::{Answer, Call, ReqwestTransport, Transport, TransportError};
