//! The HTTP client for loopback that this crate and its tests make.

/// A client for another program on this machine: no proxy from the environment between the two.
///
/// Makes one in any build: where another crate has switched TLS on in the client's crate without a provider, one is
/// chosen first.
pub fn loopback_client() -> reqwest::ClientBuilder {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster; theirs is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    reqwest::Client::builder().no_proxy()
}
