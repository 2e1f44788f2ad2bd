//! The fault matrix: a hundred ways in which two systems drift apart, and for each what the code does about it today.
//!
//! `rows` is the list; a test of a row is called `fm_` and the row's number, here or beside what it is about. `report`
//! holds the list, the tests and the page in `sdk/docs` together.

mod create;
mod delivery;
mod fields;
mod identity;
mod limits;
mod remote;
mod report;
mod rows;
mod security;
mod storage;
mod world;
