// swift-tools-version:5.9
// The phone for Swift: generated bindings, a thin layer by hand, tests against a live server.
//
// `cargo xtask bindings swift` makes the code in Sources/Generated. The library comes from
//
// - ORTOO_LIBRARY_DIR, a folder with the shared library, if that is set, as tests do;
// - else on macOS from Sources/Generated/OrtooFFI.xcframework, which `xcframework.sh` makes: apps for iOS;
// - else from where cargo leaves a debug build.
//
// Whether a file is there decides nothing: SwiftPM remembers what came out for an environment.

import Foundation
import PackageDescription

let named = ProcessInfo.processInfo.environment["ORTOO_LIBRARY_DIR"]
#if os(macOS)
    let isPacked = named == nil
#else
    let isPacked = false
#endif

let library: Target
let linked: [LinkerSetting]
if isPacked {
    library = .binaryTarget(
        name: "ortoo_ffiFFI", path: "Sources/Generated/OrtooFFI.xcframework")
    // A static library can't say itself what it needs of the system: TLS asks it whom to trust.
    linked = [.linkedFramework("CoreFoundation"), .linkedFramework("Security")]
} else {
    let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let debug = here.appendingPathComponent("../../target/debug").standardized.path
    let libraries = named ?? debug
    library = .systemLibrary(name: "ortoo_ffiFFI", path: "Sources/Generated/ortoo_ffiFFI")
    linked = [
        .linkedLibrary("ortoo_ffi"),
        .unsafeFlags(["-L", libraries, "-Xlinker", "-rpath", "-Xlinker", libraries]),
    ]
}

let package = Package(
    name: "Ortoo",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Ortoo", targets: ["Ortoo"])],
    targets: [
        library,
        .target(
            name: "OrtooFFI", dependencies: ["ortoo_ffiFFI"], path: "Sources/Generated/OrtooFFI",
            linkerSettings: linked),
        .target(name: "Ortoo", dependencies: ["OrtooFFI"]),
        .executableTarget(name: "GuideApp", dependencies: ["Ortoo"], path: "Example"),
        .testTarget(name: "OrtooTests", dependencies: ["Ortoo"]),
    ]
)
