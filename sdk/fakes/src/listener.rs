//! Listener: accepts callers and hands their requests to the router, until it is told to stop.

use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::line::Line;

/// A full file table must not turn the accept loop into a busy one.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

pub(crate) async fn listen(listener: TcpListener, router: Router, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let serving = serve(stream, router.clone());
                tasks.spawn(stop.clone().run_until_cancelled_owned(serving));
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    if stream.set_nodelay(true).is_err() {
        // The caller left between the handshake and here.
        return;
    }
    let line = Line::new(stream);
    let scissors = line.scissors();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(scissors.clone());
        router.clone().call(request)
    });
    // An error here is a caller that went away or a line we cut ourselves; both are everyday business.
    drop(http1::Builder::new().serve_connection(TokioIo::new(line), service).await);
}
