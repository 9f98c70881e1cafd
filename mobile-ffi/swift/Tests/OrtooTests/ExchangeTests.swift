import Foundation
import XCTest

import Ortoo

/// Work that talks to the server, stopped at every place where it can be.
final class ExchangeTests: VillageTestCase {
    /// Long enough that work has begun to wait for a server that does not answer. If it has not, the tests
    /// see the same.
    private func aWhile() async throws { try await Task.sleep(nanoseconds: 300_000_000) }

    /// A phone with something to send.
    private func phoneWithSomething() async throws -> Phone {
        let phone = try await phone("a")
        _ = try await phone.add(.person, values: ["identity.name": "其其格"])
        return phone
    }

    private func assertSendsEverything(_ phone: Phone) async throws {
        try await phone.exchange()
        let status = try await phone.status()
        XCTAssertEqual(status.unsent, 0)
    }

    func testACancelledExchangeHasEndedWhenItThrowsAndTheNextOneGoesOn() async throws {
        let a = try await phoneWithSomething()
        try await silently {
            for isEarly in [true, false] {
                let exchange = Task { try await a.exchange() }
                if !isEarly { try await aWhile() }
                exchange.cancel()
                do {
                    _ = try await exchange.value
                    XCTFail("exchanged")
                } catch is CancellationError {}
            }
        }
        try await assertSendsEverything(a)
    }

    func testACancelledEnrolmentLeavesItsLinkGood() async throws {
        let (link, place, pin) = (try link(), directory("a"), pin)
        try await silently {
            let enrolment = Task {
                try await Phone.enrol(place, secret: pin, link: link, language: .english)
            }
            try await aWhile()
            enrolment.cancel()
            do {
                _ = try await enrolment.value
                XCTFail("enrolled")
            } catch is CancellationError {}
        }
        let enrolled = try await Phone.enrol(place, secret: pin, link: link, language: .english)
        XCTAssertFalse(enrolled.spaces.isEmpty)
    }

    func testOtherCallsGoOnDuringAnExchangeAndASecondOneIsRefused() async throws {
        let a = try await phoneWithSomething()
        try await silently {
            let exchange = Task { try await a.exchange() }
            try await aWhile()
            let second = await code { try await a.exchange() }
            XCTAssertEqual(second, "exchange_running")
            let people = try await a.list(.person)
            XCTAssertEqual(people.count, 1)
            exchange.cancel()
            _ = await exchange.result
        }
        try await assertSendsEverything(a)
    }

    func testLockingThePhoneStopsItsExchangeAndFailsEveryLaterCall() async throws {
        let a = try await phoneWithSomething()
        try await silently {
            let exchange = Task { try await a.exchange() }
            try await aWhile()
            a.lock()
            do {
                _ = try await exchange.value
                XCTFail("exchanged")
            } catch OrtooError.cancelled {}
        }
        for _ in 1...2 {
            let locked = await code { try await a.exchange() }
            XCTAssertEqual(locked, "phone_locked")
        }
        try await assertSendsEverything(open("a"))
    }

    func testAStreamTellsEveryRoundAndThenTheEnd() async throws {
        let a = try await phoneWithSomething()
        var (rounds, ends): ([ExchangeProgress], [ExchangeReport]) = ([], [])
        for try await step in a.exchangeWithProgress() {
            switch step {
            case .progress(let soFar): rounds.append(soFar)
            case .finished(let report): ends.append(report)
            }
        }
        XCTAssertEqual(rounds.last?.unsent, 0)
        XCTAssertEqual(ends.map(\.batchesUp), [1])
    }

    func testAStreamThatIsLeftStopsAndTheNextExchangeWaitsForThat() async throws {
        let a = try await phoneWithSomething()
        for round in 1...20 {
            // Never listened to, and gone before its work has begun.
            _ = a.exchangeWithProgress()
            // Left in its middle.
            for try await _ in a.exchangeWithProgress() { break }
            // Its listener is cancelled, early or late.
            let listener = Task {
                var isFinished = false
                for try await step in a.exchangeWithProgress() {
                    if case .finished = step { isFinished = true }
                }
                return isFinished
            }
            if round % 2 == 0 { await Task.yield() }
            listener.cancel()
            _ = try await listener.value
            try await a.exchange()
        }
        var after: [Task<ExchangeReport, Error>] = []
        try await silently {
            let listener = Task {
                for try await _ in a.exchangeWithProgress() { XCTFail("a step") }
            }
            try await aWhile()
            listener.cancel()
            try await listener.value
            // It does not go on by itself: the next one is under way at once, not when the server is given up.
            let refused = expectation(description: "the one after it is refused")
            let next = Task { try await a.exchange() }
            try await aWhile()
            let third = Task {
                let code = await self.code { try await a.exchange() }
                if code == "exchange_running" { refused.fulfill() }
            }
            await fulfillment(of: [refused], timeout: 10)
            next.cancel()
            third.cancel()
            after = [next]
        }
        for exchange in after { _ = await exchange.result }
        try await assertSendsEverything(a)
    }

    func testWithoutAServerNothingIsLost() async throws {
        let a = try await phoneWithSomething()
        let server = try await a.status().server
        // A port of nobody.
        try await a.setServer("https://127.0.0.1:1")
        do {
            try await a.exchange()
            XCTFail("exchanged")
        } catch OrtooError.noConnection(let problems) {
            XCTAssertEqual(problems.map(\.code), ["no_connection"])
        }
        try await a.setServer(server)
        try await assertSendsEverything(a)
    }
}
