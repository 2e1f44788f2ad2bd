//! Whether a delivery comes from who it says: a keyed hash over some of its parts, compared in constant time.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use hmac::{Hmac, KeyInit, Mac};
use pairline_sdk::Timestamp;
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::application::description::{Encoding, SignatureScheme, Signed, SignedHeader, SignedTime};

/// Items of one header that are looked at, at most.
const ITEMS: usize = 16;

/// Checks signatures of one system's deliveries.
pub struct Verifier {
    header: SignedHeader,
    signs: Vec<Signed>,
    encoding: Encoding,
    url: String,
    timestamp: Option<SignedTime>,
    /// The keys, worked in once.
    keyed: Vec<Hmac<Sha256>>,
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
        if scheme.keys.iter().all(|key| key.expose_secret().is_empty()) {
            return Err("expected a secret that deliveries are signed with, found none".to_owned());
        }
        let keys = scheme.keys.iter().map(|key| Hmac::new_from_slice(key.expose_secret()));
        Ok(Self {
            header: scheme.header.clone(),
            signs: scheme.signs.clone(),
            encoding: scheme.encoding,
            url: scheme.url.clone(),
            timestamp: scheme.timestamp.clone(),
            keyed: keys.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
        })
    }

    /// Whether the headers hold what a signature needs; asked before a body is read.
    ///
    /// # Errors
    ///
    /// [`Distrust::Missing`] or [`Distrust::NotNow`].
    pub fn precheck(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Distrust> {
        text(headers, &self.header.name)?;
        self.signed_at(headers, now).map(|_| ())
    }

    /// Whether the delivery is believed.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn verify(&self, method: &str, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Distrust> {
        let given: Vec<Vec<u8>> =
            items(headers, &self.header)?.filter_map(|signature| self.encoding.read(signature)).collect();
        let signed_at = self.signed_at(headers, now)?;
        let signed = self.signs.iter().map(|part| {
            Ok(match part {
                Signed::Method => method.as_bytes(),
                Signed::Url => self.url.as_bytes(),
                Signed::Body => body,
                Signed::Timestamp => signed_at.as_bytes(),
                Signed::Header(name) => text(headers, name)?.as_bytes(),
                Signed::Text(text) => text.as_bytes(),
            })
        });
        let signed: Vec<&[u8]> = signed.collect::<Result<_, _>>()?;
        let is_believed = self.keyed.iter().any(|keyed| {
            let mut mac = keyed.clone();
            signed.iter().for_each(|part| mac.update(part));
            given.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        });
        if is_believed { Ok(()) } else { Err(Distrust::Wrong) }
    }

    /// The text of the timestamp, when it is near enough.
    fn signed_at<'a>(&'a self, headers: &'a HeaderMap, now: Timestamp) -> Result<&'a str, Distrust> {
        let Some(SignedTime { header, unit, tolerance }) = &self.timestamp else { return Ok("") };
        let text = items(headers, header)?.next().ok_or(Distrust::Missing)?;
        let at = text.parse::<i64>().ok().and_then(|at| at.checked_mul(*unit)).ok_or(Distrust::NotNow)?;
        let off = Duration::from_millis(now.as_millis().abs_diff(at));
        if off <= *tolerance { Ok(text) } else { Err(Distrust::NotNow) }
    }
}

