//! A component of a core module, as the compilers of Rust and C make it.

use wit_component::ComponentEncoder;

/// Makes a component of a module that was compiled against the contract and carries its description in a section, as
/// `wit-bindgen` puts it there. A component comes back as it is.
///
/// # Errors
///
/// One line: it is no module, or none that was compiled against the contract.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, String> {
    if is_component(module) {
        return Ok(module.to_vec());
    }
    let Ok((without_description, _)) = wit_component::metadata::decode(module) else {
        return Err("is not WebAssembly".to_owned());
    };
    if without_description.is_none() {
        return Err(
            "says nothing of what it was built against: the bindings that `wit-bindgen` makes put that in".to_owned()
        );
    }
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let wrapped = encoder.and_then(|mut encoder| encoder.encode());
    wrapped.map_err(|error| format!("cannot be made a component: {error:#}"))
}

/// By the layer that stands in the fifth byte and after it.
pub(crate) fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm") && bytes.get(6..8) == Some([1, 0].as_slice())
}
