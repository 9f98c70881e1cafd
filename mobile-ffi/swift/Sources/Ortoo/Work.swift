import Foundation
import OrtooFFI

/// Waits for work of the library, which runs on a thread of its own, and holds no thread meanwhile.
///
/// If the task is cancelled the work is stopped, and this goes on once it has really ended: whoever
/// waited may use the store again at once.
func working<T>(
    _ listener: WorkListener, cancel: @escaping @Sendable () -> Void, outcome: () throws -> T
) async throws -> T {
    await withTaskCancellationHandler {
        await listener.hasEnded()
    } onCancel: {
        cancel()
    }
    do {
        return try calling(outcome)
    } catch OrtooError.cancelled where _Concurrency.Task.isCancelled {
        throw CancellationError()
    }
}

/// Hears of the work on its thread.
final class WorkListener: Listener, @unchecked Sendable {
    private let lock = NSLock()
    private var isOver = false
    private var waits: CheckedContinuation<Void, Never>?
    private let onProgress: @Sendable (ExchangeProgress) -> Void

    init(onProgress: @escaping @Sendable (ExchangeProgress) -> Void = { _ in }) {
        self.onProgress = onProgress
    }

    func progress(progress: ExchangeProgress) throws { onProgress(progress) }

    func ended() throws {
        lock.lock()
        isOver = true
        let waiting = waits
        waits = nil
        lock.unlock()
        waiting?.resume()
    }

    /// Returns once the work has ended; awaited once.
    func hasEnded() async {
        await withCheckedContinuation { continuation in
            lock.lock()
            let over = isOver
            if !over { waits = continuation }
            lock.unlock()
            if over { continuation.resume() }
        }
    }
}

/// Exchanges whose listeners have gone and that are about to end.
final class LeftExchanges: @unchecked Sendable {
    private let lock = NSLock()
    private var ending: _Concurrency.Task<Void, Never>?

    func add(_ work: _Concurrency.Task<Void, Never>) {
        lock.lock()
        defer { lock.unlock() }
        let before = ending
        ending = _Concurrency.Task {
            await before?.value
            await work.value
        }
    }

    /// What ends once all those that have been left so far have; `nil` if none was.
    ///
    /// An exchange asks before it can be left itself, or it would wait for its own end.
    func soFar() -> _Concurrency.Task<Void, Never>? {
        lock.lock()
        defer { lock.unlock() }
        return ending
    }
}
