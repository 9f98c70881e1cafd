import Foundation
import XCTest

import Ortoo

/// What is written, settled, refused and erased.
final class PhoneTests: VillageTestCase {
    func testTwoPhonesSettleWhatTheyWroteApart() async throws {
        let (a, b) = (try await phone("a"), try await phone("b"))
        let id = try await a.add(.person, values: ["identity.name": "其其格"])
        try await a.exchange()
        try await b.exchange()
        try await a.edit(id, values: ["identity.name": "琪琪格"])
        try await b.edit(id, values: ["identity.name": "其其格玛"])
        for phone in [a, b, a] { try await phone.exchange() }

        let conflict = try await a.conflicts()
        let other = try await b.conflicts()
        XCTAssertEqual(conflict, other)
        XCTAssertEqual(conflict.map(\.key), ["identity.name"])
        XCTAssertEqual(Set(conflict[0].values.map(\.typed)), ["琪琪格", "其其格玛"])

        try await b.resolve(id, key: "identity.name", choice: .take(at: 1))
        for phone in [b, a] { try await phone.exchange() }
        for phone in [a, b] {
            let (left, shown) = (try await phone.conflicts(), try await phone.show(id))
            XCTAssertEqual(left, [])
            XCTAssertEqual(shown.text("identity.name"), conflict[0].values[1].typed)
        }
        let settled = await code {
            try await a.resolve(id, key: "identity.name", choice: .write(value: "萨仁"))
        }
        XCTAssertEqual(settled, "no_conflict")
    }

    func testADraftHearsWhatSavingWouldSay() async throws {
        let a = try await phone("a")
        let fresh = try await a.check(.new(subject: .person, unit: nil))
        XCTAssertTrue(fresh.asked.contains("identity.name"))
        let values = ["identity.name": "其其格", "identity.birth_date": "2999-01-01"]
        let checked = try await a.check(.new(subject: .person, unit: nil), values: values)
        XCTAssertEqual(checked.refused.map(\.code), ["future_date"])
        do {
            _ = try await a.add(.person, values: values)
            XCTFail("saved")
        } catch OrtooError.wrong(let problems) {
            XCTAssertEqual(problems, checked.refused)
        }
    }

    func testItemsAreNamedByTheirKeyAndWithdrawn() async throws {
        let a = try await phone("a")
        let id = try await a.add(.person, values: ["identity.name": "其其格", "identity.sex": "2"])
        let round = ["cancer": "C", "round": "2026", "on_target_list": "true"]
        let item = try await a.addItem(id, section: "screening", values: round)
        XCTAssertEqual(item, "C-2026")
        let shown = try await a.show(id)
        XCTAssertEqual(shown.items(of: "screening").map { $0.text("on_target_list") }, ["true"])
        try await a.voidItem(id, section: "screening", item: item)
        let (left, history) = (try await a.show(id), try await a.history(id))
        XCTAssertEqual(left.items(of: "screening"), [])
        XCTAssertEqual(history.filter { $0.key == "identity.name" }.map(\.value.typed), ["其其格"])
    }

    func testThePlanNamesEveryTypeThatAFormIsDrawnFrom() async throws {
        let plan: Plan = try await phone("a").plan()
        let person: SubjectOfPlan = try XCTUnwrap(plan.subjects.first { $0.key == "person" })
        let section: SectionOfPlan = try XCTUnwrap(person.sections.first { $0.key == "identity" })
        let field: Field = try XCTUnwrap(section.fields.first { $0.key == "birth_date" })
        guard case .day = field.kind else { return XCTFail("\(field.kind)") }
        XCTAssertTrue(plan.units.contains { $0.code == unit && $0.keepsRegisters })
        XCTAssertNotEqual(person.title.text(.chinese), person.title.text(.english))
    }

    func testAStoreOpensWithItsSecretAndWithNoOther() async throws {
        let a = try await phone("a")
        let wrong = await code { _ = try await open("a", .typed("135791")) }
        XCTAssertEqual(wrong, "wrong_secret")
        let short = await code { _ = try await open("a", .typed("1")) }
        XCTAssertEqual(short, "secret_short")
        let missing = await code { _ = try await open("none") }
        XCTAssertEqual(missing, "store_missing")
        try await a.changeSecret(.typed("135791"))
        let old = await code { _ = try await open("a") }
        XCTAssertEqual(old, "wrong_secret")
        _ = try await open("a", .typed("135791")).status()
    }

