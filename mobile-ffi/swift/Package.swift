// swift-tools-version:5.9
// The phone for Swift: generated bindings, a thin layer by hand, tests against a live server.
//
// `cargo xtask bindings swift` makes Sources/Generated. The library is found in ORTOO_LIBRARY_DIR, by
// default where cargo leaves a debug build; apps for iOS link the XCFramework of xcframework.sh.

import Foundation
import PackageDescription

let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
let debug = here.appendingPathComponent("../../target/debug").standardized.path
let libraries = ProcessInfo.processInfo.environment["ORTOO_LIBRARY_DIR"] ?? debug
let found: [LinkerSetting] = [
    .linkedLibrary("ortoo_ffi"),
    .unsafeFlags(["-L", libraries, "-Xlinker", "-rpath", "-Xlinker", libraries]),
]

let package = Package(
    name: "Ortoo",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Ortoo", targets: ["Ortoo"])],
    targets: [
        .systemLibrary(name: "ortoo_ffiFFI", path: "Sources/Generated/ortoo_ffiFFI"),
        .target(
            name: "OrtooFFI", dependencies: ["ortoo_ffiFFI"], path: "Sources/Generated/OrtooFFI",
            linkerSettings: found),
        .target(name: "Ortoo", dependencies: ["OrtooFFI"]),
        .executableTarget(name: "GuideApp", dependencies: ["Ortoo"], path: "Example"),
        .testTarget(name: "OrtooTests", dependencies: ["Ortoo"]),
    ]
)
