package ortoo

import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.withTimeoutOrNull

/**
 * A TCP proxy on loopback. After [stallAfter] bytes of answers in a connection it passes nothing any more
 * and closes nothing either, as a phone network does that is gone.
 */
internal class Proxy(private val serverPort: Int, private val stallAfter: Long) : AutoCloseable {
    private val listener = ServerSocket(0, 50, InetAddress.getLoopbackAddress())
    private val sockets = ConcurrentLinkedQueue<Socket>()
    val url = "https://127.0.0.1:${listener.localPort}"

    private val stalled = CompletableDeferred<Unit>()
    private val down = AtomicLong()

    /** Waits for the first byte that is held back. */
    suspend fun awaitStall() {
        withTimeoutOrNull(20.seconds) { stalled.await() } ?: error("nothing to hold back: $down bytes passed")
    }

    init {
        thread(isDaemon = true) {
            untilClosed {
                while (true) {
                    val client = listener.accept()
                    val server = Socket(InetAddress.getLoopbackAddress(), serverPort)
                    sockets += listOf(client, server)
                    pump(client, server) { _, bytes -> bytes }
                    pump(server, client) { passed, bytes -> minOf(bytes.toLong(), stallAfter - passed).toInt() }
                }
            }
        }
    }

    /** Passes what [room] leaves of each piece. */
    private fun pump(from: Socket, to: Socket, room: (passed: Long, bytes: Int) -> Int) = thread(isDaemon = true) {
        untilClosed {
            val buffer = ByteArray(4096)
            var passed = 0L
            while (true) {
                val read = from.getInputStream().read(buffer)
                if (read < 0) break
                val pass = room(passed, read)
                to.getOutputStream().write(buffer, 0, pass)
                passed += pass
                if (from.port == serverPort) down.addAndGet(pass.toLong())
                // Read on and dropped: the server must not notice either.
                if (pass < read) stalled.complete(Unit)
            }
            to.close()
        }
    }

    private fun untilClosed(work: () -> Unit) =
        try {
            work()
        } catch (_: IOException) {
            // Either side has gone, or the proxy was closed.
        }

    override fun close() {
        listener.close()
        sockets.forEach(Socket::close)
    }
}