    func testAKeyStoreOpensItsStoreAndOneThatFailsBreaksNothing() async throws {
        let own = PhoneSecret.inKeyStore(KeyStoreOfTests(key: 7), pin: "246810")
        _ = try await phone("a", own)
        let typed = await code { _ = try await open("a") }
        XCTAssertEqual(typed, "other_secret")
        let other = PhoneSecret.inKeyStore(KeyStoreOfTests(key: 9), pin: "246810")
        let wrong = await code { _ = try await open("a", other) }
        XCTAssertEqual(wrong, "wrong_secret")
        for silent: PhoneKeyStore in [LockedKeyStore(), KeyStoreOfTests(key: 7, bytes: 31)] {
            let code = await code { _ = try await open("a", .inKeyStore(silent, pin: "246810")) }
            XCTAssertEqual(code, "key_store_silent")
        }
        _ = try await open("a", own).status()
    }

    func testWhatWasNeverSentIsOnlyErasedByWhoSaysSo() async throws {
        let a = try await phone("a")
        _ = try await a.add(.person, values: ["identity.name": "其其格"])
        let unsent = await code { try await a.wipe() }
        XCTAssertEqual(unsent, "unsent_changes")
        try await a.wipe(loseUnsent: true)
        let locked = await code { _ = try await a.list(.person) }
        XCTAssertEqual(locked, "phone_locked")
        let gone = await code { _ = try await open("a") }
        XCTAssertEqual(gone, "store_missing")
    }

    func testAStoreThatNobodyCanOpenAnyMoreIsErasedByItsDirectory() async throws {
        try await phone("a").lock()
        for _ in 1...2 { try await Phone.wipe(directory("a"), language: .english) }
        let gone = await code { _ = try await open("a") }
        XCTAssertEqual(gone, "store_missing")
    }

    func testNeitherSecretsNorErrorsPrintWhatTheyHold() async throws {
        let secrets = [pin, .inKeyStore(KeyStoreOfTests(key: 7), pin: "246810")]
        let problem = Problem(code: "future_date", key: "identity.其其格", message: "其其格")
        let error = OrtooError.wrong([problem])
        var printed = "\(secrets) \(String(reflecting: secrets)) \(error) \(String(reflecting: error))"
        printed += error.localizedDescription + (error as NSError).description
        dump(secrets, to: &printed)
        dump(error, to: &printed)
        XCTAssertTrue(printed.contains("future_date"), printed)
        for held in ["246810", "其其格"] { XCTAssertFalse(printed.contains(held), printed) }
    }

    /// Stores of released versions are kept for good.
    func testAStoreOfVersion010OpensWithEverythingInIt() async throws {
        struct Expected: Decodable {
            struct Record: Decodable { let id: String }
            struct Conflict: Decodable { let id, key: String; let values: [String] }
            let pin: String
            let records: [Record]
            let conflicts: [Conflict]
            let unsent: Int64
        }
        let kept = repository.appendingPathComponent("mobile-ffi/fixtures/store-0.1.0")
        let json = try Data(contentsOf: kept.appendingPathComponent("expected.json"))
        let expected = try JSONDecoder().decode(Expected.self, from: json)
        try FileManager.default.copyItem(at: kept, to: directory("a"))
        let phone = try await open("a", .typed(expected.pin))
        let fields = try XCTUnwrap(JSONSerialization.jsonObject(with: json) as? [String: Any])
        for record in try XCTUnwrap(fields["records"] as? [[String: Any]]) {
            let shown = try await phone.show(XCTUnwrap(record["id"] as? String))
            for (key, value) in try XCTUnwrap(record["fields"] as? [String: Any]) {
                XCTAssertEqual(shown.text(key), "\(value)", key)
            }
        }
        let (conflicts, status) = (try await phone.conflicts(), try await phone.status())
        XCTAssertEqual(conflicts.map(\.record), expected.conflicts.map(\.id))
        XCTAssertEqual(conflicts.map(\.key), expected.conflicts.map(\.key))
        XCTAssertEqual(conflicts.map { $0.values.map(\.typed) }, expected.conflicts.map(\.values))
        XCTAssertEqual(status.unsent, expected.unsent)
        XCTAssertEqual(status.unreadableRows, 0)
        // And it is written to.
        let id = try await phone.add(.person, values: ["identity.name": "萨仁"])
        let added = try await phone.show(id)
        XCTAssertEqual(added.text("identity.name"), "萨仁")
    }
}
