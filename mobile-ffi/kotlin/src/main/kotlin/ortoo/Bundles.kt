package ortoo

// The types of bundles, under this package's name. The bytes are a file: share it, show it as codes, send
// it by satellite; whoever carries it reads nothing.

/** A bundle to give to whoever travels. */
public typealias RelayBundle = ortoo.ffi.RelayBundle

/** What a bundle brought. */
public typealias BundleReport = ortoo.ffi.BundleReport

/** What a store holds that the server does not have, as a bundle for the server alone. */
public typealias Outbox = ortoo.ffi.Outbox
