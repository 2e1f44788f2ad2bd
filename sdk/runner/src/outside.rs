//! What nodes may be given besides the two systems: the machine's secrets by name, and other hosts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use pairline_sdk::{HttpClient, HttpError, HttpRequest, HttpResponse, Secrets};
use reqwest::Url;

use crate::application::{Answer, Call, Environment, HostGuard, ReqwestTransport, Transport, TransportError};

/// A request is given up after this.
const DEADLINE: Duration = Duration::from_secs(30);
/// An answer longer than this is no answer, in bytes.
const LONGEST_ANSWER: usize = 4 << 20;
/// Connections are kept to so many hosts; the topologies grant no more than a few.
const MOST_HOSTS: usize = 100;

impl Secrets for Environment {
    fn secret(&self, name: &str) -> Option<String> {
        self.expand(&format!("${{{name}}}")).ok()
    }
}

/// Hosts that are not kept in step, each over a transport of its own.
///
/// A host that is named leads to the public internet alone: one of the network that the program stands in is granted by its
/// address. To a system that is kept in step none leads: what is written there by itself stands in no ledger.
#[derive(Default)]
pub struct OtherHosts {
    kept: Vec<Url>,
    hosts: Mutex<HashMap<String, Arc<ReqwestTransport>>>,
}

impl OtherHosts {
    /// All hosts but those of the systems with these URLs.
    pub fn besides<'a>(systems: impl Iterator<Item = &'a str>) -> Self {
        Self { kept: systems.filter_map(|url| Url::parse(url).ok()).collect(), ..Self::default() }
    }

    fn transport(&self, url: &Url) -> Result<Arc<ReqwestTransport>, String> {
        let of = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        if self.kept.iter().any(|system| of(system) == of(url)) {
            return Err("this host is a system that is kept in step: ask it with the grant `applications`".to_owned());
        }
        let origin = url.origin().ascii_serialization();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = hosts.get(&origin) {
            return Ok(Arc::clone(transport));
        }
        if hosts.len() >= MOST_HOSTS {
            return Err(format!("more than {MOST_HOSTS} hosts are asked"));
        }
        let transport = Arc::new(ReqwestTransport::new(HostGuard::new(&origin, false)?)?);
        hosts.insert(origin, Arc::clone(&transport));
        Ok(transport)
    }
}

#[async_trait]
impl HttpClient for OtherHosts {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = Url::parse(&request.url).map_err(|_| HttpError::Refused("expected a URL, found none".to_owned()))?;
        let transport = self.transport(&url).map_err(HttpError::Refused)?;
        let call = call(request).map_err(HttpError::Refused)?;
        match transport.call(call).await {
            Ok(answer) => Ok(response(&answer)),
            Err(error @ (TransportError::NotSent(_) | TransportError::Lost(_))) => {
                Err(HttpError::Failed(error.to_string()))
            }
        }
    }
}

fn call(request: HttpRequest) -> Result<Call, String> {
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| "expected a method such as `GET`, found none".to_owned())?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a header has no such name".to_owned())?;
        let value = HeaderValue::from_str(value).map_err(|_| format!("the header `{name}` has no such value"))?;
        headers.append(name, value);
    }
    let body = (!request.body.is_empty()).then(|| request.body.into());
    Ok(Call { method, url: request.url, headers, body, deadline: DEADLINE, longest_answer: LONGEST_ANSWER })
}

fn response(answer: &Answer) -> HttpResponse {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    HttpResponse { status: answer.status, headers, body: answer.body.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_system_that_is_kept_in_step_is_no_other_host() {
        let hosts = OtherHosts::besides(["http://127.0.0.1:1/api", "https://erp.example.org"].into_iter());
        let send = |url: &str| {
            hosts.send(HttpRequest {
                method: "GET".to_owned(),
                url: url.to_owned(),
                headers: Vec::new(),
                body: Vec::new(),
            })
        };

        for url in ["http://127.0.0.1:1/other", "https://ERP.example.org:443/x", "https://erp.example.org"] {
            let Err(HttpError::Refused(why)) = send(url).await else { panic!("{url} is another host") };
            assert!(why.contains("kept in step"), "{url}: {why}");
        }
        // Another port is another program; nobody listens there.
        assert!(matches!(send("http://127.0.0.1:2/api").await, Err(HttpError::Failed(_))));
    }
}
