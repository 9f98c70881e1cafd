import Foundation
import OrtooFFI

/// What `Phone.exchangeWithProgress` tells.
public enum ExchangeStep: Sendable {
    /// A round came through.
    case progress(ExchangeProgress)
    /// The exchange has come to its end; the last step.
    case finished(ExchangeReport)
}

/// A phone: the registers of its org units in a sealed store.
///
/// What a call reports as saved is on the disk. One process should have a store open at a time.
///
/// **Threads.** Every call may come from any task, several at once, and runs on a queue of the phone's own:
/// neither the main thread nor the threads of Swift's concurrency are held.
///
/// **Errors.** Every call may throw `OrtooError`. `exchange`, `renewKeys` and `enrol` stop when their task is
/// cancelled, also where they wait for the server, and throw `CancellationError` when they have ended. A call of
/// another kind that has begun is done to its end: what it says it saved is saved.
public final class Phone: @unchecked Sendable {
    private let native: OrtooFFI.Phone
    private let queue = DispatchQueue(label: "ortoo.phone", attributes: .concurrent)
    private let left = LeftExchanges()

    private init(_ native: OrtooFFI.Phone) { self.native = native }

    /// Opens the store in `directory`, which an enrolment made. Takes what the secret costs to try: half a
    /// second of a cheap phone and 64 MiB, or a tenth of that with a key store.
    ///
    /// - Parameter language: of the sentences in `Problem.message`.
    /// - Throws: `OrtooError.store` such as `store_missing`, `wrong_secret`, `other_secret`,
    ///   `key_store_silent`, `store_damaged`, `store_too_new`.
    public static func open(
        _ directory: URL, secret: PhoneSecret, language: Language
    ) async throws -> Phone {
        try await onQueue(DispatchQueue.global(qos: .userInitiated)) {
            let native = try calling {
                try OrtooFFI.Phone.open(
                    dir: directory.path, secret: secret.native, language: language)
            }
            return Phone(native)
        }
    }

    /// Redeems an enrolment link: makes the store in `directory`, or goes on with one whose enrolment was
    /// broken off. The same link again after it was redeemed is no error. The phone is opened afterwards.
    ///
    /// - Throws: `CancellationError` once it has ended if its task is cancelled; the same link may be used
    ///   again.
    public static func enrol(
        _ directory: URL, secret: PhoneSecret, link: String, language: Language
    ) async throws -> Enrolled {
        let listener = WorkListener()
        let work = try calling {
            try startEnrolment(
                dir: directory.path, secret: secret.native, link: link, language: language,
                listener: listener)
        }
        return try await working(listener, cancel: { work.cancel() }, outcome: { try work.wait() })
    }

    /// Erases the store in `directory` for good, also one that nobody can open any more. Nobody is asked
    /// whether something in it was never sent. No error where there is none.
    public static func wipe(_ directory: URL, language: Language) async throws {
        try await onQueue(DispatchQueue.global()) {
            try calling { try OrtooFFI.wipe(dir: directory.path, language: language) }
        }
    }

    /// What the store in `directory` holds that the server does not have, as a bundle for the server alone:
    /// without the secret, for a phone whose secret is lost or whose user is gone. `nil` if there is
    /// nothing.
    public static func outbox(_ directory: URL, language: Language) async throws -> Outbox? {
        try await onQueue(DispatchQueue.global()) {
            try calling { try OrtooFFI.outbox(dir: directory.path, language: language) }
        }
    }

    /// The plan as it reached this device. Some hundred kilobytes: ask once, and after an exchange when its
    /// version may have changed.
    public func plan() async throws -> Plan { try await call { try $0.plan() } }

    /// The records of a subject, a group of linked ones as one row without items: those that stand in a
    /// register, and where `search` stands somewhere in a field.
    public func list(
        _ subject: Subject, register: String? = nil, search: String? = nil
    ) async throws -> [Record] {
        try await call { try $0.list(subject: subject, register: register, search: search) }
    }

    /// Everything that one record shows.
    public func show(_ id: String) async throws -> Record { try await call { try $0.show(id: id) } }

    /// Looks at what is typed before it is saved; with no values, at a fresh form. Nothing is written.
    public func check(_ draft: Draft, values: [String: String] = [:]) async throws -> Checked {
        try await call { try $0.check(draft: draft, values: values) }
    }

    /// Registers a person or household; gives the new record's id. Fields of a repeating section make its
    /// first item. `unit` may be left out where the device holds one.
    public func add(
        _ subject: Subject, values: [String: String], unit: String? = nil
    ) async throws -> String {
        try await call { try $0.add(subject: subject, unit: unit, values: values) }
    }

