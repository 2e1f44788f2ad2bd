//! The contract of the reference systems and every fault, over real sockets.

mod batch;
mod caller;
mod control;
mod crm;
mod delivery;
mod erp;
mod faults;
mod receiver;
mod search;
mod selection;
mod webhooks;