/// What stands in a header after the prefix, in each of its items that has it.
fn items<'a>(headers: &'a HeaderMap, header: &'a SignedHeader) -> Result<impl Iterator<Item = &'a str>, Distrust> {
    let text = text(headers, &header.name)?;
    let (whole, split) = match &header.separator {
        None => (Some(text), None),
        Some(separator) => (None, Some(text.split(separator.as_str()).take(ITEMS).map(str::trim))),
    };
    Ok(whole.into_iter().chain(split.into_iter().flatten()).filter_map(|item| item.strip_prefix(&*header.prefix)))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Distrust> {
    headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Distrust::Missing)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::application::{Description, Environment};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// The verifier of a scheme, as a description has it.
    fn verifier(signature: &str) -> Verifier {
        let shipped = include_str!("../../../../topologies/applications/erp.yaml");
        let (before, _) = shipped.split_once("  signature:").unwrap();
        let (_, after) = shipped.split_once("  body:").unwrap();
        let text = format!("{before}  signature: {signature}\n  body:{after}");
        let (description, findings) = Description::parse("erp.yaml", &text, &Environment::of([("ERP_TOKEN", "t")]));
        let description = description.unwrap_or_else(|| panic!("{findings:?}"));
        Verifier::new(&description.webhook.unwrap().signature).unwrap()
    }

    fn over_the_body(secret: &str) -> Verifier {
        verifier(&format!(
            r#"{{ header: X-Signature, algorithm: hmac-sha256, signs: "{{body}}", encoding: hex, prefix: "sha256=", secret: {secret} }}"#
        ))
    }

    fn over_four_parts() -> Verifier {
        verifier(
            r#"{ header: X-Signature-v3, algorithm: hmac-sha256, signs: "{method}{url}{body}{timestamp}",
                encoding: base64, secret: secret, url: "http://127.0.0.1:18090/webhooks/crm",
                timestamp: { header: X-Timestamp, unit: milliseconds, tolerance: 300s } }"#,
        )
    }

    fn headers<const N: usize>(headers: [(&'static str, &str); N]) -> HeaderMap {
        let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        HeaderMap::from_iter(headers.map(header))
    }

    /// A delivery and its signature, as a sender makes it.
    struct Sent {
        /// How its description says so.
        scheme: &'static str,
        headers: &'static [(&'static str, &'static str)],
        body: &'static [u8],
        now_ms: i64,
    }

    const SENT: [Sent; 6] = [
        // The vector of HubSpot's own tests.
        Sent {
            scheme: r#"{ header: X-HubSpot-Signature-v3, algorithm: hmac-sha256, encoding: base64,
                signs: "{method}{url}{body}{timestamp}", url: "https://www.example.com/webhook_uri",
                secret: yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy,
                timestamp: { header: X-HubSpot-Request-Timestamp, unit: milliseconds, tolerance: 5m } }"#,
            headers: &[
                ("x-hubspot-signature-v3", "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw="),
                ("x-hubspot-request-timestamp", "15000000"),
            ],
            body: b"{'example_field':'example_value'}",
            now_ms: 15_000_000,
        },
        // The vector of GitHub's documentation.
        Sent {
            scheme: r#"{ header: X-Hub-Signature-256, algorithm: hmac-sha256, encoding: hex, signs: "{body}",
                prefix: "sha256=", secret: "It's a Secret to Everybody" }"#,
            headers: &[(
                "x-hub-signature-256",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            )],
            body: b"Hello, World!",
            now_ms: 0,
        },
        // The vector of the Standard Webhooks libraries; a second signature of another version stands beside it.
        Sent {
            scheme: r#"{ header: webhook-signature, separator: " ", prefix: "v1,", algorithm: hmac-sha256,
                encoding: base64, signs: "{header webhook-id}.{timestamp}.{body}",
                secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, secret_prefix: whsec_, secret_encoding: base64,
                timestamp: { header: webhook-timestamp, unit: seconds, tolerance: 5m } }"#,
            headers: &[
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ],
            body: br#"{"test": 2432232314}"#,
            now_ms: 1_614_265_330_000,
        },
        // `printf '%s' '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test_secret`, and the same with
        // `whsec_other`, as while a secret is replaced at the sender.
        Sent {
            scheme: r#"{ header: Stripe-Signature, separator: ",", prefix: "v1=", algorithm: hmac-sha256, encoding: hex,
                signs: "{timestamp}.{body}", secret: whsec_test_secret,
                timestamp: { header: Stripe-Signature, prefix: "t=", unit: seconds, tolerance: 5m } }"#,
            headers: &[(
                "stripe-signature",
                "t=1492774577,v1=7de382fc9d50efc4cbab2272c65bd6bca85a6eb696ebf6d9dfed06b24d0a3ca8,\
                 v1=799c4ba7bb339f3c8601adfd112f0e477c930a268be1243d341abb8286501c2f,v0=00",
            )],
            body: br#"{"id":"evt_1"}"#,
            now_ms: 1_492_774_577_000,
        },
        // `printf '%s' '{"id":1}' | openssl dgst -sha256 -hmac hush -binary | base64`
        Sent {
            scheme: r#"{ header: X-Shopify-Hmac-SHA256, algorithm: hmac-sha256, encoding: base64, signs: "{body}",
                secret: hush }"#,
            headers: &[("x-shopify-hmac-sha256", "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=")],
            body: br#"{"id":1}"#,
            now_ms: 0,
        },
        // The same, with the secret that was replaced here and not yet at the sender.
        Sent {
            scheme: r#"{ header: X-Signature, algorithm: hmac-sha256, encoding: hex, signs: "{body}", secret: new,
                secret_before: hush }"#,
            headers: &[("x-signature", "5672948d9b0bb8de626568e7e449ed70154217d90c378dcb825cc2135fc649e6")],
            body: br#"{"id":1}"#,
            now_ms: 0,
        },
    ];

    #[test]
    fn every_way_to_sign_is_checked_as_its_sender_signs() {
        for Sent { scheme, headers: sent, body, now_ms } in SENT {
            let (verifier, now) = (verifier(scheme), Timestamp::from_millis(now_ms));
            let header = |(name, value): &(&'static str, &str)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            };
            let whole: HeaderMap = sent.iter().map(header).collect();

            assert_eq!(verifier.precheck(&whole, now), Ok(()), "{scheme}");
            assert_eq!(verifier.verify("POST", &whole, body, now), Ok(()), "{scheme}");
            let other = [body, b" "].concat();
            assert_eq!(verifier.verify("POST", &whole, &other, now), Err(Distrust::Wrong), "{scheme}");
            for (name, _) in sent {
                let mut without = whole.clone();
                without.remove(*name);
                assert_eq!(verifier.verify("POST", &without, body, now), Err(Distrust::Missing), "{scheme}: {name}");
            }
            if verifier.timestamp.is_some() {
                let late = Timestamp::from_millis(now_ms + 300_001);
                assert_eq!(verifier.verify("POST", &whole, body, late), Err(Distrust::NotNow), "{scheme}");
            }
        }
    }

    #[test]
    fn a_header_of_countless_items_is_read_only_so_far() {
        let scheme = r#"{ header: X-Signature, separator: ",", algorithm: hmac-sha256, encoding: hex, signs: "{body}",
            secret: hush }"#;
        let signature = "5672948d9b0bb8de626568e7e449ed70154217d90c378dcb825cc2135fc649e6";
        let check = |before: usize| {
            let items = format!("{}{signature}", "00,".repeat(before));
            verifier(scheme).verify("POST", &headers([("x-signature", items.as_str())]), br#"{"id":1}"#, NOW)
        };

        assert_eq!(check(ITEMS - 1), Ok(()));
        assert_eq!(check(ITEMS), Err(Distrust::Wrong));
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
