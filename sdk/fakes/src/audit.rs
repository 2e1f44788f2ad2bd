//! Audit: how often each kind of call was made and how it was answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use axum::http::{Method, StatusCode};
use serde::Serialize;

/// What a call is, as far as faults and counters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) write: bool,
    pub(crate) creates: bool,
}

impl Call {
    pub(crate) fn new(method: &Method, path: &'static str) -> Self {
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::PUT => "PUT",
            _ => "other",
        };
        // A search and a batch of reads are POSTs that write nothing.
        let write = matches!(method, "POST" | "PATCH" | "DELETE" | "PUT") && !matches!(path, "search" | "batch_read");
        let makes_none = matches!(path, "batch_update" | "batch_archive" | "merge" | "purge");
        Self { method, path, write, creates: method == "POST" && write && !makes_none }
    }
}

/// How many calls of one kind got one answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CallCount {
    /// The HTTP method.
    pub method: &'static str,
    /// The kind of path: `contacts`, `contact`, `search`, `merge`, `purge`, `batch_create` and so on, `properties`,
    /// `customers`, `customer` or `other`.
    pub path: &'static str,
    /// The status of the answer; 0 when the connection was gone before there was one.
    pub status: u16,
    /// Whether the call was meant to write.
    pub write: bool,
    /// How many there were.
    pub count: u64,
}

/// The calls a server has seen, counted.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Calls(pub Vec<CallCount>);

impl Calls {
    /// All calls.
    pub fn total(&self) -> u64 {
        self.sum(|_| true)
    }

    /// Calls that were meant to write, whatever became of them.
    pub fn writes(&self) -> u64 {
        self.sum(|call| call.write)
    }

    /// Calls that only read.
    pub fn reads(&self) -> u64 {
        self.sum(|call| !call.write)
    }

    /// Calls with this method and kind of path.
    pub fn of(&self, method: &str, path: &str) -> u64 {
        self.sum(|call| call.method == method && call.path == path)
    }

    /// Calls answered with this status; 0 counts those that were not answered.
    pub fn answered(&self, status: u16) -> u64 {
        self.sum(|call| call.status == status)
    }

    fn sum(&self, counted: impl Fn(&CallCount) -> bool) -> u64 {
        let counts = self.0.iter().filter(|call| counted(call));
        counts.map(|call| call.count).sum()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Audit {
    calls: Mutex<HashMap<(Call, u16), u64>>,
    faults: Mutex<BTreeMap<&'static str, u64>>,
}

impl Audit {
    pub(crate) fn calls(&self) -> Calls {
        let calls = held(&self.calls);
        let counts = calls.iter().map(|((call, status), count)| CallCount {
            method: call.method,
            path: call.path,
            status: *status,
            write: call.write,
            count: *count,
        });
        let mut counts: Vec<_> = counts.collect();
        counts.sort_unstable();
        Calls(counts)
    }

    pub(crate) fn note_fault(&self, name: &'static str) {
        *held(&self.faults).entry(name).or_default() += 1;
    }

    pub(crate) fn faults(&self) -> BTreeMap<&'static str, u64> {
        held(&self.faults).clone()
    }
}

/// Counts a call when it ends, also when it ends because its caller is gone.
pub(crate) struct Ticket<'a> {
    audit: &'a Audit,
    call: Call,
    status: u16,
}

impl<'a> Ticket<'a> {
    pub(crate) fn new(audit: &'a Audit, call: Call) -> Self {
        Self { audit, call, status: 0 }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut calls = held(&self.audit.calls);
        *calls.entry((self.call, self.status)).or_default() += 1;
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("nobody panics while counting")
}
