package ortoo

import java.util.concurrent.TimeUnit
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout

/** What the office orders, and what it makes of a phone. */
class OfficeTest {

    @Test
    fun `what was written on an erased record is kept until its author registers it anew or drops it`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val women = listOf("其其格", "娜仁").map { a.add(Subject.PERSON, woman(it)) }
        for (phone in listOf(a, b)) phone.exchange()
        val (her, other) = women
        b.edit(her, mapOf("identity.name" to "斯琴高娃", "background.literate" to "true"))
        b.edit(other, mapOf("identity.phone" to "10012345678"))
        server.order("erase", her, other)
        for (phone in listOf(a, b)) {
            phone.exchange()
            assertEquals(emptyList<Record>(), phone.list(Subject.PERSON))
            failing<OrtooException.Wrong>("unknown_record") { phone.show(her) }
        }
        assertEquals(0L to 2L, a.status().kept to b.status().kept)
        assertEquals(emptyList<KeptEdit>(), a.kept())
        val written = mapOf("identity.name" to TextValue("斯琴高娃"), "background.literate" to FlagValue(true))
        val kept = b.kept().associateBy { it.record }
        assertEquals(women.toSet(), kept.keys)
        assertEquals(KeptEdit(her, UNIT, written), kept[her])
        assertEquals("10012345678", kept.getValue(other).text("identity.phone"))

        val anew = b.registerKept(her)
        assertNotEquals(her, anew)
        b.dropKept(other)
        assertEquals(0, b.status().kept)
        for (record in women) {
            failing<OrtooException.Wrong>("nothing_kept") { b.registerKept(record) }
            failing<OrtooException.Wrong>("nothing_kept") { b.dropKept(record) }
        }
        failing<OrtooException.Wrong>("bad_id") { b.dropKept("p0") }
        for (phone in listOf(b, a)) {
            phone.exchange()
            assertEquals(listOf(anew), phone.list(Subject.PERSON).map { it.id })
            assertEquals("斯琴高娃", phone.show(anew).text("identity.name"))
        }
        server.verified()
    }

    @Test
    fun `new keys make another device that loses nothing and exchanges on`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val before = a.status().device
        val ids = mutableListOf(a.add(Subject.PERSON, woman("其其格")))
        val report = a.renewKeys()
        assertTrue(report.batchesUp > 0)
        assertNotEquals(before, report.renewed)
        assertEquals(report.renewed, a.status().device)
        ids += a.add(Subject.PERSON, woman("娜仁"))
        assertNull(a.exchange().renewed)
        assertEquals(0, a.status().unsent)
        b.exchange()
        assertEquals(ids.toSet(), b.list(Subject.PERSON).map { it.id }.toSet())
        // The store opens with the new keys.
        a.close()
        assertEquals(report.renewed, open("a").status().device)
        server.verified()
    }

    @Test
    fun `asking for new keys holds nobody up, and what was cancelled comes with the next exchange`() = inVillage {
        val a = phone("a")
        val (id, before) = a.add(Subject.PERSON, woman("其其格")) to a.status().device
        val proxy = held(Proxy(server.port, 100))
        a.setServer(proxy.url)
        val renewal = async(Dispatchers.Default) { a.renewKeys() }
        proxy.awaitStall()
        val shown = measureTime { a.show(id) }
        assertTrue(shown < 1.seconds) { "a call took $shown" }
        failing<OrtooException.Wrong>("exchange_running") { a.exchange() }
        val took = measureTime { renewal.cancelAndJoin() }
        assertTrue(took < 2.seconds) { "cancelling took $took" }
        assertEquals(before, a.status().device)

        a.setServer(server.url)
        assertEquals(a.exchange().renewed, a.status().device)
        assertNotEquals(before, a.status().device)
        server.verified()
    }

    @Test
    fun `two phones with the keys of one hear of it by their exchanges`() = inVillage {
        phone("a").use { a ->
            a.add(Subject.PERSON, woman("其其格"))
            a.exchange()
        }
        dir("a").copyRecursively(dir("twin"))
        val phones = listOf(open("a"), open("twin"))
        val before = phones[0].status().device
        val renewed = List(4) { round ->
            phones.mapNotNull { phone ->
                phone.add(Subject.PERSON, woman("乌云$round"))
                phone.exchange().renewed
            }
        }
        val devices = phones.map { it.status().device }
        assertEquals(3, (devices + before).toSet().size) { "$devices" }
        assertEquals(devices.toSet(), renewed.flatten().toSet())
        for (phone in phones + phones) phone.exchange()
        for (phone in phones) assertEquals(9, phone.list(Subject.PERSON).size)
        // The fork stays on record; what was written on both sides of it counts.
        assertEquals(0, server.run("verify").json["different"].whole)
    }

    @Test
    fun `a phone that the office orders wiped hands everything over and says so from then on`() = inVillage {
        val a = phone("a")
        val id = a.add(Subject.PERSON, woman("其其格"))
        server.order("wipe", a.status().device)
        assertEquals("其其格", a.show(id).text("identity.name"))
        val ended = failing<OrtooException.Wiped>("wiped") { a.exchange() }
        assertTrue("office" in ended.problems.single().message) { ended.problems.toString() }
        failing<OrtooException.Wiped>("wiped") { a.show(id) }
        failing<OrtooException.Wiped>("wiped") { a.renewKeys() }
        assertEquals("其其格", server.run("show", id).json["fields"]["identity.name"].text)
        assertEquals(emptyList<String>(), dir("a").list().orEmpty().toList())
        a.close()
        failing<OrtooException.Store>("phone_locked") { a.show(id) }
        failing<OrtooException.Store>("store_missing") { open("a") }
        // Whoever goes on working enrols anew, in the same place.
        phone("a").exchange()
    }

    // It saves 6 MB in a thousand edits, which takes most of a minute while other tests run.
    @Test
    @Timeout(10, unit = TimeUnit.MINUTES)
    fun `a phone that has too much for one message stays until it was carried`() = inVillage {
        val a = phone("a")
        a.exchange()
        val random = Random(1)
        // Nothing that packing makes smaller.
        fun noise() = buildString { repeat(200) { appendCodePoint(random.nextInt(0x20000, 0x2a6d0)) } }
        val visit = mapOf("given_on" to "2025-01-02", "type" to "00")
        val items = List(10) { a.add(Subject.PERSON, woman("牧民$it")) }.associateWith { id ->
            List(8) { a.addItem(id, "service", visit) }
        }
        repeat(100) {
            for ((id, visits) in items) a.edit(id, visits.associate { "service#$it.content" to noise() })
        }
        server.order("wipe", a.status().device)
        failing<OrtooException.Wrong>("too_much_to_hand_over") { a.exchange() }
        // Nothing has changed, and nothing is kept from the user.
        assertTrue(a.status().unsent > 0)
        assertEquals(items.keys, a.list(Subject.PERSON).map { it.id }.toSet())
        do {
            val made = a.exportBundle(bytesMax = 2_000_000)
            a.importBundle(carried(made.bytes))
        } while (made.left > 0)
        assertEquals(0, a.status().unsent)
        failing<OrtooException.Wiped>("wiped") { a.exchange() }
        assertEquals(items.keys, server.run("records").json.list.map { it["id"].text }.toSet())
        server.verified()
    }
}
