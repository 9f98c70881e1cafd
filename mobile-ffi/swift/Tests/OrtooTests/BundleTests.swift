import Foundation
import XCTest

import Ortoo

/// What travels in somebody's bag, and what is said of two records.
final class BundleTests: VillageTestCase {
    func testABundleReachesTheServerAndItsAnswerAcknowledgesIt() async throws {
        let (a, b) = (try await phone("a"), try await phone("b"))
        let other = try await b.add(.person, values: ["identity.name": "娜仁"])
        try await b.exchange()
        let id = try await a.add(.person, values: ["identity.name": "其其格"])
        let bundle = try await a.exportBundle()
        XCTAssertEqual([bundle.batches, bundle.left], [1, 0])
        let sealed = try await a.status()
        XCTAssertEqual(sealed.unsent, 1)

        let report = try await a.importBundle(carried(bundle.bytes))
        XCTAssertEqual(report.batches, 1)
        XCTAssertEqual(report.refused, [])
        XCTAssertGreaterThan(report.acknowledged, 0)
        let (acknowledged, shown) = (try await a.status(), try await a.show(other))
        XCTAssertEqual(acknowledged.unsent, 0)
        XCTAssertEqual(shown.text("identity.name"), "娜仁")
        // A neighbour reads the bundle too.
        try await b.importBundle(bundle.bytes)
        let there = try await b.show(id)
        XCTAssertEqual(there.text("identity.name"), "其其格")
    }

    func testWhatIsNoBundleChangesNothing() async throws {
        let a = try await phone("a")
        let torn = await code { try await a.importBundle(Data([80, 75, 3, 4])) }
        XCTAssertEqual(torn, "bundle_shape")
        _ = try await a.add(.person, values: ["identity.name": "其其格"])
        let small = await code { _ = try await a.exportBundle(bytesMax: 20, short: true) }
        XCTAssertEqual(small, "bundle_too_small")
        let short = try await a.exportBundle(short: true)
        XCTAssertLessThanOrEqual(short.bytes.count, 1750)
    }

    func testTheOutboxOfAStoreThatNobodyCanOpenLosesNothing() async throws {
        let a = try await phone("a")
        let empty = try await Phone.outbox(directory("a"), language: .english)
        XCTAssertNil(empty)
        _ = try await a.add(.person, values: ["identity.name": "其其格"])
        a.lock()
        let made = try await Phone.outbox(directory("a"), language: .english)
        let box: Outbox = try XCTUnwrap(made)
        XCTAssertEqual(box.parts, 1)
        _ = try carried(box.bytes)
        let missing = await code {
            _ = try await Phone.outbox(directory("none"), language: .english)
        }
        XCTAssertEqual(missing, "store_missing")
    }

    func testTwoRecordsAreOneWomanUntilSomebodyPartsThem() async throws {
        let a = try await phone("a")
        let one = try await a.add(.person, values: ["identity.name": "其其格"])
        let other = try await a.add(.person, values: ["identity.name": "其其格"])
        let linked = try await a.link(one, other)
        XCTAssertEqual(linked.linked, [other])
        XCTAssertEqual(linked.conflicts, [])
        let together = try await a.list(.person)
        XCTAssertEqual(together.count, 1)
        try await a.unlink(other, one)
        let apart = try await a.list(.person)
        XCTAssertEqual(Set(apart.map(\.id)), [one, other])
        let same = await code { try await a.link(one, one) }
        XCTAssertEqual(same, "same_record")
    }
}
