//! The door: routes, and connections: few enough, and none that never says what it wants.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::problem::Problem;
use super::receiver::Receiver;
use crate::metrics::{BUILD_INFO, Metrics};

/// Connections at once; more wait in the machine's own queue.
const CONNECTIONS: usize = 1024;
/// A request's head must be there by then; an idle connection is closed after as long.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// Deliveries under way are waited for this long when the program stops.
const STOP_WITHIN: Duration = Duration::from_millis(1500);
/// A full file table must not turn the accept loop into a busy one.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Reads what can be measured into the metrics, when somebody looks.
#[async_trait]
pub trait Measured: Send + Sync {
    /// Whether the program can do its work now, which is to take a delivery and keep it.
    ///
    /// # Errors
    ///
    /// One line that says why not; `/readyz` passes it on.
    async fn ready(&self) -> Result<(), String>;

    /// Brings the gauges up to date.
    ///
    /// # Errors
    ///
    /// One line when some of them cannot be read.
    async fn measure(&self) -> Result<(), String>;
}

/// Serves webhooks, probes and metrics.
pub struct Listener {
    doors: Arc<Doors>,
}

struct Doors {
    receiver: Receiver,
    metrics: Arc<Metrics>,
    measured: Arc<dyn Measured>,
}

impl Listener {
    /// Webhooks go to the receiver; `measured` answers `/readyz`, and is asked before `/metrics` is shown.
    pub fn new(receiver: Receiver, metrics: Arc<Metrics>, measured: Arc<dyn Measured>) -> Self {
        metrics.number(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")]).set(1);
        Self { doors: Arc::new(Doors { receiver, metrics, measured }) }
    }

    /// What it serves, for whoever serves it himself.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/webhooks/{application}", post(deliver))
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here"))
            .method_not_allowed_fallback(async || {
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "expected another method for this path")
            })
            .with_state(self.doors.clone())
    }

    /// Serves until told to stop; then finishes what is under way, within limits.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let router = self.router();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = async {
                    let place = room.clone().acquire_owned().await;
                    (place, listener.accept().await)
                } => accepted,
            };
            match accepted {
                (Ok(place), Ok((stream, _))) => {
                    let (router, stop) = (router.clone(), stop.clone());
                    tasks.spawn(async move {
                        connection(stream, router, stop).await;
                        drop(place);
                    });
                }
                (_, Err(error)) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                }
                (Err(_), _) => break,
            }
        }
        drop(listener);
        tasks.close();
        if tokio::time::timeout(STOP_WITHIN, tasks.wait()).await.is_err() {
            warn!("some deliveries were still under way when the program stopped; their senders will repeat them");
        }
    }
}

async fn deliver(State(doors): State<Arc<Doors>>, Path(name): Path<String>, request: Request) -> Response {
    doors.receiver.receive(&name, request).await
}

async fn readyz(State(doors): State<Arc<Doors>>) -> Response {
    match doors.measured.ready().await {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => Problem::come_back(&reason).into_response(),
    }
}

async fn metrics(State(doors): State<Arc<Doors>>) -> Response {
    if let Err(reason) = doors.measured.measure().await {
        // What is counted elsewhere is still worth showing.
        debug!(reason, "some gauges are not up to date");
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], doors.metrics.render()).into_response()
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "a caller left at the door");
        return;
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_header_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}
