import Foundation
import XCTest

import Ortoo

/// What the office orders, and what it makes of a phone.
final class OfficeTests: VillageTestCase {
    func testWhatWasWrittenOnAnErasedRecordIsKeptUntilItsAuthorDecides() async throws {
        let (a, b) = (try await phone("a"), try await phone("b"))
        let her = try await a.add(.person, values: ["identity.name": "其其格"])
        let other = try await a.add(.person, values: ["identity.name": "娜仁"])
        for phone in [a, b] { try await phone.exchange() }
        try await b.edit(her, values: ["identity.name": "斯琴高娃", "background.literate": "true"])
        try await b.edit(other, values: ["identity.phone": "10012345678"])
        try order("erase", her, other)
        for phone in [a, b] {
            try await phone.exchange()
            let left = try await phone.list(.person)
            XCTAssertEqual(left, [])
        }
        let (nothing, both) = (try await a.status(), try await b.status())
        XCTAssertEqual([nothing.kept, both.kept], [0, 2])
        let kept: [KeptEdit] = try await b.kept()
        XCTAssertEqual(Set(kept.map(\.record)), [her, other])
        let hers = try XCTUnwrap(kept.first { $0.record == her })
        XCTAssertEqual(hers.unit, unit)
        XCTAssertEqual(hers.text("identity.name"), "斯琴高娃")
        XCTAssertEqual(hers.text("background.literate"), "true")

        let anew = try await b.registerKept(her)
        try await b.dropKept(other)
        for record in [her, other] {
            let again = await code { _ = try await b.registerKept(record) }
            XCTAssertEqual(again, "nothing_kept")
        }
        let dropped = await code { try await b.dropKept(other) }
        XCTAssertEqual(dropped, "nothing_kept")
        for phone in [b, a] {
            try await phone.exchange()
            let (rows, status) = (try await phone.list(.person), try await phone.status())
            XCTAssertEqual(rows.map(\.id), [anew])
            XCTAssertEqual(rows[0].text("identity.name"), "斯琴高娃")
            XCTAssertEqual(status.kept, 0)
        }
    }

    func testNewKeysMakeAnotherDeviceThatLosesNothingAndExchangesOn() async throws {
        let (a, b) = (try await phone("a"), try await phone("b"))
        let before = try await a.status()
        let id = try await a.add(.person, values: ["identity.name": "其其格"])
        let report = try await a.renewKeys()
        let after = try await a.status()
        XCTAssertGreaterThan(report.batchesUp, 0)
        XCTAssertEqual(report.renewed, after.device)
        XCTAssertNotEqual(before.device, after.device)
        try await a.edit(id, values: ["identity.name": "琪琪格"])
        let quiet = try await a.exchange()
        XCTAssertNil(quiet.renewed)
        try await b.exchange()
        let shown = try await b.show(id)
        XCTAssertEqual(shown.text("identity.name"), "琪琪格")
    }

    func testNewKeysThatWereCancelledComeWithTheNextExchange() async throws {
        let a = try await phone("a")
        let id = try await a.add(.person, values: ["identity.name": "其其格"])
        let before = try await a.status()
        try await silently {
            let renewal = Task { try await a.renewKeys() }
            // Long enough that it has begun to wait for the server.
            try await Task.sleep(nanoseconds: 300_000_000)
            let shown = try await a.show(id)
            XCTAssertEqual(shown.text("identity.name"), "其其格")
            let second = await code { try await a.exchange() }
            XCTAssertEqual(second, "exchange_running")
            renewal.cancel()
            do {
                _ = try await renewal.value
                XCTFail("renewed")
            } catch is CancellationError {}
        }
        let report = try await a.exchange()
        let after = try await a.status()
        XCTAssertEqual(report.renewed, after.device)
        XCTAssertNotEqual(before.device, after.device)
    }

    func testAPhoneThatTheOfficeOrdersWipedHandsEverythingOverAndSaysSo() async throws {
        let a = try await phone("a")
        let id = try await a.add(.person, values: ["identity.name": "其其格"])
        let status = try await a.status()
        try order("wipe", status.device)
        do {
            try await a.exchange()
            XCTFail("exchanged")
        } catch OrtooError.wiped(let problems) {
            XCTAssertEqual(problems.map(\.code), ["wiped"])
        }
        let later = await code { _ = try await a.show(id) }
        XCTAssertEqual(later, "wiped")
        XCTAssertTrue(try officeHas(id))
        let missing = await code { _ = try await open("a") }
        XCTAssertEqual(missing, "store_missing")
    }
}
