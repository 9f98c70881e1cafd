package ortoo

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.withContext
import ortoo.ffi.Enrolment
import ortoo.ffi.Exchange
import ortoo.ffi.Listener
import ortoo.ffi.Progress

/** Work of the native library on a thread of its own, whatever it is that it does. */
internal class Work<T>(
    val cancel: () -> Unit,
    /** Its end, at once after it was told. */
    val outcome: () -> T,
    val letGo: () -> Unit,
) {
    companion object {
        fun of(exchange: Exchange) = Work({ exchange.cancel() }, { exchange.wait() }, { exchange.close() })

        fun of(enrolment: Enrolment) = Work({ enrolment.cancel() }, { enrolment.wait() }, { enrolment.close() })
    }
}

/**
 * Starts work and suspends until it has ended, without holding a thread.
 *
 * If the coroutine is cancelled the work is stopped, and the cancellation goes on only when it has
 * really ended: whoever waited for the coroutine may use the store again at once.
 */
internal suspend fun <T> working(onProgress: (Progress) -> Unit, start: (Listener) -> Work<T>): T {
    val end = End(onProgress)
    val work = calling { start(end) }
    try {
        end.told.await()
        return calling { work.outcome() }
    } catch (cancelled: CancellationException) {
        work.cancel()
        withContext(NonCancellable) { end.told.await() }
        throw cancelled
    } finally {
        work.letGo()
    }
}

/** Told on the work's own thread. */
private class End(private val onProgress: (Progress) -> Unit) : Listener {
    val told = CompletableDeferred<Unit>()

    override fun progress(progress: Progress) = onProgress(progress)

    override fun ended() {
        told.complete(Unit)
    }
}
