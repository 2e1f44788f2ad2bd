//! Which hosts the calls of one description reach: the one that its `base_url` names, and by its name no address of the
//! network that the program stands in, unless the description says so.
//!
//! A name is looked at whenever a connection is made, and not once at the start: whoever answers for a name may answer with
//! another address later, and would have our calls, token included, sent to a neighbour of ours.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::description::{Auth, Description};

/// The one name that says by itself that it is this machine.
const THIS_MACHINE: &str = "localhost";

/// Tells the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses that a name has now.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the machine.
struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Keeps the calls of one description at its host.
#[derive(Clone)]
pub struct HostGuard {
    /// Below the first of these stand its paths; another one may give its tokens.
    named: Vec<Url>,
    private_network: bool,
    lookup: Arc<dyn Lookup>,
}

/// Why a host is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The URL of a call leads to another host than the description names, or is none.
    #[error("the call would go to another host than the one that `base_url` names")]
    Elsewhere,
    /// The name has no address that may be called.
    #[error(
        "`{host}` leads to {kind}, which a name may not lead to: if that is where the system is, say `private_network: \
         true` in its description"
    )]
    Private {
        /// The name.
        host: String,
        /// What kind of address it leads to.
        kind: &'static str,
    },
    /// The name has no address.
    #[error("`{host}` has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
}

impl HostGuard {
    /// For the calls of this description.
    ///
    /// # Errors
    ///
    /// One line when its URL is none, which a description without findings cannot have.
    pub fn of(description: &Description) -> Result<Self, String> {
        let guard = Self::new(description.base_url(), description.private_network)?;
        match &description.auth.kind {
            Auth::Oauth2(oauth2) => guard.and(&oauth2.url),
            Auth::Header { .. } | Auth::Hmac(_) | Auth::Session(_) => Ok(guard),
        }
    }

    /// For calls below this URL. With `private_network`, its name may lead anywhere.
    ///
    /// # Errors
    ///
    /// One line when the URL is none.
    pub fn new(base_url: &str, private_network: bool) -> Result<Self, String> {
        Self { named: Vec::new(), private_network, lookup: Arc::new(SystemLookup) }.and(base_url)
    }

    /// The same, with a second URL that the description names.
    fn and(mut self, url: &str) -> Result<Self, String> {
        self.named.push(Url::parse(url).map_err(|error| format!("expected the URL of a system: {error}"))?);
        Ok(self)
    }

    /// The same, over names that somebody else tells the addresses of.
    #[must_use]
    pub fn asking(self, lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// Whether it is called over TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.named.iter().any(|url| url.scheme() == "https")
    }

    /// The URL of a call, which leads to the host that the description names.
    ///
    /// # Errors
    ///
    /// It leads elsewhere: another scheme or another port is another host, and a user is what makes one out of a host.
    pub(super) fn url(&self, text: &str) -> Result<Url, Refused> {
        let url = Url::parse(text).map_err(|_| Refused::Elsewhere)?;
        let nobody = url.username().is_empty() && url.password().is_none();
        let named = self.named.iter().any(|named| named.origin() == url.origin());
        if nobody && named { Ok(url) } else { Err(Refused::Elsewhere) }
    }

    /// The addresses a name has now and may be called at.
    ///
    /// # Errors
    ///
    /// It cannot be looked up, or none of its addresses may be called.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = self.lookup.addresses(host).await?;
        let Some(first) = found.first() else { return Err(Refused::NoAddress { host: host.to_owned() }.into()) };
        let kind = self.kind_of(host, *first);
        // One that may be called is no worse for those beside it: they are not.
        let allowed: Vec<IpAddr> =
            found.iter().copied().filter(|address| self.kind_of(host, *address).is_none()).collect();
        match kind {
            Some(kind) if allowed.is_empty() => Err(Refused::Private { host: host.to_owned(), kind }.into()),
            _ => Ok(allowed),
        }
    }

    /// What stands against calling a name there; nothing if that is all right.
    fn kind_of(&self, host: &str, address: IpAddr) -> Option<&'static str> {
        let named = host == THIS_MACHINE && address.is_loopback();
        if self.private_network || named { None } else { not_public(address) }
    }
}

