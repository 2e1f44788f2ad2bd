//! What has changed, a page at a time.

use std::sync::{MutexGuard, PoisonError};

use pairline_sdk::{ChangedPage, ReadError, Record, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::HttpApplication;
use crate::application::changes::{Ask, Clocks, Cursor, Held, Page, RemoteClock};
use crate::application::description::{Changed, Since};

impl HttpApplication {
    /// The next page of a pass, and how the pass goes on.
    pub(super) async fn list_changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        let refused = |reason: String| ReadError::Refused(self.said(&reason));
        let changed = self.description.operations.changed.as_ref();
        let changed = changed.ok_or_else(|| refused("cannot list what changed".to_owned()))?;
        let cursor = Cursor::read(cursor).map_err(refused)?;
        let page: Page = match page {
            Some(page) => serde_json::from_value(page.clone()).map_err(|error| refused(error.to_string()))?,
            None => Page::first(cursor),
        };
        let theirs = {
            let mut remote_clock = self.remote_clock();
            remote_clock.saw(cursor.newest, Instant::now());
            remote_clock.at_least(Instant::now())
        };
        let Listed { records, gone, held } = self.changed_records(changed, &page).await?;
        let clocks = Clocks { ours: self.clock.now(), theirs };
        let turn = page.turn(cursor, held, changed.order, changed.overlap, clocks);
        let turn = turn.map_err(|reason| ReadError::Failed(self.said(&reason)))?;
        self.remote_clock().saw(turn.cursor.newest, Instant::now());
        let written = |value: serde_json::Result<Value>| value.expect("cursors and pages are numbers and texts");
        Ok(ChangedPage {
            records,
            gone,
            next: turn.next.map(|next| written(serde_json::to_value(next))),
            cursor: written(serde_json::to_value(turn.cursor)),
        })
    }

    /// What the first page shows of what has changed since an instant of ours; nothing where there is no listing.
    pub(super) async fn changed_since(&self, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        let Some(changed) = &self.description.operations.changed else { return Ok(Vec::new()) };
        let (ours, theirs) = (self.clock.now(), self.remote_clock().at_least(Instant::now()));
        // Stamps are theirs. Before any was seen, ours have to do.
        let there = if theirs == Timestamp::default() { ours } else { theirs };
        let since = there.minus(ours.since(since)).minus(changed.overlap);
        let page = Page::first(Cursor { since, newest: Timestamp::default() });
        Ok(self.changed_records(changed, &page).await?.records)
    }

    /// What a page holds.
    async fn changed_records(&self, changed: &Changed, page: &Page) -> Result<Listed, ReadError> {
        let instant = |at: Timestamp| match changed.since {
            Some(Since::Milliseconds) => at.as_millis().to_string(),
            // What was changed later in the same second is listed again: no stamp is passed over.
            Some(Since::Seconds) => at.as_millis().div_euclid(1000).to_string(),
            Some(Since::Rfc3339) => rfc3339(at),
            // No place is there for it.
            None => String::new(),
        };
        let (answers, token) = match (&page.ask, &changed.ties) {
            (Ask::Since(since), _) => self.page(&changed.list, &[("since", &instant(*since))]).await?,
            (Ask::Token(since, token), _) => {
                self.page(&changed.list, &[("since", &instant(*since)), ("page", token)]).await?
            }
            (Ask::Ties(at, last), Some((first, list))) => {
                let last = last.as_ref().unwrap_or(first);
                self.page(list, &[("since", &instant(*at)), ("last", last)]).await?
            }
            (Ask::Ties(..), None) => {
                return Err(ReadError::Refused(self.said("expected a way to list records with one stamp, found none")));
            }
        };
        let last_id = answers.last().and_then(|answer| self.description.record.id_in(answer));
        let held = Held { stamps: Vec::with_capacity(answers.len()), last_id, token };
        let mut listed = Listed { records: Vec::with_capacity(answers.len()), gone: Vec::new(), held };
        for answer in answers {
            let shape = &self.description.record;
            let (id, stamp) = (shape.id_in(&answer), shape.modified_at(&answer));
            match (self.record(answer)?, stamp) {
                (Some(_), None) => {
                    let reason = "expected every listed record to say when it was modified, found one without";
                    return Err(ReadError::Failed(self.said(reason)));
                }
                (Some((record, _)), _) => listed.records.push(record),
                (None, _) => listed.gone.extend(id),
            }
            listed.held.stamps.extend(stamp);
        }
        Ok(listed)
    }

    fn remote_clock(&self) -> MutexGuard<'_, RemoteClock> {
        self.remote_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a page has shown.
struct Listed {
    records: Vec<Record>,
    gone: Vec<String>,
    held: Held,
}

fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use pairline_sdk::Application;
    use serde_json::json;

    use super::super::stage::{CRM, ERP, exchange, ok, stage};
    use super::*;

    #[tokio::test]
    async fn changes_are_listed_by_time_and_one_stamp_by_id() {
        let contact =
            |id: u64, at: &str| json!({ "id": id.to_string(), "properties": { "email": "x", "lastmodifieddate": at } });
        let asked = |operator: &str, value: &str, last: Option<&str>| {
            let mut filters = vec![json!({ "propertyName": "lastmodifieddate", "operator": operator, "value": value })];
            filters.extend(last.map(|last| json!({ "propertyName": "hs_object_id", "operator": "GT", "value": last })));
            let by = if last.is_some() { "hs_object_id" } else { "lastmodifieddate" };
            Some(json!({
                "filterGroups": [{ "filters": filters }],
                "sorts": [{ "propertyName": by, "direction": "ASCENDING" }],
                "limit": 200,
            }))
        };
        let (one, two) = ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:30.000Z");
        let paging = json!({ "next": { "after": "2" } });
        let more = ok(json!({ "results": [contact(1, one), contact(2, one)], "paging": paging }));
        let exchanges = [
            (asked("GTE", "0", None), more.clone()),
            (asked("GTE", "1700000000000", None), more.clone()),
            (asked("EQ", "1700000000000", Some("0")), more),
            (asked("EQ", "1700000000000", Some("2")), ok(json!({ "results": [contact(3, one)] }))),
            (asked("GTE", "1700000000001", None), ok(json!({ "results": [contact(4, two)] }))),
        ];
        let exchanges = exchanges.map(|(asked, answer)| {
            let mut exchange = exchange("POST", "/crm/v3/objects/contacts/search", answer);
            exchange.expect.json = asked;
            exchange
        });
        let stage = stage(CRM, exchanges.to_vec());
        let (mut listed, mut page) = (Vec::new(), None);

        let cursor = loop {
            let changed = stage.application.changed(&Value::Null, page.as_ref()).await.unwrap();
            listed.extend(changed.records.into_iter().map(|record| record.id));
            page = changed.next;
            if page.is_none() {
                break changed.cursor;
            }
        };

        listed.dedup();
        assert_eq!(listed, ["1", "2", "1", "2", "1", "2", "3", "4"]);
        // The first stamp was in doubt when it was passed, so the next pass begins there.
        assert_eq!(cursor, json!({ "since": 1_699_999_995_000_i64, "newest": 1_700_000_010_000_i64 }));
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn what_is_listed_as_gone_is_told_apart() {
        let (one, two) = ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:30.000Z");
        let contact =
            |id: &str, at: &str, archived| json!({ "id": id, "properties": {}, "updatedAt": at, "archived": archived });
        let results = json!({ "results": [contact("1", one, false), contact("2", two, true)] });
        let stage = stage(CRM, vec![exchange("POST", "/crm/v3/objects/contacts/search", ok(results))]);

        let page = stage.application.changed(&Value::Null, None).await.unwrap();

        assert_eq!((page.records.len(), page.gone), (1, vec!["2".to_owned()]));
    }

    #[tokio::test]
    async fn changes_are_listed_by_id_and_the_cursor_moves_with_the_last_page() {
        let customer = |id: u64, at: &str| json!({ "id": id, "updated_at": at });
        let since = "updated_since=1970-01-01T00%3A00%3A00.000Z&limit=500";
        let (one, two) = ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:30.000Z");
        let stage = stage(
            ERP,
            vec![
                exchange(
                    "GET",
                    &format!("/customers?{since}"),
                    ok(json!({ "data": [customer(1, one)], "next_cursor": "1" })),
                ),
                exchange(
                    "GET",
                    &format!("/customers?{since}&cursor=1"),
                    ok(json!({ "data": [customer(2, two)], "next_cursor": null })),
                ),
            ],
        );

        let first = stage.application.changed(&Value::Null, None).await.unwrap();
        let second = stage.application.changed(&Value::Null, first.next.as_ref()).await.unwrap();

        assert_eq!(first.cursor, json!({ "since": 0, "newest": 0 }));
        assert_eq!(second.cursor, json!({ "since": 1_699_999_998_000_i64, "newest": 1_700_000_010_000_i64 }));
        assert_eq!((second.records[0].id.as_str(), second.next), ("2", None));
        assert!(stage.application.changed(&json!("old"), None).await.is_err());
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn who_cannot_be_asked_since_when_lists_everything_each_time() {
        let text = ERP.replacen("    since: rfc3339\n", "", 1).replacen("updated_since: \"{since}\", ", "", 1);
        let customer = json!({ "id": 1, "updated_at": "2023-11-14T22:13:20.000Z" });
        let everything = || {
            let page = ok(json!({ "data": [customer.clone()], "next_cursor": null }));
            exchange("GET", "/customers?limit=500", page)
        };
        let stage = stage(&text, vec![everything(), everything()]);

        let first = stage.application.changed(&Value::Null, None).await.unwrap();
        let second = stage.application.changed(&first.cursor, None).await.unwrap();

        assert_eq!((first.records.len(), second.records), (1, first.records));
        stage.is_as_expected();
    }
}
