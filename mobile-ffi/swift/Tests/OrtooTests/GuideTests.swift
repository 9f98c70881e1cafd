import Foundation
import XCTest

import Ortoo

final class GuideTests: VillageTestCase {
    /// The guide's app, which the package builds beside its tests.
    private var app: URL {
        #if os(macOS)
            let products = Bundle(for: GuideTests.self).bundleURL.deletingLastPathComponent()
        #else
            let products = Bundle.main.bundleURL
        #endif
        return products.appendingPathComponent("GuideApp")
    }

    func testTheAppOfTheGuideDoesWhatTheGuideSays() async throws {
        let said = try said(app, [directory("a").path, link()])
        let lines = String(decoding: said, as: UTF8.self)
        for part in [
            "This device is ", "Still to be asked: ", "其其格 1985-06-07", "0 changes still to be sent",
            "Cervical screening, 其其格", "Water observation, 巴特尔",
        ] {
            XCTAssertTrue(lines.contains(part), "\(part) in \(lines)")
        }
        // A second time it opens what is there, without a link.
        _ = try self.said(app, [directory("a").path])

        let other = try await phone("b")
        let people = try await other.list(.person)
        XCTAssertEqual(people.map { $0.text("identity.name") }, ["其其格", "其其格"])
        let status = try await open("a").status()
        XCTAssertEqual(status.unsent, 0)
    }
}