impl Resolve for HostGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            // The port is taken from the URL.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// What kind of address it is, if it is not one of the public internet; as IANA's registries of special addresses say.
fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "an unspecified address",
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        // Where clouds tell their machines what they are, passwords included.
        [169, 254, ..] => "a link-local address",
        [100, 64..=127, ..] => "an address of a carrier's own network",
        [224..=239, ..] => "a multicast address",
        [192, 0, 0, _]
        | [192, 0, 2, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        not_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "an unspecified address",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        // An IPv4 address in other clothes: mapped, translated, and tunnelled.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            return embedded(high, low);
        }
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "a reserved address",
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Names with addresses that can be changed.
    #[derive(Default)]
    struct Names(Mutex<Vec<IpAddr>>);

    impl Names {
        fn lead_to(&self, addresses: &[&str]) {
            *self.0.lock().unwrap() = addresses.iter().map(|address| address.parse().unwrap()).collect();
        }
    }

    #[async_trait]
    impl Lookup for Names {
        async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.lock().unwrap().clone())
        }
    }

    fn guard(base_url: &str, private_network: bool) -> (HostGuard, Arc<Names>) {
        let names = Arc::new(Names::default());
        (HostGuard::new(base_url, private_network).unwrap().asking(names.clone()), names)
    }

    #[tokio::test]
    async fn a_name_that_leads_into_a_network_of_our_own_is_refused_by_its_kind() {
        let (strict, names) = guard("https://crm.test", false);
        let (open, any) = guard("https://crm.test", true);
        for (address, kind) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("169.254.169.254", "link-local"),
            ("100.64.0.1", "carrier"),
            ("100.127.255.255", "carrier"),
            ("192.0.0.192", "reserved"),
            ("198.18.0.1", "reserved"),
            ("203.0.113.7", "reserved"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.250", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "link-local"),
            ("::ffff:10.1.2.3", "private"),
            ("::127.0.0.1", "reserved"),
            ("64:ff9b::a00:1", "private"),
            ("64:ff9b:1::1", "reserved"),
            ("2002:7f00:1::", "loopback"),
            ("2001::1", "reserved"),
            ("2001:db8::1", "reserved"),
            ("fc00::1", "private"),
            ("fd12:3456::1", "private"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "reserved"),
            ("ff02::1", "multicast"),
            ("100::1", "reserved"),
        ] {
            names.lead_to(&[address]);
            any.lead_to(&[address]);

            let refused = strict.addresses("crm.test").await.unwrap_err().to_string();

            assert!(refused.starts_with("`crm.test` leads to a") && refused.contains(kind), "{address}: {refused}");
            assert!(refused.contains("`private_network: true`") && !refused.contains(address), "{refused}");
            assert_eq!(open.addresses("crm.test").await.unwrap(), [address.parse::<IpAddr>().unwrap()]);
        }
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.255.255",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
        ] {
            names.lead_to(&[address]);

            assert_eq!(strict.addresses("crm.test").await.unwrap(), [address.parse::<IpAddr>().unwrap()]);
        }
    }

    #[tokio::test]
    async fn a_name_that_turns_private_is_refused_from_then_on_and_of_a_mixed_answer_the_public_part_is_left() {
        let (guard, names) = guard("https://crm.test", false);
        let public: IpAddr = "1.1.1.1".parse().unwrap();
        names.lead_to(&["1.1.1.1"]);
        assert_eq!(guard.addresses("crm.test").await.unwrap(), [public]);
        names.lead_to(&["169.254.169.254"]);
        assert!(guard.addresses("crm.test").await.is_err());
        for mixed in [["127.0.0.1", "1.1.1.1"], ["1.1.1.1", "10.0.0.1"]] {
            names.lead_to(&mixed);
            assert_eq!(guard.addresses("crm.test").await.unwrap(), [public]);
        }
        names.lead_to(&[]);
        assert_eq!(guard.addresses("crm.test").await.unwrap_err().to_string(), "`crm.test` has no address");
    }

    #[tokio::test]
    async fn the_name_of_this_machine_leads_to_this_machine_and_nowhere_else() {
        let (guard, names) = guard("http://localhost:18081", false);
        for (address, allowed) in [("127.0.0.1", true), ("::1", true), ("10.0.0.1", false), ("169.254.169.254", false)]
        {
            names.lead_to(&[address]);

            assert_eq!(guard.addresses("localhost").await.is_ok(), allowed, "{address}");
        }
        names.lead_to(&["127.0.0.1"]);
        assert!(guard.addresses("localhost.crm.test").await.is_err());
    }

    #[test]
    fn no_path_makes_another_host_of_the_one_that_is_named() {
        for base in ["http://crm.test", "https://crm.test:8443/api", "http://127.0.0.1:18081", "http://[::1]:1"] {
            let (guard, _) = guard(base, false);
            for path in ["/x", "//evil.test/x", "/\\evil.test", "/\\\\evil.test", "/../..//evil.test", "/@evil.test/"] {
                let url = guard.url(&format!("{base}{path}")).unwrap();

                assert_eq!(url.origin(), Url::parse(base).unwrap().origin(), "{base}{path}");
            }
        }
        let (guard, _) = guard("http://crm.test", false);
        for url in [
            "http://crm.test@evil.test/x",
            "http://crm.test:token@evil.test/x",
            "http://crm.test.evil.test/x",
            "http://crm.test:81/x",
            "http://user@crm.test/x",
            "https://crm.test/x",
            "http://evil.test\\crm.test/x",
            "//crm.test/x",
            "/x",
            "",
        ] {
            assert_eq!(guard.url(url), Err(Refused::Elsewhere), "{url}");
        }
    }
}
