//! Door: a server without a socket, for whoever plays the network himself.

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tower_service::Service;

use crate::line::Scissors;

/// Takes requests as they come off a wire.
#[derive(Clone)]
pub struct Door(Router);

impl Door {
    pub(crate) fn of(router: Router) -> Self {
        Self(router)
    }

    /// Hands a request in. Nothing comes back when the server resets the connection.
    ///
    /// Whoever gives up waiting drops the future; a write that has begun is finished all the same.
    pub async fn call(&self, mut request: Request) -> Option<Response> {
        let scissors = Scissors::default();
        request.extensions_mut().insert(scissors.clone());
        let answer = match self.0.clone().call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        (!scissors.is_cut()).then_some(answer)
    }
}
