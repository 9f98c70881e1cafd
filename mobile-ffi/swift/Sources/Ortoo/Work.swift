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
    private let onProgress: @Sendable (Progress) -> Void

    init(onProgress: @escaping @Sendable (Progress) -> Void = { _ in }) {
        self.onProgress = onProgress
    }

    func progress(progress: Progress) throws { onProgress(progress) }

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
