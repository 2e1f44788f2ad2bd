//! Makes WebAssembly components of nodes: one source, compiled into the program or as a component.
//!
//! A node sees its ports and nothing else, and here the ports lead out of the sandbox. The whole of a component is
//!
//! ```ignore
//! pairline_guest::component! {
//!     register: my_nodes::score::register,
//!     kind: "score",
//!     ports: [pairs: read, http, secrets],
//! }
//! ```
//!
//! in a crate of type `cdylib`. `ports` lists what the node uses, as it must then be granted; a port that is not listed is
//! not in the component, and fails when it is used.

pub mod bindings;
pub mod outside;
pub mod ports;
mod run;
pub mod store;
pub mod systems;

pub use pairline_sdk;
pub use run::{describe, process};

/// Makes this crate the component of one node kind.
///
/// `register` puts the kind into a registry, as for the native program. `ports` are those of `grants` in a topology:
/// `pairs: read` or `pairs: write`, `applications`, `writes`, `http`, `secrets`.
#[macro_export]
macro_rules! component {
    (register: $register:path, kind: $kind:literal, ports: [$($port:ident $(: $how:ident)?),* $(,)?] $(,)?) => {
        // Elsewhere nothing is exported: no native linker knows the names that the contract gives to functions.
        #[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "it is exported from a component alone"))]
        struct Component;

        impl $crate::bindings::exports::pairline::node::action::Guest for Component {
            fn describe() -> ::std::string::String {
                $crate::describe($register, $kind)
            }

            fn process(
                message: $crate::bindings::pairline::node::types::Message,
            ) -> ::std::result::Result<
                $crate::bindings::pairline::node::types::Answer,
                $crate::bindings::pairline::node::types::Failure,
            > {
                $crate::process(message, $register, $kind, || {
                    #[allow(unused_mut)]
                    let mut chosen = $crate::ports::Chosen::default();
                    $($crate::component!(@port chosen $port $($how)?);)*
                    chosen
                })
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::bindings::export!(Component with_types_in $crate::bindings);
    };
    (@port $chosen:ident pairs read) => {
        $chosen.store = ::std::sync::Arc::new($crate::store::Store($crate::store::Pairs, $crate::store::Nothing))
    };
    (@port $chosen:ident pairs write) => {
        $chosen.store = ::std::sync::Arc::new($crate::store::Store($crate::store::Pairs, $crate::store::Ledger))
    };
    (@port $chosen:ident applications) => { $chosen.readable = ::std::option::Option::Some($crate::systems::readable) };
    (@port $chosen:ident writes) => { $chosen.writable = ::std::option::Option::Some($crate::systems::writable) };
    (@port $chosen:ident http) => { $chosen.http = ::std::sync::Arc::new($crate::outside::Hosts) };
    (@port $chosen:ident secrets) => { $chosen.secrets = ::std::sync::Arc::new($crate::outside::Named) };
}
