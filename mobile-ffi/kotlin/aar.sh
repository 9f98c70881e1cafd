#!/bin/sh
# NOT RUN HERE: it needs the Android NDK, cargo-ndk and the four Rust targets, which no machine that
# tests this repository has. What it packs besides (classes, generated bindings) is tested on the JVM.
#
# Packs target/ortoo-phone.aar: the native library for four ABIs, the Kotlin classes, and the rules
# that keep what native code calls by name.
#
#   rustup target add aarch64-linux-android armv7-linux-androideabi x86_64-linux-android i686-linux-android
#   cargo install cargo-ndk
#   ANDROID_NDK_HOME=… sh aar.sh
#
# An app depends on the AAR, and on net.java.dev.jna:jna:5.19.1@aar and
# org.jetbrains.kotlinx:kotlinx-coroutines-android by itself.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
aar=$here/target/aar
: "${ANDROID_NDK_HOME:?set it to the directory of the Android NDK}"

cd "$root"
rm -rf "$aar"
mkdir -p "$aar"

# Bindings first: they are made from the host's library and must be of the same build.
cargo xtask bindings kotlin
cargo ndk --platform 24 -t arm64-v8a -t armeabi-v7a -t x86_64 -t x86 -o "$aar/jni" \
    build --locked --profile mobile -p mobile-ffi

for abi in arm64-v8a armeabi-v7a x86_64 x86; do
    test -f "$aar/jni/$abi/libortoo_ffi.so"
done

cd "$here"
mvn -q -B compile
# R.txt is empty and has to be there: the library has no resources.
: >"$aar/R.txt"
jar --create --file "$aar/classes.jar" -C target/classes .
cp AndroidManifest.xml "$aar/AndroidManifest.xml"
cp consumer-rules.pro "$aar/proguard.txt"
(cd "$aar" && jar --create --no-manifest --file "$here/target/ortoo-phone.aar" \
    AndroidManifest.xml R.txt proguard.txt classes.jar jni)
echo "$here/target/ortoo-phone.aar"
