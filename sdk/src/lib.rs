//! What a Pairline node, store, engine or application is. No I/O and no runtime.
//!
//! The smallest node:
//!
//! ```
//! use async_trait::async_trait;
//! use pairline_sdk::{NodeDescription, NodeError, PlatformKind, ProcessAction, ProcessDto};
//!
//! struct Greet(NodeDescription);
//!
//! #[async_trait]
//! impl ProcessAction for Greet {
//!     fn describe(&self) -> &NodeDescription {
//!         &self.0
//!     }
//!
//!     async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
//!         Ok(dto.with("greeting", "hello"))
//!     }
//! }
//!
//! let node = Greet(NodeDescription::new("greet", "Greets.", PlatformKind::Custom));
//! assert_eq!(node.describe().kind, "greet");
//! ```
//!
//! Start reading at [`ProcessAction`]; then [`PairStore`], [`Application`] and [`Engine`], the three ports, whose
//! documentation is the contract: what may be repeated, which crash each method survives, what happens next.

mod application;
mod clock;
mod contract;
mod description;
mod engine;
mod error;
#[cfg(doc)]
pub mod guide;
pub mod headers;
pub mod ledger;
pub mod message;
mod outside;
mod owner_guard;
mod pair_store;
mod process_action;
mod process_dto;
pub mod record;
mod registry;
mod result_code;
mod sync_contract;
#[cfg(feature = "testing")]
pub mod testing;
mod usage;

pub use application::{Application, CapabilityClass, ChangedPage, Outcome, Profile, ReadError, Request, Write};
pub use clock::{Clock, Random, Timestamp, time_ordered_id};
pub use contract::Contract;
pub use description::{Effect, NodeDescription, PlatformKind, Route, RouteDefault, Setting, SettingKind};
pub use engine::{
    Arrival, Control, Delivery, Disposition, Engine, EngineError, EventFacts, EventKind, Health, Hint, InboxEvent,
    ListQuery, Listed, Taken, TrashId, TrashItem, TrashState, Unreadable, WaitingHint, Worker,
};
pub use error::NodeError;
pub use ledger::{
    Agreement, FieldWrite, Intent, InverseWrite, Operation, OperationId, OperationKind, OperationState, Pair, PairId,
    PairSide, PairState, Provenance, Reservation, Revision, WriteReason,
};
pub use outside::{HttpClient, HttpError, HttpRequest, HttpResponse, NothingOutside, Secrets};
pub use owner_guard::OwnerGuard;
pub use pair_store::{
    Adopted, Adoption, Begin, Case, CaseId, CaseKind, Create, Creates, Echo, History, Look, Note, NoteKind, PairStore,
    Persisted, Rebase, Resend, Reserve, SendAgain, Settled, StoreCounts, StoreError, Update, judge_echo,
};
pub use process_action::ProcessAction;
pub use process_dto::{ProcessDto, WrongText};
pub use record::{Fields, Record, RecordId, System};
pub use registry::{Misfit, NodeKind, Ports, Registry, settings};
pub use result_code::ResultCode;
pub use sync_contract::{
    Canonical, ContractDocument, ContractProblem, Field, FieldDocument, FieldKind, Names, Owner, Policy, SyncContract,
    Transform, Violation, Written,
};
pub use usage::{Grants, Limits, Need, PairsGrant, Usage};
