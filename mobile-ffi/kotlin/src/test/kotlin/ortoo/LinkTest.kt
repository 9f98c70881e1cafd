package ortoo

import java.io.File
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource

class LinkTest {

    @Test
    fun `another server is not trusted and nothing is lost`() = inVillage {
        val a = phone("a")
        val id = a.add(Subject.PERSON, woman("其其格"))
        val unsent = a.status().unsent
        val other = held(Server(File(dir, "other")))
        a.setServer(other.url)
        failing<OrtooException.NoConnection>("server_untrusted") { a.exchange() }
        assertEquals(unsent, a.status().unsent)
        assertEquals("其其格", a.show(id).text("identity.name"))
        assertEquals(0, other.run("records").json.list.size)

        a.setServer(server.url)
        a.exchange()
        assertEquals(0, a.status().unsent)
        val b = phone("b")
        b.exchange()
        assertEquals("其其格", b.show(id).text("identity.name"))
        failing<OrtooException.Wrong>("bad_address") { a.setServer("http://127.0.0.1") }
    }

    @Test
    fun `without a server everything stays and can be sent later`() = inVillage {
        val a = phone("a")
        a.add(Subject.PERSON, woman("其其格"))
        server.close()
        failing<OrtooException.NoConnection>("no_connection") { a.exchange() }
        assertTrue(a.status().unsent > 0)
        assertEquals(1, a.list(Subject.PERSON).size)
    }

    /** Within the handshake, and within an answer. */
    @ParameterizedTest
    @ValueSource(longs = [100, 3000])
    fun `a stalled exchange holds nobody up and ends as soon as it is cancelled`(passed: Long) = inVillage {
        val stall = Stall(this, passed)
        stall.cancelled { launch(Dispatchers.Default) { exchange() } }
        stall.everythingArrivesDirectly()
    }

    @ParameterizedTest
    @ValueSource(longs = [100, 3000])
    fun `a stalled exchange ends when its flow is not collected any more`(passed: Long) = inVillage {
        val stall = Stall(this, passed)
        stall.cancelled { launch(Dispatchers.Default) { exchangeWithProgress().collect {} } }
        stall.everythingArrivesDirectly()
    }

    @Test
    fun `a stalled exchange ends when the phone is closed`() = inVillage {
        val (a, proxy) = stalling(100)
        val exchange = async(Dispatchers.Default) { runCatching { a.exchange() }.exceptionOrNull() }
        proxy.awaitStall()
        val took = measureTime {
            a.close()
            assertInstanceOf(OrtooException.Cancelled::class.java, exchange.await())
        }
        assertTrue(took < 2.seconds) { "$took" }
    }

    @Test
    fun `an exchange while another one runs is refused at once`() = inVillage {
        val (a, proxy) = stalling(100)
        val first = launch(Dispatchers.Default) { a.exchange() }
        proxy.awaitStall()
        failing<OrtooException.Wrong>("exchange_running") { a.exchange() }
        failing<OrtooException.Wrong>("exchange_running") { a.exchangeWithProgress().toList() }
        first.cancelAndJoin()
        // At once again.
        a.setServer(server.url)
        a.exchange()
    }

    @Test
    fun `an enrolment that is cancelled leaves its link and its directory free`() = inVillage {
        val proxy = held(Proxy(server.port, 100))
        val link = server.link()
        val enrolment = launch(Dispatchers.Default) {
            Phone.enrol(dir("a"), IN_KEY_STORE, link.replace(server.url, proxy.url), Language.ENGLISH)
        }
        proxy.awaitStall()
        val took = measureTime { enrolment.cancelAndJoin() }
        assertTrue(took < 2.seconds) { "$took" }
        assertEquals(UNIT, Phone.enrol(dir("a"), IN_KEY_STORE, link, Language.ENGLISH).spaces.first().substringBefore('.'))
        // The same link again is no error.
        Phone.enrol(dir("a"), IN_KEY_STORE, link, Language.ENGLISH)
        failing<OrtooException.Wrong>("bad_link") {
            Phone.enrol(dir("b"), IN_KEY_STORE, "ortoo://enrol?server=x", Language.ENGLISH)
        }
    }

