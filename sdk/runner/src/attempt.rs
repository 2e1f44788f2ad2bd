//! One call of one operation, made as the sync would make it and seen from both ends.
//!
//! `witness` stands where the network begins and keeps what passes; `report` is what a person or a program is shown. A write goes
//! through a ledger like every other: an intent is the only thing that can be written with. Removing a record is none of the
//! sync's writes.

mod report;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{
    Adopted, Adoption, Application, Begin, ChangedPage, Clock, Create, Fields, Outcome, PairStore, Provenance, Random,
    ReadError, Record, RecordId, Request, Reserve, System, Timestamp, Update, Write,
};
use serde_json::{Value, json};

use crate::application::{Cursor, Description, HostGuard, HttpApplication, ReqwestTransport, Transport};
use crate::metrics::Metrics;
use witness::Witness;

pub use report::Attempt;

/// A limit that lasts longer than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The word for who makes the call, wherever one is needed.
const NAME: &str = "pairline-try";

/// What is to be called.
#[derive(Clone, Debug)]
pub enum Ask {
    /// One record.
    Read {
        /// Its id.
        id: String,
    },
    /// The records with a value.
    Find {
        /// The field, as the system calls it.
        field: String,
        /// The value.
        value: String,
    },
    /// The first page of what has changed.
    Changed {
        /// Since when; from the beginning of time without it.
        since: Option<Timestamp>,
    },
    /// Something is written, or shown as it would be.
    Write(Write),
    /// A record is removed, or it is shown how it would be.
    Delete {
        /// Its id.
        id: String,
    },
}

impl Ask {
    /// Whether it changes the system.
    pub fn changes(&self) -> bool {
        matches!(self, Self::Write(_) | Self::Delete { .. })
    }
}

/// What an answer was taken for.
#[derive(Debug)]
enum Understood {
    /// A record, or that there is none.
    Record(Option<Box<Record>>),
    /// Records.
    Records(Vec<Record>),
    /// A page of a listing.
    Page(ChangedPage),
    /// What became of a write.
    Outcome(Outcome),
    /// It was removed; or there was none.
    Removed(bool),
    /// It was not sent: this is what would be, with the headers that are the description's.
    Unsent(Request, Vec<(String, String)>),
    /// There is no answer to go by.
    Nothing(ReadError),
}

/// A system that can be called.
pub struct Attempts {
    application: HttpApplication,
    witness: Arc<Witness>,
    clock: Arc<dyn Clock>,
}

