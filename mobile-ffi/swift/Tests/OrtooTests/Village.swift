import Foundation
import XCTest

import Ortoo

/// Every test has a sample server of its own, a built program on a loopback port that the system picks, and
/// phones in a temporary directory.
class VillageTestCase: XCTestCase {
    let pin = PhoneSecret.typed("246810")
    let unit = "152522100200"
    private(set) var place: URL!
    private var server: Process!

    override func setUpWithError() throws {
        place = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let (server, out) = try starting(
            "ortoo-server", ["--data", data, "--json", "serve", "--listen", "127.0.0.1:0", "--sample"])
        self.server = server
        // Its first line says that it listens.
        XCTAssertFalse(out.fileHandleForReading.availableData.isEmpty)
    }

    override func tearDownWithError() throws {
        // A server that was stopped by `silently` ends by nothing less.
        if let server = server {
            kill(server.processIdentifier, SIGKILL)
            server.waitUntilExit()
        }
        try FileManager.default.removeItem(at: place)
    }

    private var data: String { place.appendingPathComponent("server").path }

    /// The programs, in ORTOO_PROGRAMS, else beside the library, else where cargo leaves a debug build.
    private func program(_ name: String) -> URL {
        let set = ProcessInfo.processInfo.environment
        let named = (set["ORTOO_PROGRAMS"] ?? set["ORTOO_LIBRARY_DIR"]).map { URL(fileURLWithPath: $0) }
        let debug = repository.appendingPathComponent("target/debug")
        return (named ?? debug).appendingPathComponent(name)
    }

    var repository: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../..").standardized
    }

    private func starting(_ name: String, _ arguments: [String]) throws -> (Process, Pipe) {
        let program = program(name)
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw NotBuilt(program: program.path)
        }
        return try running(program, arguments)
    }

    private func running(_ program: URL, _ arguments: [String]) throws -> (Process, Pipe) {
        let process = Process()
        let out = Pipe()
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["RUST_LOG": "warn", "LANG": "C", "ORTOO_PIN": "246810"]) { $1 }
        process.standardOutput = out
        process.standardError = FileHandle.nullDevice
        try process.run()
        return (process, out)
    }

    /// What a program says that must succeed.
    func said(_ program: URL, _ arguments: [String]) throws -> Data {
        let (process, out) = try running(program, arguments)
        let said = out.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        XCTAssertEqual(process.terminationStatus, 0, String(decoding: said, as: UTF8.self))
        return said
    }

    /// A new enrolment link.
    func link() throws -> String {
        let said = try said(
            program("ortoo-server"), ["--data", data, "--json", "enrol-code", "--space", unit])
        let answer = try JSONSerialization.jsonObject(with: said) as? [String: Any]
        return try XCTUnwrap(answer?["link"] as? String)
    }

    /// Gives a bundle to the server; gives the bundle that goes back.
    func carried(_ bundle: Data) throws -> Data {
        let (there, back) = (directory("there"), directory("back"))
        try bundle.write(to: there)
        _ = try said(
            program("ortoo-server"),
            ["--data", data, "--json", "bundle", "import", there.path, "--reply", back.path])
        return try Data(contentsOf: back)
    }

    /// What only a person may order, with the sample installation's key of one.
    func order(_ arguments: String...) throws {
        let key = directory("server").appendingPathComponent("order.key").path
        _ = try said(
            program("ortoo-server"), ["--data", data, "--json"] + arguments + ["--key", key])
    }

    /// Whether the office has a record.
    func officeHas(_ id: String) throws -> Bool {
        let said = try said(program("ortoo-server"), ["--data", data, "--json", "records"])
        return String(decoding: said, as: UTF8.self).contains(id)
    }

    func directory(_ name: String) -> URL { place.appendingPathComponent(name) }

    func open(_ name: String, _ secret: PhoneSecret? = nil) async throws -> Phone {
        try await Phone.open(directory(name), secret: secret ?? pin, language: .english)
    }

    /// A new phone, enrolled, open and with the plan.
    func phone(_ name: String, _ secret: PhoneSecret? = nil) async throws -> Phone {
        _ = try await Phone.enrol(
            directory(name), secret: secret ?? pin, link: link(), language: .english)
        let phone = try await open(name, secret)
        try await phone.exchange()
        return phone
    }

    /// Does something while the server takes connections and answers nothing.
    func silently(_ work: () async throws -> Void) async throws {
        kill(server.processIdentifier, SIGSTOP)
        defer { kill(server.processIdentifier, SIGCONT) }
        try await work()
    }

    /// The code of the error that `work` fails with.
    func code(_ work: () async throws -> Void) async -> String? {
        do {
            try await work()
            return nil
        } catch {
            return (error as? OrtooError)?.code ?? "\(error)"
        }
    }
}

struct NotBuilt: Error, CustomStringConvertible {
    let program: String
    var description: String { "\(program) is not built: run `cargo build --workspace` first" }
}

/// A key store in memory. What it computes need not be an HMAC: a phone asks for 32 bytes that nobody
/// guesses, and the same ones again.
final class KeyStoreOfTests: PhoneKeyStore {
    private let key: UInt8
    private let bytes: Int

    init(key: UInt8, bytes: Int = 32) { (self.key, self.bytes) = (key, bytes) }

    func mac(message: Data) throws -> Data {
        let sum = message.reduce(key) { $0 &* 31 &+ $1 }
        return Data((0..<bytes).map { sum &+ UInt8($0) &* key })
    }
}

/// One that is locked.
final class LockedKeyStore: PhoneKeyStore {
    struct Locked: Error {}

    func mac(message: Data) throws -> Data { throw Locked() }
}
