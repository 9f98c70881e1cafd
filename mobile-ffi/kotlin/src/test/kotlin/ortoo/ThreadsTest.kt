package ortoo

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout

private const val THREADS = 8
private const val RECORDS_MAX = 100
private const val KEY = "identity.phone"

class ThreadsTest {

    @Test
    @Timeout(30, unit = TimeUnit.MINUTES)
    fun `eight threads write to one phone and exchange it and nothing is lost`() = inVillage {
        val phone = phone("a")
        val last = ConcurrentHashMap<String, String>()
        val unexpected = ConcurrentLinkedQueue<Throwable>()
        val done = ConcurrentHashMap<String, AtomicLong>()
        val until = TimeSource.Monotonic.markNow() + System.getProperty("ortoo.seconds").toInt().seconds
        val threads = List(THREADS) { number ->
            thread {
                val writer = Writer(phone, number, last) { done.getOrPut(it, ::AtomicLong).incrementAndGet() }
                while (until.hasNotPassedNow() && unexpected.isEmpty()) {
                    runCatching { runBlocking { writer.something() } }.onFailure { unexpected += it }
                }
            }
        }
        threads.forEach(Thread::join)
        assertEquals(emptyList<Throwable>(), unexpected.toList())
        println("threads: $done")
        assertTrue(listOf("add", "edit", "show", "list", "exchange").all { (done[it]?.get() ?: 0) > 0 }) { "$done" }

        phone.exchange()
        assertEquals(0, phone.status().unsent)
        val other = phone("b")
        other.exchange()
        for (each in listOf(phone, other, open("a"))) {
            assertEquals(last.keys, each.list(Subject.PERSON).map { it.id }.toSet())
            val shown = last.keys.associateWith { each.show(it).text(KEY) }
            assertEquals(last.toMap(), shown)
            assertEquals(emptyList<Conflict>(), each.conflicts())
        }
        server.verified()
    }

    /** One thread's work: its own records to write, everybody's to look at. */
    private class Writer(
        private val phone: Phone,
        private val number: Int,
        private val last: MutableMap<String, String>,
        private val did: (String) -> Unit,
    ) {
        private val random = Random(number)
        private val own = mutableListOf<String>()
        private var written = 0

        suspend fun something() {
            val what = random.nextInt(20)
            when {
                own.isEmpty() || what < 6 && own.size < RECORDS_MAX -> add()
                what < 12 -> edit()
                what < 17 -> show()
                what < 19 -> list()
                else -> exchange()
            }
        }

        private fun value() = "1%d%09d".format(number, ++written)

        private suspend fun add() {
            val value = value()
            val id = phone.add(Subject.PERSON, woman("其其格$number") + (KEY to value))
            own += id
            last[id] = value
            did("add")
        }

        private suspend fun edit() {
            val id = own.random(random)
            val value = value()
            assertEquals(1, phone.edit(id, mapOf(KEY to value)))
            last[id] = value
            did("edit")
        }

        private suspend fun show() {
            val id = own.random(random)
            assertEquals(last[id], phone.show(id).text(KEY))
            did("show")
        }

        private suspend fun list() {
            val rows = phone.list(Subject.PERSON, search = "其其格$number")
            assertEquals(own.toSet(), rows.map { it.id }.toSet())
            did("list")
        }

        private suspend fun exchange() {
            try {
                phone.exchange()
                did("exchange")
            } catch (error: OrtooException.Wrong) {
                if (error.code != "exchange_running") throw error
                did("exchange_running")
            }
        }
    }
}
