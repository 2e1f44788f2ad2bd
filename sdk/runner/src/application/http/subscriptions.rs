//! What a system was told to send.

use pairline_sdk::ReadError;
use serde_json::Value;

use super::HttpApplication;
use crate::application::description::Subscriptions;

/// A listing is given up after this many pages: no system is told to send so much.
const PAGES: usize = 20;

impl HttpApplication {
    /// Every subscription that the system has, as it answers them.
    ///
    /// # Errors
    ///
    /// As for any listing.
    pub(crate) async fn subscriptions(&self, of: &Subscriptions) -> Result<Vec<Value>, ReadError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let values: Vec<_> = token.as_deref().map(|token| ("page", token)).into_iter().collect();
            let (some, next) = self.page(&of.list, &values).await?;
            all.extend(some);
            if next.is_none() || next == token {
                return Ok(all);
            }
            token = next;
        }
        Err(ReadError::Refused(self.said(&format!("expected at most {PAGES} pages of subscriptions, found more"))))
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::ReadError;
    use serde_json::{Value, json};

    use super::super::stage::{Stage, answer, exchange, ok, stage};

    const STRIPE: &str = include_str!("../../../../../topologies/library/stripe.yaml");
    const FIRST: &str = "/v1/webhook_endpoints?limit=100";

    async fn asked(stage: &Stage) -> Result<Vec<Value>, ReadError> {
        let webhook = stage.application.description().webhook.clone().unwrap();
        stage.application.subscriptions(&webhook.subscriptions.unwrap()).await
    }

    #[tokio::test]
    async fn a_listing_is_read_to_its_end() {
        let page = |from: u32, many: u32| {
            let data: Vec<Value> = (from..from + many).map(|number| json!({ "id": format!("we_{number}") })).collect();
            ok(json!({ "object": "list", "data": data }))
        };
        let second = format!("{FIRST}&starting_after=we_99");
        let stage = stage(STRIPE, vec![exchange("GET", FIRST, page(0, 100)), exchange("GET", &second, page(100, 3))]);

        let all = asked(&stage).await.unwrap();

        assert_eq!((all.len(), &all[102]["id"]), (103, &json!("we_102")));
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn a_listing_that_is_none_is_no_empty_one() {
        for (played, is_read) in [
            (ok(json!({ "data": [] })), true),
            (ok(json!({ "data": null })), false),
            (answer(404, "{}"), false),
            (answer(403, "{}"), false),
            (answer(200, "<html>"), false),
        ] {
            let stage = stage(STRIPE, vec![exchange("GET", FIRST, played.clone())]);

            assert_eq!(asked(&stage).await.is_ok(), is_read, "{played:?}");
            stage.is_as_expected();
        }
    }
}
