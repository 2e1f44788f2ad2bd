//! Removing a record.
//!
//! This is no part of the port: no node can ask for it, so the sync never deletes anything. It is for whoever has made a record
//! to try something out. It needs no intent either: there is nothing to be taken up again, and what has become of it is read.

use axum::http::Method;
use pairline_sdk::{ReadError, Request};

use super::HttpApplication;
use crate::application::json;
use crate::application::template::Values;

impl HttpApplication {
    /// The call that would remove a record; its body is empty where it has none.
    ///
    /// # Errors
    ///
    /// One line when the description does not say how, or the id cannot stand in a path.
    pub(crate) fn render_delete(&self, id: &str) -> Result<Request, String> {
        let delete = self.description.operations.delete.as_ref();
        let delete = delete.ok_or("expected an operation `delete` in its description, found none")?;
        let values: &Values<'_> = &[("id", id)];
        let path = delete.path.fill_path(values).filter(|_| json::is_id(id));
        let body = delete.body.as_ref().map_or(Some(String::new()), |body| Some(body.fill(values)?.to_string()));
        let (Some(path), Some(body)) = (path, body) else {
            return Err("expected an id that can stand in a path, found another".to_owned());
        };
        Ok(Request { method: delete.method.to_string(), path, body, precondition: None })
    }

    /// Removes a record. Answers whether it was there.
    ///
    /// # Errors
    ///
    /// Whatever says less than that it is gone now. What was only lost on its way may have been done.
    pub(crate) async fn delete(&self, id: &str) -> Result<bool, ReadError> {
        let Request { method, path, body, .. } =
            self.render_delete(id).map_err(|reason| ReadError::Refused(self.said(&reason)))?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| ReadError::Refused(self.said("the request has no HTTP method")))?;
        let Some(answer) = self.ask(method, &path, Some(body).filter(|body| !body.is_empty())).await? else {
            return Ok(false);
        };
        // Many have nothing to say. Who says that it is an error means it, whatever the status.
        match self.parsed(&answer.body) {
            Ok(said) if self.description.record.is_error(&said) => {
                Err(ReadError::Refused(self.said("answered that it is an error")))
            }
            _ => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::ReadError;
    use serde_json::json;

    use super::super::stage::{CRM, ERP, answer, exchange, ok, stage};

    const TRYTON: &str = include_str!("../../../../../topologies/library/tryton.yaml");
    const STRIPE: &str = include_str!("../../../../../topologies/library/stripe.yaml");

    #[tokio::test]
    async fn a_record_is_removed_and_one_that_is_not_there_is_told_from_it() {
        let path = "/customers/WHS-1";
        let answers =
            [answer(204, ""), answer(404, ""), answer(200, r#"{"error":"no"}"#), answer(400, "{}"), answer(500, "")];
        let stage = stage(ERP, answers.map(|answer| exchange("DELETE", path, answer)).to_vec());

        assert_eq!(stage.application.delete("WHS-1").await, Ok(true));
        assert_eq!(stage.application.delete("WHS-1").await, Ok(false));
        assert!(matches!(stage.application.delete("WHS-1").await, Err(ReadError::Refused(_))));
        assert!(matches!(stage.application.delete("WHS-1").await, Err(ReadError::Refused(_))));
        assert!(matches!(stage.application.delete("WHS-1").await, Err(ReadError::Failed(_))));
        // The whole collection would be a lot.
        for id in ["", ".", ".."] {
            assert!(matches!(stage.application.delete(id).await, Err(ReadError::Refused(_))), "{id}");
        }
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn what_is_not_described_is_not_removed() {
        let (described, _) = CRM.split_once("\nexamples:\n").unwrap();
        let (before, behind) = described.split_once("  delete: ").unwrap();
        let text = format!("{before}{}\n", behind.split_once('\n').unwrap().1);
        let stage = stage(&text, vec![]);

        let refused = stage.application.delete("101").await;

        assert!(matches!(&refused, Err(ReadError::Refused(reason)) if reason.contains("`delete`")), "{refused:?}");
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn a_party_and_a_customer_are_removed_as_their_systems_want_it() {
        let rpc = |answer| exchange("POST", "/rpc/", answer);
        let login = rpc(ok(json!({ "id": 1, "result": [2, "t", null] })));
        let mut removal = rpc(ok(json!({ "id": 1, "result": null })));
        removal.expect.json = Some(json!({ "id": 1, "method": "model.party.party.delete", "params": [[7], {}] }));
        let error = json!(["UserError", ["You are not allowed.", "", null]]);
        let refusal = rpc(ok(json!({ "id": 1, "error": error })));
        let tryton = stage(TRYTON, vec![login, removal, refusal]);
        let deleted = ok(json!({ "id": "cus_7", "object": "customer", "deleted": true }));
        let stripe = stage(STRIPE, vec![exchange("DELETE", "/v1/customers/cus_7", deleted)]);

        assert_eq!(tryton.application.delete("7").await, Ok(true));
        assert!(matches!(tryton.application.delete("7").await, Err(ReadError::Refused(_))));
        assert_eq!(stripe.application.delete("cus_7").await, Ok(true));
        tryton.is_as_expected();
        stripe.is_as_expected();
    }
}
