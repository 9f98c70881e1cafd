"""A second implementation of the protocol, for tests: written from docs/protocol.md, not from the
Rust code, with nothing but Python's standard library."""
