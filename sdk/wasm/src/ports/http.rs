//! `http`: requests to the hosts that are granted.

use pairline_sdk::{HttpError, HttpRequest};
use url::Url;

use crate::bindings::pairline::node::http::{Host, Request, Response};
use crate::bindings::pairline::node::types::Failure;
use crate::failure::{refused, told};
use crate::instances::Call;

/// A request is no larger than this, in bytes.
const LONGEST: usize = 4 << 20;

/// Headers that the program sets.
const OF_THE_CONNECTION: [&str; 8] =
    ["connection", "content-length", "expect", "host", "proxy-authorization", "te", "transfer-encoding", "upgrade"];

impl Host for Call {
    async fn send(&mut self, request: Request) -> Result<Response, Failure> {
        let size =
            request.body.len() + request.headers.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>();
        if size > LONGEST || request.url.len() > 8192 {
            return Err(refused(format!("expected a request of at most {LONGEST} bytes")));
        }
        let url = Url::parse(&request.url).map_err(|_| refused("expected a URL with scheme and host"))?;
        let origin = url.origin();
        let nobody = url.username().is_empty() && url.password().is_none();
        let granted = |host: &String| Url::parse(host).is_ok_and(|granted| granted.origin() == origin);
        if !nobody || !self.granted.grants.http.iter().any(granted) {
            let origin = origin.ascii_serialization();
            return Err(refused(format!("`{origin}` is not granted: add it to `grants.http`")));
        }
        let Request { method, headers, body, .. } = request;
        // What belongs to the connection; `host` would reach another host behind the same address.
        if let Some((name, _)) = headers.iter().find(|(name, _)| OF_THE_CONNECTION.contains(&&*name.to_lowercase())) {
            return Err(refused(format!("the header `{name}` is set by the program")));
        }
        let request = HttpRequest { method, url: url.into(), headers, body };
        match self.granted.ports()?.http.send(request).await {
            Ok(response) => Ok(Response { status: response.status, headers: response.headers, body: response.body }),
            Err(HttpError::Failed(reason)) => Err(told(pairline_sdk::NodeError::repeat(reason))),
            Err(HttpError::Refused(reason)) => Err(refused(reason)),
        }
    }
}
