//! One target for every decoder: the program's name says which.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

fn decoder() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let program = std::env::args().next().unwrap_or_default();
        let name = std::path::Path::new(&program).file_name();
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    })
}

fuzz_target!(|input: &[u8]| ortoo_tests::fuzz::check(decoder(), input));
