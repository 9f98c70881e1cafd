import Foundation
import XCTest

@testable import Ortoo

/// Against a live server, from the programs in ORTOO_PROGRAMS, by default a debug build's.
final class PhoneTests: XCTestCase {
    private let pin = PhoneSecret.typed("246810")
    private let unit = "152522100200"
    private var place: URL!
    private var server: Process!

    override func setUpWithError() throws {
        place = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        server = Process()
        server.executableURL = program("ortoo-server")
        server.arguments =
            ["--data", data, "--json", "serve", "--listen", "127.0.0.1:0", "--sample"]
        let out = Pipe()
        server.standardOutput = out
        try server.run()
        // Its first line says that it listens.
        XCTAssertFalse(out.fileHandleForReading.availableData.isEmpty)
    }

    override func tearDownWithError() throws {
        server.terminate()
        server.waitUntilExit()
        try FileManager.default.removeItem(at: place)
    }

    private var data: String { place.appendingPathComponent("server").path }

    private func program(_ name: String) -> URL {
        let set = ProcessInfo.processInfo.environment["ORTOO_PROGRAMS"]
        let debug = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../../target/debug")
        return (set.map { URL(fileURLWithPath: $0) } ?? debug).appendingPathComponent(name)
    }

    private func link() throws -> String {
        let asked = Process()
        asked.executableURL = program("ortoo-server")
        asked.arguments = ["--data", data, "--json", "enrol-code", "--space", unit]
        let out = Pipe()
        asked.standardOutput = out
        try asked.run()
        let said = out.fileHandleForReading.readDataToEndOfFile()
        let answer = try JSONSerialization.jsonObject(with: said) as? [String: Any]
        return try XCTUnwrap(answer?["link"] as? String)
    }

    private func phone(_ name: String) async throws -> Phone {
        let directory = place.appendingPathComponent(name)
        _ = try await Phone.enrol(directory, secret: pin, link: link(), language: .english)
        let phone = try await Phone.open(directory, secret: pin, language: .english)
        try await phone.exchange()
        return phone
    }

    private func code(_ work: () async throws -> Void) async -> String? {
        do {
            try await work()
            return nil
        } catch {
            return (error as? OrtooError)?.code
        }
    }

    func testTwoPhonesSettleWhatTheyWroteApart() async throws {
        let (a, b) = (try await phone("a"), try await phone("b"))
        let id = try await a.add(.person, values: ["identity.name": "其其格"])
        try await a.exchange()
        try await b.exchange()
        try await a.edit(id, values: ["identity.name": "琪琪格"])
        try await b.edit(id, values: ["identity.name": "其其格玛"])
        try await a.exchange()
        try await b.exchange()
        let conflicts = try await b.conflicts()
        XCTAssertEqual(conflicts.map(\.key), ["identity.name"])
        try await b.resolve(id, key: "identity.name", choice: .take(at: 0))
        try await b.exchange()
        try await a.exchange()
        let settled = try await a.conflicts()
        XCTAssertEqual(settled, [])
        let (left, right) = (try await a.show(id), try await b.show(id))
        XCTAssertEqual(left.fields, right.fields)
    }

    func testADraftHearsWhatSavingWouldSay() async throws {
        let a = try await phone("a")
        let values = ["identity.name": "其其格", "identity.birth_date": "2999-01-01"]
        let checked = try await a.check(.new(subject: .person, unit: nil), values: values)
        XCTAssertEqual(checked.refused.map(\.code), ["future_date"])
        let refused = await code { _ = try await a.add(.person, values: values) }
        XCTAssertEqual(refused, "future_date")
    }

    func testAWrongSecretIsNamedAndAWipeAsksAboutWhatWasNeverSent() async throws {
        let a = try await phone("a")
        _ = try await a.add(.person, values: ["identity.name": "其其格"])
        let directory = place.appendingPathComponent("a")
        let wrong = await code {
            _ = try await Phone.open(directory, secret: .typed("135791"), language: .english)
        }
        XCTAssertEqual(wrong, "wrong_secret")
        let unsent = await code { try await a.wipe() }
        XCTAssertEqual(unsent, "unsent_changes")
        try await a.wipe(loseUnsent: true)
        let gone = await code {
            _ = try await Phone.open(directory, secret: self.pin, language: .english)
        }
        XCTAssertEqual(gone, "store_missing")
    }

    func testACancelledExchangeEndsAndTheNextOneGoesOn() async throws {
        let a = try await phone("a")
        _ = try await a.add(.person, values: ["identity.name": "其其格"])
        let exchange = _Concurrency.Task { try await a.exchange() }
        exchange.cancel()
        // Cancelled in the middle, or over before it heard.
        _ = await exchange.result
        try await a.exchange()
        let status = try await a.status()
        XCTAssertEqual(status.unsent, 0)
    }
}