    /// Writes values to a record, under `section.field` or `section#item.field`; gives the number of
    /// changes, 0 if everything stood there already.
    @discardableResult
    public func edit(_ id: String, values: [String: String]) async throws -> Int64 {
        try await call { try $0.edit(id: id, values: values) }
    }

    /// Adds an item to a repeating section, or writes to the one that its natural key names; gives the
    /// item's id.
    @discardableResult
    public func addItem(
        _ id: String, section: String, values: [String: String]
    ) async throws -> String {
        try await call { try $0.addItem(id: id, section: section, values: values) }
    }

    /// Withdraws an item. Nothing of it is deleted; writing `false` to `section#item.void` brings it back.
    public func voidItem(_ id: String, section: String, item: String) async throws {
        try await call { try $0.voidItem(id: id, section: section, item: item) }
    }

    /// Everything that somebody must settle.
    public func conflicts() async throws -> [Conflict] { try await call { try $0.conflicts() } }

    /// Settles a key of a record for all who have seen no more than this phone has.
    public func resolve(_ id: String, key: String, choice: Choice) async throws {
        try await call { try $0.resolve(id: id, key: key, choice: choice) }
    }

    /// Every value ever written to a record, oldest first.
    public func history(_ id: String) async throws -> [Event] {
        try await call { try $0.history(id: id) }
    }

    /// What is due today, or within so many days from now; the most urgent first.
    public func tasks(days: Int32 = 0) async throws -> [DueTask] {
        try await call { try $0.tasks(days: days) }
    }

    /// The plan's figures of every unit held.
    public func indicators(_ years: Years = .this) async throws -> [Figure] {
        try await call { try $0.indicators(years: years) }
    }

    /// Where the phone stands.
    public func status() async throws -> Status { try await call { try $0.status() } }

    /// `name: value` lines for whoever helps; no personal data.
    public func diagnostics() async throws -> String { try await call { try $0.diagnostics() } }

    /// Exchanges with the server until both hold the same. Every other call goes on meanwhile.
    ///
    /// If the task is cancelled the exchange is stopped, at once where it waits for the server. What was
    /// exchanged stays exchanged; the next exchange goes on from there.
    ///
    /// - Throws: `OrtooError.wrong` with `exchange_running` while another one is, `OrtooError.wiped` if the
    ///   office had ordered this phone wiped, and `CancellationError` once it has ended if the task is
    ///   cancelled.
    @discardableResult
    public func exchange() async throws -> ExchangeReport {
        try await exchange(WorkListener(), after: left.soFar())
    }

    /// The same as a stream, which starts at once: a step after every round, then the end.
    ///
    /// Whoever stops listening stops it. As every `AsyncThrowingStream` this one ends without an error when
    /// the task that listens is cancelled: only `ExchangeStep.finished` says that all was exchanged. The
    /// next exchange waits until a stopped one has ended.
    public func exchangeWithProgress() -> AsyncThrowingStream<ExchangeStep, Error> {
        AsyncThrowingStream { stream in
            let before = left.soFar()
            let listener = WorkListener { stream.yield(.progress($0)) }
            let work = _Concurrency.Task {
                do {
                    stream.yield(.finished(try await self.exchange(listener, after: before)))
                    stream.finish()
                } catch {
                    stream.finish(throwing: error)
                }
            }
            stream.onTermination = { how in
                guard case .cancelled = how else { return }
                work.cancel()
                self.left.add(work)
            }
        }
    }

    /// Exchanges with new keys for this phone, as another device (`ExchangeReport.renewed`): for whoever fears
    /// that somebody has a copy of the old ones. Nothing that is held or unsent is lost. Every other call goes
    /// on meanwhile. Where the server itself notices such a copy, `exchange` does the same.
    ///
    /// If the task is cancelled, or the server is not reached, the new keys wait: every later exchange asks for
    /// them again.
    ///
    /// - Throws: `OrtooError.wrong` with `renewal_waits` while the server does not let the new keys in,
    ///   `exchange_running` while an exchange is under way.
    @discardableResult
    public func renewKeys() async throws -> ExchangeReport {
        try await talk(WorkListener(), after: left.soFar()) { try $0.startRenewal(listener: $1) }
    }

    /// What was written here on records that the office has erased meanwhile, and waits for its author's
    /// decision. `Status.kept` counts it.
    public func kept() async throws -> [KeptEdit] { try await call { try $0.kept() } }