impl Attempts {
    /// The system of a description.
    ///
    /// # Errors
    ///
    /// One line when no calls can be made to it from this machine.
    pub fn at(description: Description, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, String> {
        let transport = Arc::new(ReqwestTransport::new(HostGuard::of(&description)?)?);
        Self::over(description, transport, clock, random)
    }

    fn over(
        description: Description,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, String> {
        let witness = Arc::new(Witness::new(transport, Arc::clone(&clock), description.clone()));
        let below = Arc::clone(&witness) as Arc<dyn Transport>;
        let application = HttpApplication::new(description, below, Arc::clone(&clock), random, &Metrics::default())?;
        Ok(Self { application, witness, clock })
    }

    /// Makes a call. A write is made, and a record removed, only with a ledger.
    ///
    /// # Errors
    ///
    /// One line when there is nothing to be sent: the description cannot express it, or the ledger does not take it.
    pub async fn attempt(&self, ask: &Ask, ledger: Option<&dyn PairStore>) -> Result<Attempt, String> {
        let understood = match (ask, ledger) {
            (Ask::Write(write), None) => {
                let headers = self.application.description().headers_of(write);
                Understood::Unsent(self.application.render(write)?, headers)
            }
            (Ask::Write(write), Some(ledger)) => self.written(write, ledger).await?,
            (Ask::Delete { id }, None) => {
                let headers = self.application.description().headers_of_delete();
                Understood::Unsent(self.application.render_delete(id)?, headers)
            }
            _ => self.answered(ask).await.unwrap_or_else(Understood::Nothing),
        };
        let (secrets, base_url) = (self.application.secrets().await, self.application.description().base_url());
        Ok(Attempt::new(secrets, base_url, self.witness.seen(), understood))
    }

    async fn answered(&self, ask: &Ask) -> Result<Understood, ReadError> {
        self.admitted().await?;
        Ok(match ask {
            Ask::Read { id } => Understood::Record(self.application.read(id).await?.map(Box::new)),
            Ask::Find { field, value } => Understood::Records(self.application.find(field, value).await?),
            Ask::Changed { since } => {
                let cursor = since.map_or(Value::Null, |since| json!(Cursor { since, newest: since }));
                Understood::Page(self.application.changed(&cursor, None).await?)
            }
            // Nothing is to be taken up again of it, so there is no intent.
            Ask::Delete { id } => Understood::Removed(self.application.delete(id).await?),
            Ask::Write(_) => return Err(ReadError::Refused("a write is no read".to_owned())),
        })
    }

    async fn admitted(&self) -> Result<(), ReadError> {
        match self.application.admit().await {
            Err(ReadError::Wait { after, .. }) if after <= PATIENCE => {
                self.clock.sleep_until(self.clock.now().plus(after)).await;
                self.application.admit().await
            }
            other => other,
        }
    }

    async fn written(&self, write: &Write, ledger: &dyn PairStore) -> Result<Understood, String> {
        let provenance =
            Provenance { correlation_id: NAME.to_owned(), topology: NAME.to_owned(), node: NAME.to_owned() };
        if let Err(error) = self.admitted().await {
            return Ok(Understood::Nothing(error));
        }
        let request = Arc::new(self.application.render(write)?);
        let profile = self.application.profile();
        let (target, deadline, request_life) = (profile.system.clone(), profile.deadline, profile.request_life);
        let source = RecordId::new(&System::new(NAME), format!("{}", self.clock.now().as_millis()));
        let not_taken = || "the ledger does not take the write".to_owned();
        let said = |error: pairline_sdk::StoreError| error.to_string();
        let intent = match write {
            Write::Create { .. } => {
                let (writes, inverse, contract) = (Arc::default(), None, NAME.to_owned());
                let create =
                    Create { source, target, contract, request, writes, inverse, deadline, request_life, provenance };
                match ledger.reserve(&create).await.map_err(said)? {
                    Reserve::Won(intent) => intent,
                    Reserve::Taken(_) | Reserve::Held(_) => return Err(not_taken()),
                }
            }
            Write::Update { id, .. } => {
                let adoption = Adoption {
                    record: Record::new(id, Fields::new()),
                    system: target.clone(),
                    names: source,
                    contract: NAME.to_owned(),
                    verified: true,
                    topology: NAME.to_owned(),
                };
                let Adopted::Paired(pair) = ledger.adopt(&adoption).await.map_err(said)? else {
                    return Err(not_taken());
                };
                let update = Update {
                    pair: pair.id,
                    target,
                    request,
                    writes: Arc::default(),
                    inverse: None,
                    rebase: Vec::new(),
                    supersedes: None,
                    notes: Vec::new(),
                    deadline,
                    request_life,
                    provenance,
                };
                match ledger.begin(&update, pair.revision).await.map_err(said)? {
                    Begin::Won(intent) => intent,
                    _ => return Err(not_taken()),
                }
            }
        };
        let outcome = self.application.send(&intent).await;
        ledger.settle(&intent, &outcome).await.map_err(said)?;
        Ok(Understood::Outcome(outcome))
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{MemoryStore, TestClock, TestRandom};

    use super::*;
    use crate::application::{Environment, Exchange, PlayedTransport};

    const ERP: &str = include_str!("../../../topologies/applications/erp.yaml");
    const TRYTON: &str = include_str!("../../../topologies/library/tryton.yaml");

    fn variables() -> Environment {
        Environment::of([
            ("ERP_TOKEN", "canary-token-of-the-erp"),
            ("ERP_WEBHOOK_SECRET", "canary-secret-of-the-webhooks"),
            ("TRYTON_USER", "sync"),
            ("TRYTON_PASSWORD", "canary-password"),
        ])
    }

    /// A call of a played system: what is shown, and the exit code.
    async fn shown(text: &str, exchanges: Value, ask: Ask, sends: bool) -> (String, Value, u8) {
        let description = Description::parse("a.yaml", text, &variables()).0.unwrap();
        let exchanges: Vec<Exchange> = serde_json::from_value(exchanges).unwrap();
        let transport = Arc::new(PlayedTransport::new(&description, exchanges));
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let store = MemoryStore::new(Arc::clone(&clock));
        let (below, random) = (Arc::clone(&transport) as Arc<dyn Transport>, Arc::new(TestRandom::default()));
        let attempts = Attempts::over(description, below, clock, random).unwrap();
        let ledger = sends.then_some(&store as &dyn PairStore);

        let attempt = attempts.attempt(&ask, ledger).await.unwrap();

        assert_eq!(transport.finish(), Vec::<String>::new());
        (attempt.text(), attempt.json(), attempt.exit_code())
    }

    fn fields(fields: Value) -> Fields {
        fields.as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn no_secret_is_shown_however_it_comes_back() {
        let said = json!({
            "id": "7",
            "note": "canary-token-of-the-erp",
            "hint": "CANARY-SECRET-of-the-webhooks",
            "list": [["canary-token-of-the-erp"]],
            "canary-token-of-the-erp": 1,
        });
        let cookie = json!({ "set-cookie": "session=canary-cookie", "x-echo": "Bearer canary-token-of-the-erp" });
        let read = json!([{
            "expect": { "method": "GET", "path": "/customers/7" },
            "answer": { "json": said, "headers": cookie },
        }]);

        let (text, json, code) = shown(ERP, read, Ask::Read { id: "7".to_owned() }, false).await;

        for shown in [text.to_lowercase(), json.to_string().to_lowercase()] {
            assert!(!shown.contains("canary"), "{shown}");
            assert!(shown.contains("***") && shown.contains("/customers/7"), "{shown}");
        }
        assert_eq!(code, 0);
    }

    #[tokio::test]
    async fn signing_in_is_shown_without_what_is_said() {
        let party = json!({ "id": 7, "name": "Ada", "active": true, "_timestamp": "1.5", "identifiers.": [] });
        let exchanges = json!([
            { "expect": { "method": "POST", "path": "/rpc/" }, "answer": { "json": { "result": [1, "canary-session"] } } },
            { "expect": { "method": "POST", "path": "/rpc/" }, "answer": { "json": { "id": 1, "result": [party] } } },
        ]);

        let (text, json, code) = shown(TRYTON, exchanges, Ask::Read { id: "7".to_owned() }, false).await;

        for shown in [&text, &json.to_string()] {
            assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
            assert_eq!(shown.matches("not shown: it signs in").count(), 2, "{shown}");
            assert!(shown.contains("search_read"), "{shown}");
        }
        assert!(text.contains("understood: a record\n  id       7\n"), "{text}");
        assert_eq!(code, 0);
    }

    #[tokio::test]
    async fn what_signing_in_has_got_is_not_shown_when_an_answer_repeats_it() {
        // As it is sent, and as it was given.
        let header = "Session c3luYzoxOmNhbmFyeS1zZXNzaW9u";
        let party =
            json!({ "id": 7, "name": header, "note": "canary-session", "_timestamp": "1.5", "identifiers.": [] });
        let exchanges = json!([
            { "expect": { "method": "POST", "path": "/rpc/" }, "answer": { "json": { "result": [1, "canary-session"] } } },
            {
                "expect": { "method": "POST", "path": "/rpc/", "headers": { "authorization": header } },
                "answer": { "json": { "id": 1, "result": [party] }, "headers": { "x-echo": header } },
            },
        ]);

        let (text, json, code) = shown(TRYTON, exchanges, Ask::Read { id: "7".to_owned() }, false).await;

        for shown in [&text, &json.to_string()] {
            assert!(!shown.contains("canary") && !shown.contains("c3luYzoxOmNh"), "{shown}");
            assert!(shown.contains("x-echo") && shown.contains("Session ***"), "{shown}");
        }
        assert_eq!((&json["understood"]["record"]["fields"]["note"], code), (&json!("***"), 0));
    }

    #[tokio::test]
    async fn a_write_is_shown_and_sent_only_when_that_is_wanted() {
        let create = || Ask::Write(Write::Create { fields: fields(json!({ "name": "Ada" })) });
        let update = || {
            Ask::Write(Write::Update { id: "7".to_owned(), fields: fields(json!({ "name": "Bea" })), version: None })
        };
        let answered = |method: &str, path: &str, status: u16| {
            json!([{
                "expect": { "method": method, "path": path },
                "answer": { "status": status, "json": { "id": "7", "name": "Ada" } },
            }])
        };

        let (text, json, code) = shown(ERP, json!([]), create(), false).await;
        assert!(text.contains("> POST ") && text.contains("/customers\n"), "{text}");
        assert!(text.contains("not sent") && text.contains("idempotency-key: ("), "{text}");
        assert_eq!((json["calls"].as_array().unwrap().len(), code), (0, 0));
        let (text, ..) = shown(ERP, json!([]), update(), false).await;
        assert!(text.contains("PATCH") && !text.contains("idempotency-key"), "{text}");

        let (text, json, code) = shown(ERP, answered("POST", "/customers", 201), create(), true).await;
        assert!(text.contains("understood: it was done\n  id       7"), "{text}");
        assert!(json["calls"][0]["headers"]["x-sync-origin"].as_str().unwrap().starts_with("pairline/"), "{json}");
        assert_eq!((&json["understood"]["outcome"], code), (&json!("committed"), 0));
        let (text, _, code) = shown(ERP, answered("PATCH", "/customers/7", 404), update(), true).await;
        assert!(text.contains("understood: there is no such record") && code == 65, "{text}");
        let (text, _, code) = shown(ERP, answered("POST", "/customers", 500), create(), true).await;
        assert!(text.contains("nobody knows whether it was done") && code == 69, "{text}");
    }

    #[tokio::test]
    async fn a_record_is_removed_only_when_that_is_wanted() {
        let ask = || Ask::Delete { id: "7".to_owned() };
        let answered = |status: u16| json!([{ "expect": { "method": "DELETE", "path": "/customers/7" }, "answer": { "status": status } }]);

        let (text, json, code) = shown(ERP, json!([]), ask(), false).await;
        assert!(text.starts_with("> DELETE ") && text.contains("/customers/7\n"), "{text}");
        assert!(text.contains("not sent") && !text.contains("content-type") && !text.contains("canary"), "{text}");
        assert_eq!((&json["understood"]["unsent"]["method"], code), (&json!("DELETE"), 0));
        assert_eq!(json["calls"], json!([]));

        let (text, json, code) = shown(ERP, answered(204), ask(), true).await;
        assert!(text.contains("understood: it was removed\n"), "{text}");
        assert_eq!((&json["understood"]["removed"], code), (&json!(true), 0));
        let (text, json, code) = shown(ERP, answered(404), ask(), true).await;
        assert!(text.contains("understood: there is no such record\n"), "{text}");
        assert_eq!((&json["understood"]["removed"], code), (&json!(false), 65));
        let (text, _, code) = shown(ERP, answered(400), ask(), true).await;
        assert!(text.contains("understood: refused") && code == 65, "{text}");
        let (text, _, code) = shown(ERP, answered(500), ask(), true).await;
        assert!(text.contains("understood: no answer to go by") && code == 69, "{text}");
    }

    #[tokio::test]
    async fn what_is_understood_of_a_listing_and_of_a_refusal_is_told() {
        let path = "/customers?updated_since=2023-11-14T22%3A13%3A20.000Z&limit=500";
        let at = "2023-11-14T22:13:21.000Z";
        let page = json!([{
            "expect": { "method": "GET", "path": path },
            "answer": { "json": { "data": [{ "id": "7", "updated_at": at, "name": "a\u{1b}[31m" }], "next_cursor": "7" } },
        }]);
        let refused = json!([{
            "expect": { "method": "GET", "path": "/customers/7" },
            "answer": { "status": 403, "json": {} },
        }]);

        let since = Some(Timestamp::from_millis(1_700_000_000_000));
        let (text, json, code) = shown(ERP, page, Ask::Changed { since }, false).await;

        assert!(text.contains("one record on the first page") && text.ends_with("there is another page\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!((&json["understood"]["more"], code), (&json!(true), 0));
        let (text, _, code) = shown(ERP, refused, Ask::Read { id: "7".to_owned() }, false).await;
        assert!(text.contains("understood: not now") && text.contains("ERP_TOKEN") && code == 69, "{text}");
    }
}
