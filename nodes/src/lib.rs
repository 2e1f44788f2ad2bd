//! The nodes of the two-way sync.
