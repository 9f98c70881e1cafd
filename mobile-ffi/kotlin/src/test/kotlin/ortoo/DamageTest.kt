package ortoo

import java.io.File
import java.io.RandomAccessFile
import java.util.concurrent.TimeUnit
import kotlin.random.Random
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout

private const val PAGE_BYTES = 4096
private const val LOST = "open, rows lost and fetched again"

class DamageTest {

    @Test
    fun `a store whose header is overwritten is named and left in place`() = inVillage {
        val store = store()
        for ((name, damage) in mapOf<String, (File) -> Unit>(
            "zeros" to { it.overwrite(0, ByteArray(100)) },
            "noise" to { it.overwrite(0, Random(1).nextBytes(PAGE_BYTES)) },
            "another file" to { it.writeText("not a store at all, and longer than nothing") },
            "cut" to { it.writeBytes(it.readBytes().copyOf(PAGE_BYTES + 100)) },
        )) {
            val copy = store.copied("header")
            val file = File(copy, "ortoo.db").also(damage)
            val before = file.readBytes()
            val error = runCatching { Phone.open(copy, IN_KEY_STORE, Language.ENGLISH) }.exceptionOrNull()
            assertTrue(error is OrtooException.Store) { "$name: $error" }
            println("damage: $name: ${(error as OrtooException.Store).code}")
            assertArrayEquals(before, file.readBytes(), name)
        }
    }

    @Test
    @Timeout(10, unit = TimeUnit.MINUTES)
    fun `a byte that is flipped anywhere is an error of the store or costs rows that an exchange brings back`() = inVillage {
        val store = store()
        val names = open("a").use { phone -> phone.names() }
        val bytes = File(store, "ortoo.db").length()
        // The file's own header, the heads of its pages, and anywhere.
        val random = Random(2)
        val at = (0L until 100 step 7) + (0 until bytes step PAGE_BYTES.toLong()).flatMap { listOf(it + 1, it + 5, it + 9) } +
            List(150) { random.nextLong(bytes) }
        val seen = sortedMapOf<String, Int>()
        val failures = mutableListOf<String>()
        for (offset in at) {
            val copy = store.copied("flipped")
            File(copy, "ortoo.db").flip(offset)
            val outcome = try {
                Phone.open(copy, IN_KEY_STORE, Language.ENGLISH).use { phone -> phone.looked(names, server.url) }
            } catch (error: OrtooException.Store) {
                error.code
            } catch (error: Throwable) {
                failures += "at $offset: $error"
                "failed"
            }
            seen.merge(outcome, 1, Int::plus)
        }
        println("damage: ${at.size} flipped bytes: $seen")
        assertEquals(emptyList<String>(), failures)
        assertTrue(LOST in seen) { "$seen" }
        server.verified()
    }

    /** Looks at everything in a store that opened. */
    private suspend fun Phone.looked(names: Map<String, String>, url: String): String {
        val unreadable = status().unreadableRows
        val shown = names()
        assertTrue(names.entries.containsAll(shown.entries)) { "$shown" }
        // Only a row that doesn't read may take something with it.
        if (unreadable == 0L) assertEquals(names, shown)
        val addressLost = status().server.isEmpty()
        if (addressLost) {
            failing<OrtooException.Wrong>("address_lost") { exchange() }
            setServer(url)
        }
        exchange()
        assertEquals(names, names(), "after an exchange")
        return if (unreadable == 0L) "open" else LOST
    }

    /** A closed store with everything exchanged. */
    private suspend fun Village.store(): File {
        phone("a").use { phone ->
            repeat(40) { phone.add(Subject.PERSON, woman("其其格$it")) }
            phone.exchange()
        }
        return dir("a")
    }

    private suspend fun Phone.names() = list(Subject.PERSON).associate { it.id to it.text("identity.name") }

    private fun File.copied(name: String): File {
        val copy = resolveSibling(name)
        copy.deleteRecursively()
        copyRecursively(copy)
        return copy
    }

    private fun File.overwrite(at: Long, bytes: ByteArray) = RandomAccessFile(this, "rw").use {
        it.seek(at)
        it.write(bytes)
    }

    private fun File.flip(at: Long) = RandomAccessFile(this, "rw").use {
        it.seek(at)
        val byte = it.read()
        it.seek(at)
        it.write(byte xor 0x55)
    }
}