    @Test
    fun `a cancelled coroutine sees no error of ours`() = inVillage {
        val (a, proxy) = stalling(100)
        val exchange = async(Dispatchers.Default) { a.exchange() }
        proxy.awaitStall()
        exchange.cancelAndJoin()
        val seen = runCatching { exchange.await() }.exceptionOrNull()
        assertInstanceOf(kotlinx.coroutines.CancellationException::class.java, seen)
        // One that is cancelled before it began starts nothing.
        val never = launch(Dispatchers.Default, CoroutineStart.LAZY) { a.exchange() }
        never.cancelAndJoin()
    }

    @Test
    fun `the flow tells every round and last what was moved`() = inVillage {
        val a = phone("a")
        repeat(20) { a.add(Subject.PERSON, woman("其其格$it")) }
        val steps = a.exchangeWithProgress().toList()
        val report = assertInstanceOf(ExchangeStep.Finished::class.java, steps.last()).report
        assertTrue(report.batchesUp > 0 && report.bytesUp > 0) { "$report" }
        assertTrue(steps.dropLast(1).all { it is ExchangeStep.Progress })
        // Leaving a flow early is no error, and the next exchange may begin.
        a.exchangeWithProgress().first()
        a.exchange()
    }

    @Test
    fun `a collector that throws stops its exchange and breaks nothing`() = inVillage {
        val a = phone("a")
        val id = a.add(Subject.PERSON, woman("其其格"))
        val thrown = runCatching { a.exchangeWithProgress().collect { throw IllegalStateException("a screen") } }
        assertEquals("a screen", thrown.exceptionOrNull()?.message)
        a.exchange()
        assertEquals(0, a.status().unsent)
        assertEquals("其其格", a.show(id).text("identity.name"))
    }

    @Test
    fun `a native listener that throws stops nothing`() = inVillage {
        phone("a").use { a -> repeat(5) { a.add(Subject.PERSON, woman("其其格$it")) } }
        // Below this layer, as an app without coroutines would have it.
        val secret = IN_KEY_STORE.asNative()
        ortoo.ffi.Phone.open(dir("a").path, secret, Language.ENGLISH).use { native: ortoo.ffi.Phone ->
            val listener = object : ortoo.ffi.Listener {
                override fun progress(progress: ortoo.ffi.Progress) = throw IllegalStateException("progress")

                override fun ended() = throw IllegalStateException("ended")
            }
            native.startExchange(listener).use { exchange: ortoo.ffi.Exchange ->
                assertTrue(exchange.wait().batchesUp > 0)
            }
            assertEquals(0, native.status().unsent)
        }
    }

    private suspend fun Village.stalling(passed: Long): Pair<Phone, Proxy> {
        val a = phone("a")
        repeat(30) { a.add(Subject.PERSON, woman("其其格$it")) }
        val proxy = held(Proxy(server.port, passed))
        a.setServer(proxy.url)
        return a to proxy
    }

    /** A phone whose exchange hangs behind a proxy. */
    private inner class Stall(private val village: Village, private val passed: Long) {
        private lateinit var phone: Phone
        private lateinit var ids: List<String>

        suspend fun cancelled(begin: Phone.() -> Job) = with(village) {
            val b = phone("b")
            // So much that can't be compressed that an answer is longer than what the proxy lets through.
            val random = Random(1)
            fun name() = String(CharArray(60) { Char(random.nextInt(0x4e00, 0x9fa5)) })
            repeat(40) { b.add(Subject.PERSON, woman(name())) }
            b.exchange()
            val (a, proxy) = stalling(passed)
            phone = a
            ids = a.list(Subject.PERSON).map { it.id }
            val job = a.begin()
            proxy.awaitStall()
            val shown = measureTime { ids.forEach { a.show(it) } } / ids.size
            assertTrue(shown < 0.2.seconds) { "a call took $shown" }
            val took = measureTime { job.cancelAndJoin() }
            assertTrue(took < 2.seconds) { "cancelling took $took" }
        }

        suspend fun everythingArrivesDirectly() = with(village) {
            phone.setServer(server.url)
            phone.exchange()
            assertEquals(0, phone.status().unsent)
            val c = phone("c")
            c.exchange()
            assertEquals(70, c.list(Subject.PERSON).size)
            assertTrue(c.list(Subject.PERSON).map { it.id }.containsAll(ids))
            server.verified()
        }
    }
}
