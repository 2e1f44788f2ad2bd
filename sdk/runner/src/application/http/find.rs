//! Records by the value of a field.

use pairline_sdk::{ReadError, Record, Timestamp};

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
        let (list, pages) = match self.asked_by(field) {
            Some(list) => (list, FOUND_PAGES),
            None => {
                let find = self.description.operations.find.as_ref().ok_or_else(unable)?;
                (find.otherwise.as_ref().ok_or_else(unable)?, WALKED_PAGES)
            }
        };
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..pages {
            let (held, next) = self.holding(list, field, value, token.as_deref()).await?;
            found.extend(held);
            if next.is_none() || next == token {
                return Ok(found);
            }
            token = next;
        }
        Err(ReadError::Refused(self.said(&format!("expected a listing of at most {pages} pages, found more"))))
    }

    /// The same as far as one request shows it: the search, where the system can be asked for the value, else what has
    /// changed since.
    pub(super) async fn glanced(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        if let Some(list) = self.asked_by(field) {
            return Ok(self.holding(list, field, value, None).await?.0);
        }
        let mut changed = self.changed_since(since).await?;
        changed.retain(|record| holds(record, field, value));
        Ok(changed)
    }

    /// How the system is asked for the values of a field, if it can be.
    fn asked_by(&self, field: &str) -> Option<&List> {
        let find = self.description.operations.find.as_ref()?;
        let asked = find.fields.as_ref().is_none_or(|fields| fields.iter().any(|known| known == field));
        asked.then_some(&find.list)
    }

    /// Every record on a page of a listing that holds a value in a field, and where the next page is.
    async fn holding(
        &self,
        list: &List,
        field: &str,
        value: &str,
        page: Option<&str>,
    ) -> Result<(Vec<Record>, Option<String>), ReadError> {
        let mut values = vec![("field", self.description.record.renamed.answered(field)), ("value", value)];
        values.extend(page.map(|page| ("page", page)));
        let (answers, next) = self.page(list, &values).await?;
        let mut found = Vec::new();
        for answer in answers {
            found.extend(self.record(answer)?.map(|(record, _)| record).filter(|record| holds(record, field, value)));
        }
        Ok((found, next))
    }
}

/// A system that does not know a filter answers everything.
fn holds(record: &Record, field: &str, value: &str) -> bool {
    record.value(field).is_some_and(|held| json::text(held) == value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pairline_sdk::{Application, Clock, Timestamp};
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

    #[tokio::test]
    async fn a_glance_is_one_request_at_a_search_or_at_what_has_changed() {
        let asked = json!({
            "filterGroups": [{ "filters": [{ "propertyName": "erp_id", "operator": "EQ", "value": "WHS-1" }] }],
            "limit": 100,
        });
        let more = json!({ "next": { "after": "1" } });
        let contact = json!({ "id": "1", "properties": { "erp_id": "WHS-1" } });
        let mut search =
            exchange("POST", "/crm/v3/objects/contacts/search", ok(json!({ "results": [contact], "paging": more })));
        search.expect.json = Some(asked);
        let crm = stage(CRM, vec![search]);
        let customer = |id: &str, crm_id: &str| json!({ "id": id, "custom_fields": { "crm_id": crm_id }, "updated_at": "2023-11-14T22:13:20.000Z" });
        let page = json!({ "data": [customer("1", "7"), customer("2", "8")], "next_cursor": "2" });
        // The listing lags by 2 s at most.
        let since = "2023-11-14T22%3A13%3A08.000Z";
        let erp = stage(ERP, vec![exchange("GET", &format!("/customers?updated_since={since}&limit=500"), ok(page))]);
        let then = Timestamp::from_millis(1_699_999_990_000);

        let by_search = crm.application.glance("erp_id", "WHS-1", then).await.unwrap();
        let by_change = erp.application.glance("custom_fields.crm_id", "8", then).await.unwrap();

        assert_eq!((by_search.len(), by_search[0].id.as_str()), (1, "1"));
        assert_eq!((by_change.len(), by_change[0].id.as_str()), (1, "2"));
        crm.is_as_expected();
        erp.is_as_expected();
    }

    #[tokio::test(start_paused = true)]
    async fn a_glance_goes_by_the_clock_of_the_system() {
        // Its clock is an hour behind.
        let customer = json!({ "id": "1", "custom_fields": {}, "updated_at": "2023-11-14T21:13:20.000Z" });
        let listed = |since: &str| {
            let page = ok(json!({ "data": [customer.clone()], "next_cursor": null }));
            exchange("GET", &format!("/customers?updated_since={since}&limit=500"), page)
        };
        let erp = stage(ERP, vec![listed("1970-01-01T00%3A00%3A00.000Z"), listed("2023-11-14T21%3A13%3A08.000Z")]);
        erp.application.changed(&Value::Null, None).await.unwrap();

        let ten_seconds_ago = erp.clock.now().minus(Duration::from_secs(10));
        erp.application.glance("custom_fields.crm_id", "8", ten_seconds_ago).await.unwrap();

        erp.is_as_expected();
    }

    #[tokio::test]
    async fn who_can_neither_be_asked_nor_tells_of_changes_shows_nothing_at_a_glance() {
        let without = |text: &str, from: &str, to: &str| {
            let (from, to) = (text.find(from).unwrap(), text.find(to).unwrap());
            [&text[..from], &text[to..]].concat()
        };
        let silent = without(&without(ERP, "  changed:\n", "errors:\n"), "  - of: changed\n", "  - of: webhook\n");
        let erp = stage(&silent, vec![]);

        let found = erp.application.glance("custom_fields.crm_id", "8", Timestamp::from_millis(0)).await.unwrap();

        assert_eq!(found, []);
    }
}
