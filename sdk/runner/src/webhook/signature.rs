//! Whether a delivery comes from who it says: a keyed hash over some of its parts, compared in constant time.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pairline_sdk::Timestamp;
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::application::description::{Encoding, SignatureScheme, Signed, SignedTime};

/// Checks signatures of one system's deliveries.
pub struct Verifier {
    header: HeaderName,
    signs: Vec<Signed>,
    encoding: Encoding,
    prefix: String,
    url: String,
    timestamp: Option<SignedTime>,
    /// The key, worked in once.
    keyed: Hmac<Sha256>,
}

/// Why a delivery is not believed. The texts help whoever sets up a sender and nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// A header is missing or no text.
    #[error("expected a signature and, where it is signed, a timestamp in the headers, found none")]
    Missing,
    /// The time is none, or too far from ours.
    #[error("expected a timestamp of now, found another")]
    NotNow,
    /// The signature is another.
    #[error("expected the signature of this delivery, found another")]
    Wrong,
}

impl Verifier {
    /// The verifier of a scheme.
    ///
    /// # Errors
    ///
    /// One line when there is no key: anybody could sign.
    pub fn new(scheme: &SignatureScheme) -> Result<Self, String> {
        let key = scheme.secret.expose_secret().as_bytes();
        if key.is_empty() {
            return Err("expected a secret that deliveries are signed with, found none".to_owned());
        }
        let keyed = Hmac::new_from_slice(key).map_err(|error| error.to_string())?;
        Ok(Self {
            header: scheme.header.clone(),
            signs: scheme.signs.clone(),
            encoding: scheme.encoding,
            prefix: scheme.prefix.clone(),
            url: scheme.url.clone(),
            timestamp: scheme.timestamp.clone(),
            keyed,
        })
    }

    /// Whether the headers hold what a signature needs; asked before a body is read.
    ///
    /// # Errors
    ///
    /// [`Distrust::Missing`] or [`Distrust::NotNow`].
    pub fn precheck(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Distrust> {
        text(headers, &self.header)?;
        self.signed_at(headers, now).map(|_| ())
    }

    /// Whether the delivery is believed.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn verify(&self, method: &str, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Distrust> {
        let given = text(headers, &self.header)?.strip_prefix(&self.prefix).ok_or(Distrust::Wrong)?;
        let given = match self.encoding {
            Encoding::Base64 => STANDARD.decode(given).map_err(|_| Distrust::Wrong)?,
            Encoding::Hex => from_hex(given).ok_or(Distrust::Wrong)?,
        };
        let signed_at = self.signed_at(headers, now)?;
        let mut mac = self.keyed.clone();
        for part in &self.signs {
            mac.update(match part {
                Signed::Method => method.as_bytes(),
                Signed::Url => self.url.as_bytes(),
                Signed::Body => body,
                Signed::Timestamp => signed_at.as_bytes(),
            });
        }
        mac.verify_slice(&given).map_err(|_| Distrust::Wrong)
    }

