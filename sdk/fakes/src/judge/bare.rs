//! Bare: the least a receiver can do, as a yardstick.
//!
//! Webhook, read the record, write the other side. Ids in memory, no persistence, no order, no guarantee of anything.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::judge::meaning::{Meaning, Side};
use crate::judge::ownership::Ownership;
use crate::signature::{crm_signature, erp_signature};

/// Records in work at once. More would only wait in the systems instead.
const AT_ONCE: usize = 32;

/// Why it could not start.
#[derive(Debug)]
pub struct BareError(String);

impl fmt::Display for BareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BareError {}

struct Bare {
    http: reqwest::Client,
    crm_contacts: String,
    erp_customers: String,
    crm_token: String,
    erp_token: String,
    app_id: String,
    origin: String,
    secrets: [String; 2],
    crm_webhook_url: String,
    /// Ids of the other side, by side.
    ids: Mutex<[HashMap<String, String>; 2]>,
    at_once: Semaphore,
}

/// Serves the contract's environment until the process ends.
pub async fn bare_receiver() -> Result<(), BareError> {
    serve(|name| std::env::var(name).ok()).await
}

/// Serves any environment, until it is dropped.
pub(crate) async fn serve(env: impl Fn(&str) -> Option<String>) -> Result<(), BareError> {
    let env = |name: &str| env(name).ok_or_else(|| BareError(format!("expected {name} in the environment")));
    let port: u16 = env("PORT")?.parse().map_err(|_| BareError("expected a number in PORT".to_owned()))?;
    let http = crate::loopback_client().tcp_nodelay(true).build();
    let bare = Bare {
        http: http.map_err(|error| BareError(error.to_string()))?,
        crm_contacts: format!("{}/crm/v3/objects/contacts", env("CRM_BASE_URL")?),
        erp_customers: format!("{}/customers", env("ERP_BASE_URL")?),
        crm_token: format!("Bearer {}", env("CRM_TOKEN")?),
        erp_token: format!("Bearer {}", env("ERP_TOKEN")?),
        app_id: env("CRM_APP_ID")?,
        origin: env("SYNC_ORIGIN")?,
        secrets: [env("CRM_CLIENT_SECRET")?, env("ERP_WEBHOOK_SECRET")?],
        crm_webhook_url: env("CRM_WEBHOOK_URL")?,
        ids: Mutex::default(),
        at_once: Semaphore::new(AT_ONCE),
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.map_err(|error| BareError(error.to_string()))?;
    let router = Router::new()
        .route("/webhooks/crm", post(from_crm))
        .route("/webhooks/erp", post(from_erp))
        .with_state(Arc::new(bare));
    crate::listener::listen(listener, router, CancellationToken::new(), TaskTracker::new()).await;
    Ok(())
}

async fn from_crm(State(bare): State<Arc<Bare>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed_at = header("x-hubspot-request-timestamp");
    let signature = crm_signature(&bare.secrets[0], &bare.crm_webhook_url, &body, signed_at);
    if signature != header("x-hubspot-signature-v3") {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(events) = serde_json::from_slice::<Vec<Value>>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let foreign = events.iter().filter(|event| event["sourceId"] != bare.app_id.as_str());
    let ids: BTreeSet<_> = foreign.filter_map(|event| event["objectId"].as_u64()).collect();
    for id in ids {
        bare.clone().start(Side::Crm, id.to_string());
    }
    StatusCode::NO_CONTENT
}

async fn from_erp(State(bare): State<Arc<Bare>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-signature").and_then(|value| value.to_str().ok());
    if signature != Some(&erp_signature(&bare.secrets[1], &body)) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    if event["origin"] != bare.origin.as_str()
        && let Some(id) = event["customer_id"].as_str()
    {
        bare.clone().start(Side::Erp, id.to_owned());
    }
    StatusCode::NO_CONTENT
}

impl Bare {
    fn start(self: Arc<Self>, side: Side, id: String) {
        tokio::spawn(async move {
            // What fails is lost: that is what bare means.
            let _turn = self.at_once.acquire().await;
            self.carry_over(side, &id).await
        });
    }

    async fn carry_over(&self, side: Side, id: &str) -> Option<()> {
        let record = self.call(Method::GET, side, Some(id), None).await?;
        let fields = match side {
            Side::Crm => record.get("properties")?.as_object()?,
            Side::Erp => record.as_object()?,
        };
        let other = side.other();
        let known = self.known(side, id).or_else(|| side.inverse(fields).map(str::to_owned));
        let mut sent = Map::new();
        let ownership = Ownership::default();
        for meaning in Meaning::ALL {
            let value = meaning.read(side, fields);
            let ours = ownership.owner(meaning).is_none_or(|owner| owner == side);
            if (known.is_none() && value.is_some()) || (known.is_some() && ours) {
                meaning.type_into(other, value.as_deref(), &mut sent);
            }
        }
        if let Some(known) = known {
            self.call(Method::PATCH, other, Some(&known), Some(sent)).await?;
            return Some(());
        }
        point_at(other, id, &mut sent);
        let made = self.call(Method::POST, other, None, Some(sent)).await?;
        let made = made.get("id")?.as_str()?;
        self.pair(side, id, made);
        let mut inverse = Map::new();
        point_at(side, made, &mut inverse);
        self.call(Method::PATCH, side, Some(id), Some(inverse)).await.map(drop)
    }

    async fn call(
        &self,
        method: Method,
        side: Side,
        id: Option<&str>,
        fields: Option<Map<String, Value>>,
    ) -> Option<Value> {
        let (base, token) = match side {
            Side::Crm => (&self.crm_contacts, &self.crm_token),
            Side::Erp => (&self.erp_customers, &self.erp_token),
        };
        let url = id.map_or_else(|| base.clone(), |id| format!("{base}/{id}"));
        let mut request = self.http.request(method, url).header("authorization", token);
        if let Some(fields) = fields {
            let body = match side {
                Side::Crm => json!({ "properties": fields }),
                Side::Erp => Value::Object(fields),
            };
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        if side == Side::Erp {
            request = request.header("x-sync-origin", &self.origin);
        }
        let answer = request.send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    fn known(&self, side: Side, id: &str) -> Option<String> {
        let ids = self.ids.lock().expect("nobody panics holding them");
        ids[side as usize].get(id).cloned()
    }

    fn pair(&self, side: Side, id: &str, other: &str) {
        let mut ids = self.ids.lock().expect("nobody panics holding them");
        ids[side as usize].insert(id.to_owned(), other.to_owned());
        ids[side.other() as usize].insert(other.to_owned(), id.to_owned());
    }
}

/// Writes the other side's id where this side keeps it.
fn point_at(side: Side, id: &str, fields: &mut Map<String, Value>) {
    match side {
        Side::Crm => fields.insert("erp_id".to_owned(), id.into()),
        Side::Erp => fields.insert("custom_fields".to_owned(), json!({ "crm_id": id })),
    };
}
