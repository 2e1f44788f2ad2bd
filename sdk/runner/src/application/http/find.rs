//! Records by the value of a field.

use pairline_sdk::{ReadError, Record};

use super::HttpApplication;
use crate::application::description::List;
use crate::application::json;

/// A search for one value is given up after this many pages.
const FOUND_PAGES: usize = 20;
/// Reading everything to look for a value is given up after this many pages.
const WALKED_PAGES: usize = 10_000;

impl HttpApplication {
    /// Records that hold a value in a field: asked for where the system can be asked, looked for otherwise.
    pub(super) async fn search(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        let unable = || ReadError::Refused(self.said(&format!("cannot be searched by `{field}`")));
        let find = self.description.operations.find.as_ref().ok_or_else(unable)?;
        let asked = find.fields.as_ref().is_none_or(|fields| fields.iter().any(|known| known == field));
        if asked {
            return self.holding(&find.list, field, value, FOUND_PAGES).await;
        }
        self.holding(find.otherwise.as_ref().ok_or_else(unable)?, field, value, WALKED_PAGES).await
    }

    /// Every record of a listing that holds a value in a field.
    async fn holding(&self, list: &List, field: &str, value: &str, pages: usize) -> Result<Vec<Record>, ReadError> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..pages {
            let mut values = vec![("field", self.description.record.renamed.answered(field)), ("value", value)];
            values.extend(token.as_deref().map(|token| ("page", token)));
            let (answers, next) = self.page(list, &values).await?;
            for answer in answers {
                if let Some((record, _)) = self.record(answer)? {
                    // A system that does not know the filter answers everything.
                    if record.value(field).is_some_and(|held| json::text(held) == value) {
                        found.push(record);
                    }
                }
            }
            if next.is_none() || next == token {
                return Ok(found);
            }
            token = next;
        }
        Err(ReadError::Refused(self.said(&format!("expected a listing of at most {pages} pages, found more"))))
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::Application;
    use serde_json::{Value, json};

    use super::super::stage::{CRM, ERP, exchange, ok, stage};
    use crate::application::played::Played;

    #[tokio::test]
    async fn a_record_may_be_read_by_a_unique_value() {
        let (find, otherwise) = (ERP.find("  find:\n").unwrap(), ERP.find("  changed:\n").unwrap());
        let one = r#"  find:
    fields: [email]
    list: { method: GET, path: "/customers/by/{field}/{value}", records: "", one: true }
"#;
        let text = [&ERP[..find], one, &ERP[otherwise..]].concat();
        let path = "/customers/by/email/a%40b.test";
        let customer = json!({ "id": "7", "email": "a@b.test" });
        // A system that takes the value for another one answers a record that does not hold it.
        let another = json!({ "id": "8", "email": "other@b.test" });
        let gone = Played { status: 404, ..Played::default() };
        for (answered, found) in [(ok(customer), vec!["7"]), (ok(another), vec![]), (gone, vec![])] {
            let stage = stage(&text, vec![exchange("GET", path, answered)]);

            let records = stage.application.find("email", "a@b.test").await.unwrap();

            assert_eq!(records.iter().map(|record| &*record.id).collect::<Vec<_>>(), found);
            stage.is_as_expected();
        }
    }

    #[tokio::test]
    async fn what_is_found_holds_the_value_whatever_the_system_filters_by() {
        let customer = |id: &str, crm_id: &str| json!({ "id": id, "custom_fields": { "crm_id": crm_id } });
        let page = |records: Vec<Value>, next: Value| ok(json!({ "data": records, "next_cursor": next }));
        let stage = stage(
            ERP,
            vec![
                exchange(
                    "GET",
                    "/customers?email=a%40b.test&limit=100",
                    page(vec![json!({ "id": "1", "email": "other" })], Value::Null),
                ),
                exchange(
                    "GET",
                    "/customers?limit=500",
                    page(vec![customer("1", "7"), customer("2", "8")], json!("c/1")),
                ),
                exchange("GET", "/customers?limit=500&cursor=c%2F1", page(vec![customer("3", "7")], Value::Null)),
            ],
        );

        let by_email = stage.application.find("email", "a@b.test").await.unwrap();
        let by_inverse = stage.application.find("custom_fields.crm_id", "7").await.unwrap();

        assert_eq!(by_email, []);
        let ids: Vec<&str> = by_inverse.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["1", "3"]);
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn a_search_goes_through_its_pages() {
        let contact = |id: u64| json!({ "id": id.to_string(), "properties": { "erp_id": "WHS-1" } });
        let asked = |after: Option<&str>| {
            let mut asked = json!({
                "filterGroups": [{ "filters": [{ "propertyName": "erp_id", "operator": "EQ", "value": "WHS-1" }] }],
                "limit": 100,
            });
            if let Some(after) = after {
                asked["after"] = json!(after);
            }
            Some(asked)
        };
        let path = "/crm/v3/objects/contacts/search";
        let paging = json!({ "next": { "after": "1" } });
        let mut first = exchange("POST", path, ok(json!({ "results": [contact(1)], "paging": paging })));
        first.expect.json = asked(None);
        let mut second = exchange("POST", path, ok(json!({ "results": [contact(2)] })));
        second.expect.json = asked(Some("1"));
        let stage = stage(CRM, vec![first, second]);

        let found = stage.application.find("erp_id", "WHS-1").await.unwrap();

        assert_eq!(found.len(), 2);
        stage.is_as_expected();
    }
}
