//! SQLite behind the `PairStore` and `Engine` ports.
