#!/bin/sh
# NOT RUN HERE: it needs macOS with Xcode and the three Rust targets, which no machine that tests this
# repository has.
#
# Packs OrtooFFI.xcframework: static libraries for devices and simulators, with the C header.
#
#   rustup target add aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios
#   sh xcframework.sh
#
# In Xcode add the XCFramework, Sources/Generated/OrtooFFI and Sources/Ortoo to the app's project; or make
# a binaryTarget of it in place of the systemLibrary in Package.swift.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$here/.build/xcframework

cd "$root"
cargo xtask bindings swift
for target in aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios; do
    cargo rustc --locked -p mobile-ffi --profile mobile --lib --crate-type staticlib --target "$target"
done

rm -rf "$out"
mkdir -p "$out/headers" "$out/simulator"
cp "$here"/Sources/Generated/ortoo_ffiFFI/* "$out/headers/"
lipo -create -output "$out/simulator/libortoo_ffi.a" \
    target/aarch64-apple-ios-sim/mobile/libortoo_ffi.a \
    target/x86_64-apple-ios/mobile/libortoo_ffi.a
xcodebuild -create-xcframework \
    -library target/aarch64-apple-ios/mobile/libortoo_ffi.a -headers "$out/headers" \
    -library "$out/simulator/libortoo_ffi.a" -headers "$out/headers" \
    -output "$out/OrtooFFI.xcframework"
echo "$out/OrtooFFI.xcframework"
