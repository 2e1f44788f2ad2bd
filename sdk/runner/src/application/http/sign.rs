//! Calls that are signed: the key stays here, and what is sent proves that we have it.

use axum::http::HeaderValue;
use hmac::{Hmac, KeyInit, Mac};
use pairline_sdk::Timestamp;
use reqwest::Url;
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::application::description::HmacAuth;
use crate::application::transport::Call;

impl HmacAuth {
    /// Puts the signature into the headers of a call, and the time where it is signed.
    pub(super) fn sign(&self, call: &mut Call, now: Timestamp) {
        let timestamp = self.timestamp.as_ref().map(|(_, unit)| now.as_millis().div_euclid(*unit).to_string());
        let body = call.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let values = [
            ("method", call.method.as_str()),
            ("url", &call.url),
            ("path", &path_of(&call.url)),
            ("timestamp", timestamp.as_deref().unwrap_or_default()),
            ("body", &body),
        ];
        let signed = self.signs.fill(&values).unwrap_or_default();
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.expose_secret().as_bytes()) else { return };
        mac.update(signed.as_bytes());
        let signature = self.encoding.write(&mac.finalize().into_bytes());
        let value = self.value.fill(&[("signature", &signature)]).unwrap_or_default();
        // What the description gives besides was looked at when it was checked.
        if let Ok(mut value) = HeaderValue::try_from(value) {
            value.set_sensitive(true);
            call.headers.insert(self.header.clone(), value);
        }
        if let (Some((header, _)), Some(Ok(timestamp))) = (&self.timestamp, timestamp.map(HeaderValue::try_from)) {
            call.headers.insert(header.clone(), timestamp);
        }
    }
}

/// What stands in the request line: the path and the query.
fn path_of(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| String::new(),
        |url| url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())),
    )
}

#[cfg(test)]
mod tests {
    use pairline_sdk::Application;
    use serde_json::json;

    use super::super::stage::{ERP, answer, create, exchange, stage};
    use crate::application::{Description, Environment};

    const BEARER: &str = "auth: { bearer: \"${ERP_TOKEN}\" }";
    const SIGNED: &str = r#"auth:
  hmac:
    value: "HMAC ${ERP_KEY}:{signature}"
    algorithm: hmac-sha256
    signs: "{method}\n{path}\n{timestamp}\n{body}"
    encoding: base64
    secret: ${ERP_SECRET}
    timestamp: { header: X-Timestamp, unit: seconds }"#;

    /// The system in the words of its own side.
    fn signed(with: &str) -> String {
        assert!(ERP.contains(BEARER));
        ERP.replacen(BEARER, with, 1)
    }

    #[tokio::test]
    async fn every_call_is_signed_over_its_parts() {
        // Made with another program: `openssl dgst -sha256 -hmac ERP_SECRET -binary | base64`.
        let mut read = exchange("GET", "/customers/7", answer(200, r#"{"id":"7"}"#));
        let headers = |signature: &str| {
            [("authorization", format!("HMAC ERP_KEY:{signature}")), ("x-timestamp", "1780000000".to_owned())]
                .map(|(name, value)| (name.to_owned(), value))
                .into()
        };
        read.expect.headers = headers("kS70MhOl/kYE0dNBxhBkswazP8siQ55UTkJXpoZQvfs=");
        // The same with POST, /customers and {"email":"a@b.test"}.
        let mut write = exchange("POST", "/customers", answer(201, r#"{"id":"7"}"#));
        write.expect.json = Some(json!({ "email": "a@b.test" }));
        write.expect.headers = headers("cfnVSfp4JqHafC5tM7hwluJhgOO+STdB5XAJhbYEcPI=");
        let stage = stage(&signed(SIGNED), vec![read, write]);

        stage.application.read("7").await.unwrap();
        stage.application.send(&stage.intent(&create())).await;

        stage.is_as_expected();
    }

    #[test]
    fn what_is_not_signed_whole_is_refused() {
        for (from, to, message) in [
            ("{signature}", "", "expected `{signature}` in it"),
            ("{body}", "", "expected `{body}` among what is signed"),
            ("{path}", "", "`{url}` or `{path}`"),
            ("{timestamp}", "", "or neither"),
            ("{method}", "{verb}", "known places: {method}, {url}, {path}, {timestamp}, {body}"),
        ] {
            let text = signed(&SIGNED.replacen(from, to, 1));

            let found = Description::parse("a.yaml", &text, &Environment::lenient()).1;

            assert!(found.iter().any(|finding| finding.to_string().contains(message)), "{to}: {found:?}");
        }
    }
}
