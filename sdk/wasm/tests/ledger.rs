//! Writes of a component: through the ledger, once, and with the answer that the program has seen itself.
