//! For tests: in-memory ports, applications the test plays, the node tester, and the suites every store and every
//! engine must pass.

mod contact;

pub use contact::{contact_contract, contact_document};
