//! Whether webhooks can arrive: the URL as it is signed against where the program listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use reqwest::Url;

use super::code;
use super::patient::Patient;
use crate::application::{Call, HostGuard, ReqwestTransport, Transport};

/// A program that is there answers its own probes at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Longer than any answer of a probe.
const LONGEST_ANSWER: usize = 64 * 1024;

/// A call of our own program's probes: no system is asked, and no credentials go along. What stands in front of the program
/// may be anywhere.
async fn status(url: String) -> Result<u16, String> {
    let transport = ReqwestTransport::new(HostGuard::new(&origin(&url), true)?)?;
    let call = Call {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: None,
        deadline: ANSWER_WITHIN,
        longest_answer: LONGEST_ANSWER,
    };
    transport.call(call).await.map(|answer| answer.status).map_err(|error| error.to_string())
}

/// Whether the program listens there now.
pub(super) async fn is_running(listen: SocketAddr) -> bool {
    // An address that stands for all of the machine's is called by the one that every machine has.
    let host: IpAddr = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("http://{}/livez", SocketAddr::from((host, listen.port())));
    status(url).await.is_ok_and(|status| status == 200)
}

/// Whether a URL leads no further than this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Scheme, host and port: paths, queries and what stands before an `@` may be secret.
pub(super) fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "a URL that is none".to_owned(), |url| url.origin().ascii_serialization())
}

impl Patient<'_> {
    /// Whether webhooks can arrive, as far as that can be seen from here.
    pub(super) async fn look_at_webhook(&mut self, is_running: bool) {
        let at = ["webhook", "signature", "url"];
        let Some(webhook) = &self.description().webhook else {
            self.note("webhook", "it sends none: it is asked for its changes");
            return;
        };
        let signed = webhook.signature.url.clone();
        if signed.is_empty() {
            self.note(
                "webhook",
                "its signature holds no URL, so nothing here says where it sends: look into its settings",
            );
            return;
        }
        let Ok(url) = Url::parse(&signed) else {
            let message = "the URL that webhooks are signed with is none".to_owned();
            let help = format!("write the whole URL, as in `https://sync.example.org/webhooks/{}`", self.system());
            self.error(code::WEBHOOK, &at, message, help);
            return;
        };
        let (shown, listen) = (origin(&signed), self.listen());
        let is_here = is_loopback(&url);
        let system_is_here = Url::parse(self.description().base_url()).is_ok_and(|url| is_loopback(&url));
        if is_here && !system_is_here {
            let message = format!("webhooks are to go to {shown}, which is no address for a system elsewhere");
            let help = "write the URL by which the system reaches this program, and enter the same there".to_owned();
            self.error(code::WEBHOOK, &at, message, help);
        } else if !is_here && url.scheme() != "https" {
            let message =
                format!("webhooks come by http from elsewhere, to {shown}: everybody on the way can read them");
            self.warning(code::WEBHOOK, &at, message, "write https, with something in front that speaks it".to_owned());
        }
        if is_here && url.port_or_known_default() != Some(listen.port()) {
            let message = format!("webhooks are to go to {shown}, and the program listens on {listen}");
            let help = "give the program that port, with --port or PORT, or write the one it listens on".to_owned();
            self.error(code::WEBHOOK, &at, message, help);
        }
        if !is_here && listen.ip().is_loopback() {
            self.note("listens", format!("on {listen}: something in front must pass {shown} on to it"));
        }
        if !is_running {
            self.note("webhook", format!("{shown}; the program is not running, so whether it is reached is not known"));
            return;
        }
        let Some(front) = url.path().strip_suffix(&format!("/webhooks/{}", self.system())) else {
            let said = format!("{shown}; its path is not /webhooks/{}, so nobody can ask through it", self.system());
            self.note("webhook", said);
            return;
        };
        let mut ready = url.clone();
        ready.set_path(&format!("{front}/readyz"));
        ready.set_query(None);
        match status(ready.into()).await {
            Ok(200 | 503) => self.note("webhook", format!("{shown}; from here the program is reached by it")),
            answer => {
                let found = match answer {
                    Ok(status) => format!("status {status}"),
                    Err(reason) => reason,
                };
                let message = format!("the program is running and is not reached by {shown}: {found}");
                let help = "what stands there must pass /webhooks/ and /readyz on to the program".to_owned();
                self.error(code::WEBHOOK, &at, message, help);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_no_further_than_this_machine_is_known() {
        let is = |url: &str| is_loopback(&Url::parse(url).unwrap());

        assert!(
            ["http://127.0.0.1:1", "http://localhost", "http://[::1]:3/x", "https://a.localhost"].into_iter().all(is)
        );
        assert!(!["http://10.0.0.1", "https://sync.example.org", "http://localhost.example.org"].into_iter().any(is));
    }

    #[test]
    fn no_more_of_a_url_is_said_than_where_it_leads() {
        assert_eq!(
            origin("https://ada:secret@sync.example.org:8443/hook/secret?key=secret"),
            "https://sync.example.org:8443"
        );
    }
}
