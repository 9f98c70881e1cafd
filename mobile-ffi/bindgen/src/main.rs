//! UniFFI's own generator at its own version; `cargo xtask bindings` calls it.

fn main() {
    uniffi::uniffi_bindgen_main();
}