    /// Registers what is kept of an erased record as a record of its own; gives the new record's id. Only what
    /// was kept stands in it. Fails with `nothing_kept`, or as `add` does.
    public func registerKept(_ record: String) async throws -> String {
        try await call { try $0.registerKept(record: record) }
    }

    /// Drops what is kept of an erased record, for good. Fails with `nothing_kept`.
    public func dropKept(_ record: String) async throws {
        try await call { try $0.dropKept(record: record) }
    }

    /// Makes a bundle of what the server lacks, for whoever travels: only the server and the devices of the
    /// same spaces can read it. What is in it counts as unsent until the server's acknowledgement comes, by
    /// whatever way.
    ///
    /// - Parameters:
    ///   - bytesMax: how large it may get; what does not fit is in `RelayBundle.left`.
    ///   - short: for a channel that counts every byte, such as a satellite's short message of 1,750 bytes,
    ///     which it fits if `bytesMax` says no other size: to the server alone, and not padded.
    ///   - everything: all that is held and not only what the server lacks: for a phone that has seen
    ///     neither.
    /// - Throws: `OrtooError.wrong` with `bundle_too_small` if nothing fits, `bundle_no_key` while no key of
    ///   the server is known.
    public func exportBundle(
        bytesMax: Int64? = nil, short: Bool = false, everything: Bool = false
    ) async throws -> RelayBundle {
        let wish = BundleWish(bytesMax: bytesMax, short: short, everything: everything)
        return try await call { try $0.exportBundle(wish: wish) }
    }

    /// Takes a bundle, whoever made and carried it; the same one may come any number of times.
    ///
    /// - Throws: `OrtooError.wrong`, and nothing has changed: `bundle_not_for_us` where all of it is for
    ///   others, `bundle_shape`, `bundle_version`, `bundle_too_large`, `bundle_altered`.
    @discardableResult
    public func importBundle(_ bytes: Data) async throws -> BundleReport {
        try await call { try $0.importBundle(bytes: bytes) }
    }

    /// Says that two records of persons are one person. If they are shown as one already and name or birth
    /// date differ, this confirms them in spite of that.
    ///
    /// - Throws: `OrtooError.wrong` with `not_a_person`, `same_record`, `other_unit`, `unknown_record`.
    @discardableResult
    public func link(_ id: String, _ other: String) async throws -> Linked {
        try await call { try $0.link(id: id, other: other) }
    }

    /// Says that two records of persons are two people, whatever their ID numbers say. Nothing of either is
    /// lost; the last deliberate word counts.
    @discardableResult
    public func unlink(_ id: String, _ other: String) async throws -> Linked {
        try await call { try $0.unlink(id: id, other: other) }
    }

    /// Remembers another address of the server, `https://host[:port]`. Nothing is trusted by it: the server
    /// must show a key that the network lists.
    public func setServer(_ url: String) async throws {
        try await call { try $0.setServer(url: url) }
    }

    /// Has the store opened with another secret from now on; the old one opens nothing any more.
    public func changeSecret(_ secret: PhoneSecret) async throws {
        try await call { try $0.changeSecret(secret: secret.native) }
    }

    /// Locks the phone: an exchange under way is stopped, secret, keys and records leave memory, and every
    /// later call fails with `phone_locked`. Waits at most for the step that another call is in.
    public func lock() { native.lock() }

    /// Erases the store for good. Fails with `unsent_changes` while not everything is known to be on the
    /// server, unless `loseUnsent`.
    public func wipe(loseUnsent: Bool = false) async throws {
        try await call { try $0.wipe(loseUnsent: loseUnsent) }
    }

    private func exchange(
        _ listener: WorkListener, after before: _Concurrency.Task<Void, Never>?
    ) async throws -> ExchangeReport {
        try await talk(listener, after: before) { try $0.startExchange(listener: $1) }
    }

    private func talk(
        _ listener: WorkListener, after before: _Concurrency.Task<Void, Never>?,
        start: @escaping @Sendable (OrtooFFI.Phone, WorkListener) throws -> OrtooFFI.Exchange
    ) async throws -> ExchangeReport {
        await before?.value
        let work = try await call { try start($0, listener) }
        return try await working(listener, cancel: { work.cancel() }, outcome: { try work.wait() })
    }

    private func call<T: Sendable>(
        _ step: @escaping @Sendable (OrtooFFI.Phone) throws -> T
    ) async throws -> T {
        let native = native
        return try await Phone.onQueue(queue) { try calling { try step(native) } }
    }

    private static func onQueue<T: Sendable>(
        _ queue: DispatchQueue, _ work: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}
