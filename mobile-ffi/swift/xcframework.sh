#!/bin/sh
# NOT RUN HERE: it needs macOS with Xcode and the three Rust targets, which no machine that tests this
# repository has.
#
# Packs Sources/Generated/OrtooFFI.xcframework: static libraries for devices and simulators, with the C
# header. Package.swift takes it on macOS unless ORTOO_LIBRARY_DIR is set: add this folder to the app as a
# local package.
#
#   rustup target add aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios
#   sh xcframework.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
generated=$here/Sources/Generated
parts=$here/.build/xcframework

# As Package.swift says; otherwise the C code in the library is built for the newest iOS only.
IPHONEOS_DEPLOYMENT_TARGET=15.0
export IPHONEOS_DEPLOYMENT_TARGET

cd "$root"
cargo xtask bindings swift
for triple in aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios; do
    cargo rustc --locked -p mobile-ffi --profile mobile --lib --crate-type staticlib --target "$triple"
done

rm -rf "$parts" "$generated/OrtooFFI.xcframework"
# In a folder of the module's name: Xcode lays the headers of all frameworks of an app into one folder,
# where two module.modulemap would stand in each other's way.
mkdir -p "$parts/headers/ortoo_ffiFFI" "$parts/simulator"
cp "$generated"/ortoo_ffiFFI/* "$parts/headers/ortoo_ffiFFI/"
lipo -create -output "$parts/simulator/libortoo_ffi.a" \
    "$target/aarch64-apple-ios-sim/mobile/libortoo_ffi.a" \
    "$target/x86_64-apple-ios/mobile/libortoo_ffi.a"
xcodebuild -create-xcframework \
    -library "$target/aarch64-apple-ios/mobile/libortoo_ffi.a" -headers "$parts/headers" \
    -library "$parts/simulator/libortoo_ffi.a" -headers "$parts/headers" \
    -output "$generated/OrtooFFI.xcframework"
echo "$generated/OrtooFFI.xcframework"