    /// The text of the timestamp, when it is near enough.
    fn signed_at<'a>(&self, headers: &'a HeaderMap, now: Timestamp) -> Result<&'a str, Distrust> {
        let Some(SignedTime { header, unit, tolerance }) = &self.timestamp else { return Ok("") };
        let text = text(headers, header)?;
        let at = text.parse::<i64>().ok().and_then(|at| at.checked_mul(*unit)).ok_or(Distrust::NotNow)?;
        let off = Duration::from_millis(now.as_millis().abs_diff(at));
        if off <= *tolerance { Ok(text) } else { Err(Distrust::NotNow) }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Distrust> {
    headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Distrust::Missing)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn over_the_body(secret: &str) -> Verifier {
        let scheme = SignatureScheme {
            header: HeaderName::from_static("x-signature"),
            signs: vec![Signed::Body],
            encoding: Encoding::Hex,
            prefix: "sha256=".to_owned(),
            secret: secret.into(),
            url: String::new(),
            timestamp: None,
        };
        Verifier::new(&scheme).unwrap()
    }

    fn over_four_parts() -> Verifier {
        let scheme = SignatureScheme {
            header: HeaderName::from_static("x-signature-v3"),
            signs: vec![Signed::Method, Signed::Url, Signed::Body, Signed::Timestamp],
            encoding: Encoding::Base64,
            prefix: String::new(),
            secret: "secret".into(),
            url: "http://127.0.0.1:18090/webhooks/crm".to_owned(),
            timestamp: Some(SignedTime {
                header: HeaderName::from_static("x-timestamp"),
                unit: 1,
                tolerance: Duration::from_secs(300),
            }),
        };
        Verifier::new(&scheme).unwrap()
    }

    fn headers<const N: usize>(headers: [(&'static str, &str); N]) -> HeaderMap {
        let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        HeaderMap::from_iter(headers.map(header))
    }

    // RFC 4231, test case 2.
    #[test]
    fn a_signature_over_the_body_is_that_of_the_published_vector() {
        let signed =
            headers([("x-signature", "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")]);
        let verifier = over_the_body("Jefe");

        assert_eq!(verifier.verify("POST", &signed, b"what do ya want for nothing?", NOW), Ok(()));
        assert_eq!(verifier.verify("POST", &signed, b"what do ya want for nothing!", NOW), Err(Distrust::Wrong));
        let other = over_the_body("Jeff").verify("POST", &signed, b"what do ya want for nothing?", NOW);
        assert_eq!(other, Err(Distrust::Wrong));
    }

    // Made with `printf ... | openssl dgst -sha256 -hmac secret -binary | base64`.
    #[test]
    fn a_signature_over_four_parts_covers_them_in_their_order_with_nothing_between() {
        let body = b"[{\"eventId\":1}]";
        let verify = |signature: &str, timestamp: &str, method: &str, body: &[u8]| {
            let headers = headers([("x-signature-v3", signature), ("x-timestamp", timestamp)]);
            over_four_parts().verify(method, &headers, body, NOW)
        };
        let signature = "l8i6lF4jKRyhl0AzQbhcdVkGbNnSBa26ss7rH/4jcHs=";

        assert_eq!(verify(signature, "1700000000000", "POST", body), Ok(()));
        assert_eq!(verify(signature, "1700000000001", "POST", body), Err(Distrust::Wrong));
        assert_eq!(verify(signature, "1700000000000", "PUT", body), Err(Distrust::Wrong));
        assert_eq!(verify(signature, "1700000000000", "POST", b"[{\"eventId\":2}]"), Err(Distrust::Wrong));
        assert_eq!(verify(&signature[..20], "1700000000000", "POST", body), Err(Distrust::Wrong));
        assert_eq!(verify("", "1700000000000", "POST", body), Err(Distrust::Wrong));
    }

    #[test]
    fn a_delivery_from_another_time_is_not_believed_however_it_is_signed() {
        let check = |now: i64| {
            let headers = headers([("x-signature-v3", "AA=="), ("x-timestamp", "1700000000000")]);
            over_four_parts().precheck(&headers, Timestamp::from_millis(now))
        };

        assert_eq!(check(1_700_000_300_000), Ok(()));
        assert_eq!(check(1_700_000_300_001), Err(Distrust::NotNow));
        assert_eq!(check(1_699_999_700_000), Ok(()));
        assert_eq!(check(1_699_999_699_999), Err(Distrust::NotNow));
    }

    #[test]
    fn what_is_missing_or_malformed_is_not_believed() {
        let four = over_four_parts();
        let check = |headers: &HeaderMap| four.verify("POST", headers, b"", NOW);

        assert_eq!(check(&HeaderMap::new()), Err(Distrust::Missing));
        assert_eq!(check(&headers([("x-signature-v3", "AA==")])), Err(Distrust::Missing));
        for timestamp in ["", "soon", "1700000000000.5", "99999999999999999999", "-9223372036854775808"] {
            let headers = headers([("x-signature-v3", "AA=="), ("x-timestamp", timestamp)]);
            assert_eq!(check(&headers), Err(Distrust::NotNow), "{timestamp}");
        }
        let hex = over_the_body("k");
        for signature in ["sha256=", "sha256=0", "sha256=zz", "md5=00", "00"] {
            let headers = headers([("x-signature", signature)]);
            assert_eq!(hex.verify("POST", &headers, b"", NOW), Err(Distrust::Wrong), "{signature}");
        }
    }
}
