//! Topologies: as written, as wired, and everything that can be wrong between the two.

mod document;
mod graph;
mod lint;
mod render;
mod settings;
mod wiring;

pub use document::{
    Followers, NextDocument, NodeDocument, PollDocument, StartDocument, TopologyDocument, TopologyText, WebhookDocument,
};
pub use graph::{Graph, Next, NodeUse, RouteUse, Start, Step};
pub use lint::{Feeds, Known, lint, lint_together};
pub use render::{GraphFormat, render};
pub(crate) use settings::{Around, Settings};
