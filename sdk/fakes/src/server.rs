//! Server: what the CRM and the ERP have in common once they run.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use axum::response::Response;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::{Activity, UnderWay};
use crate::audit::{Audit, Calls};
use crate::delivery::{Courier, Deliveries, DeliveryRules, FirstAttempt, Letter};
use crate::dice::Dice;
use crate::faults::Faults;
use crate::mishap::{Mishap, Moments};
use crate::post::{HttpPost, Post};
use crate::refused::{Refused, System};
use crate::signature::Signer;
use crate::wall::Wall;

/// A running server: where it listens, what goes wrong on it, what it has seen.
///
/// Both [`Crm`](crate::Crm) and [`Erp`](crate::Erp) dereference to it.
pub struct Server {
    pub(crate) system: System,
    pub(crate) token: String,
    pub(crate) audit: Audit,
    pub(crate) dice: Dice,
    address: SocketAddr,
    wall: Wall,
    moments: Option<Arc<Moments>>,
    courier: Arc<Courier>,
    faults: RwLock<Arc<Faults>>,
    second: Mutex<Second>,
    refusals: AtomicU64,
    activity: Arc<Activity>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The running second of the rate limit.
#[derive(Default)]
struct Second {
    since: Option<Instant>,
    calls: u32,
}

/// What both configurations say about a server.
pub(crate) struct Setup {
    pub(crate) system: System,
    pub(crate) bind: SocketAddr,
    pub(crate) token: String,
    pub(crate) webhook_url: Option<String>,
    pub(crate) signer: Signer,
    pub(crate) rules: DeliveryRules,
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
}

impl Server {
    pub(crate) async fn bind(setup: Setup) -> io::Result<(Arc<Self>, TcpListener)> {
        let told = |refused: Refused| io::Error::new(io::ErrorKind::InvalidInput, refused.message);
        setup.faults.check().map_err(told)?;
        let listener = TcpListener::bind(setup.bind).await?;
        let setup = Setup { bind: listener.local_addr()?, ..setup };
        let server = Self::of(setup, Arc::new(HttpPost::new()?), Wall::of_the_machine(), None);
        Ok((Arc::new(server), listener))
    }

    /// A server that listens nowhere; `bind` is only what it says of itself. What goes wrong is decided by moments.
    pub(crate) fn embedded(setup: Setup, post: Arc<dyn Post>, wall: Wall) -> Self {
        Self::of(setup, post, wall, Some(Arc::new(Moments::new(wall))))
    }

    fn of(setup: Setup, post: Arc<dyn Post>, wall: Wall, moments: Option<Arc<Moments>>) -> Self {
        let stop = CancellationToken::new();
        let activity = Activity::new();
        let tasks = TaskTracker::new();
        let stream = |of| Dice::new(setup.seed, &format!("{:?} {of}", setup.system)).by(moments.clone());
        let courier = Courier::new(
            setup.webhook_url,
            setup.signer,
            setup.rules,
            stream("deliveries"),
            (post, wall),
            activity.clone(),
            stop.clone(),
            tasks.clone(),
        );
        Self {
            system: setup.system,
            token: format!("Bearer {}", setup.token),
            audit: Audit::default(),
            dice: stream("calls"),
            address: setup.bind,
            wall,
            moments,
            courier: Arc::new(courier),
            faults: RwLock::new(Arc::new(setup.faults)),
            second: Mutex::default(),
            refusals: AtomicU64::new(0),
            activity,
            stop,
            tasks,
        }
    }

    /// The clock it stamps its records with.
    pub fn wall(&self) -> Wall {
        self.wall
    }

    pub(crate) fn run(&self, listener: TcpListener, router: axum::Router) {
        let listening = crate::listener::listen(listener, router, self.stop.clone(), self.tasks.clone());
        self.tasks.spawn(listening);
    }

    /// The token that stops the server when dropped in a guard.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops listening, drops every connection and every undelivered webhook, and waits until that is done.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address, as callers want it.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The faults that are on now.
    pub fn faults(&self) -> Arc<Faults> {
        let faults = self.faults.read().expect("nobody panics holding them");
        faults.clone()
    }

    /// Changes the faults for the calls and deliveries that come; those under way keep theirs. A rate that is no share
    /// is refused, and nothing changes.
    pub fn set_faults(&self, faults: Faults) -> Result<(), Refused> {
        faults.check()?;
        *self.faults.write().expect("nobody panics holding them") = Arc::new(faults);
        Ok(())
    }

    /// Where webhooks go. Deliveries that wait for another attempt go there too.
    pub fn set_webhook_url(&self, url: impl Into<String>) {
        self.courier.set_address(Some(url.into()));
    }

    /// Calls so far, by method, kind of path and status.
    pub fn calls(&self) -> Calls {
        self.audit.calls()
    }

    /// How often each call fault has happened, by its name in [`Faults`] without `_rate`; `rate_limit` for the
    /// 429 of the rate limit.
    pub fn faults_happened(&self) -> BTreeMap<&'static str, u64> {
        self.audit.faults()
    }

    /// Everything that went wrong so far, in order, if the server is embedded.
    pub fn mishaps(&self) -> Vec<Mishap> {
        self.moments.as_ref().map(|moments| moments.struck()).unwrap_or_default()
    }

    /// From now on nothing goes wrong but this, and that only if the rates would have it; for an embedded server that
    /// plays an earlier run again.
    pub fn allow_only(&self, mishaps: BTreeSet<Mishap>) {
        if let Some(moments) = &self.moments {
            moments.allow_only(mishaps);
        }
    }

    /// What became of the deliveries so far.
    pub fn deliveries(&self) -> Deliveries {
        self.courier.deliveries()
    }

    /// Deliveries that are neither acknowledged nor given up: queued, on the wire, held back or between attempts.
    pub fn pending_deliveries(&self) -> usize {
        self.courier.pending()
    }

    /// How long the receiver took for each acknowledgement; the last 100,000 of them, in no order.
    pub fn ack_times(&self) -> Vec<Duration> {
        self.courier.ack_times()
    }

    /// How long nothing has been written and nothing announced. Zero while a write is under way or a delivery is
    /// pending. Reads do not disturb the quiet: a program that asks for changes would never be quiet.
    pub fn quiet_for(&self) -> Duration {
        self.activity.quiet_for()
    }

    pub(crate) fn announce(&self, letter: Arc<dyn Letter>) -> Option<FirstAttempt> {
        self.activity.touch();
        self.courier.send(&self.faults(), letter)
    }

    /// Whether this call is one too many within its second.
    pub(crate) fn exceeds(&self, calls_per_s: u32) -> bool {
        if calls_per_s == 0 {
            return false;
        }
        let mut second = self.second.lock().expect("nobody panics holding it");
        let now = Instant::now();
        let running = second.since.is_some_and(|since| now - since < Duration::from_secs(1));
        if !running {
            *second = Second { since: Some(now), calls: 0 };
        }
        second.calls = second.calls.saturating_add(1);
        second.calls > calls_per_s
    }

    /// The answer of this system to a call that it does not carry out.
    pub(crate) fn refuse(&self, refused: &Refused) -> Response {
        self.system.refuse(refused, self.refusals.fetch_add(1, Ordering::Relaxed))
    }

    /// Keeps the server from counting as quiet while a write is under way.
    pub(crate) fn begin_write(&self) -> UnderWay {
        self.activity.begin()
    }
}
