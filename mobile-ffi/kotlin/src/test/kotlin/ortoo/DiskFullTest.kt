package ortoo

import java.io.File
import java.io.IOException
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test

class DiskFullTest {

    @Test
    fun `a full disk saves nothing by halves and saves again when there is room`() = inVillage {
        val disk = dir("disk").apply { mkdirs() }
        assumeTrue(mount(disk)) { "no small disk: this user may not mount a tmpfs" }
        try {
            Phone.enrol(disk, IN_KEY_STORE, server.link(), Language.ENGLISH)
            val saved = Phone.open(disk, IN_KEY_STORE, Language.ENGLISH).use { phone -> filledUp(phone, disk) }
            // The same again from the disk.
            Phone.open(disk, IN_KEY_STORE, Language.ENGLISH).use { phone ->
                assertEquals(saved, phone.list(Subject.PERSON).associate { it.id to it.text("identity.name") })
                phone.exchange()
                assertEquals(0, phone.status().unsent)
            }
        } finally {
            run("umount", disk.path)
        }
        server.verified()
    }

    /** What was reported as saved before, while and after the disk was full: names by id. */
    private suspend fun filledUp(phone: Phone, disk: File): Map<String, String> {
        val saved = mutableMapOf<String, String>()
        suspend fun add(name: String) = phone.add(Subject.PERSON, woman(name)).also { saved[it] = name }
        suspend fun shown() = phone.list(Subject.PERSON).associate { it.id to it.text("identity.name") }
        val first = add("其其格")
        val filler = File(disk, "filler").apply { fill() }

        // What there is room for in the store's own files is still taken.
        var refused: OrtooException.Store? = null
        var name = ""
        while (refused == null && saved.size < 1000) {
            name = "乌云${saved.size}"
            refused = try {
                add(name)
                null
            } catch (error: OrtooException.Store) {
                error
            }
        }
        assertEquals("disk_full", refused?.code)
        assertEquals(saved.toMap(), shown())
        val unsent = phone.status().unsent
        val edit = mapOf("identity.phone" to "10012345678")
        failing<OrtooException.Store>("disk_full") { phone.edit(first, edit) }
        assertEquals("", phone.show(first).text("identity.phone"))
        assertEquals(unsent, phone.status().unsent)

        assertTrue(filler.delete())
        add(name)
        phone.edit(first, edit)
        assertEquals("10012345678", phone.show(first).text("identity.phone"))
        assertEquals(saved.toMap(), shown())
        return saved
    }

    private fun mount(dir: File) = run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir.path)

    private fun run(vararg command: String): Boolean =
        try {
            ProcessBuilder(*command).redirectErrorStream(true).start().run {
                inputStream.readAllBytes()
                waitFor() == 0
            }
        } catch (_: IOException) {
            false
        }

    /** Until not a byte is left. */
    private fun File.fill() = outputStream().use { out ->
        try {
            while (true) out.write(ByteArray(512))
        } catch (_: IOException) {
            // No space left: that is what it is for.
        }
    }
}
