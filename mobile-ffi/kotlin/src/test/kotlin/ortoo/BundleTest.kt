package ortoo

import java.io.File
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class BundleTest {

    private fun Village.nameAtTheOffice(id: String): String =
        server.run("show", id).json["fields"]["identity.name"].text

    @Test
    fun `a bundle reaches the server and its answer acknowledges it`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        a.exchange()
        val other = b.add(Subject.PERSON, woman("娜仁"))
        b.exchange()
        val id = a.add(Subject.PERSON, woman("其其格"))
        val bundle = a.exportBundle()
        assertEquals(1L to 0L, bundle.batches to bundle.left)
        assertEquals(1, a.status().unsent)

        val back = carried(bundle.bytes)
        assertEquals("其其格", nameAtTheOffice(id))
        val report = a.importBundle(back)
        assertEquals(1L to emptyList<String>(), report.batches to report.refused)
        assertTrue(report.acknowledged > 0)
        assertEquals(0, a.status().unsent)
        assertEquals("娜仁", a.show(other).text("identity.name"))
        assertEquals(0, a.importBundle(back).batches)
        server.verified()
    }

    @Test
    fun `a courier of another unit carries what he cannot read`() = inVillage {
        val (a, elsewhere) = phone("a") to phone("c", unit = "152522100201")
        a.add(Subject.PERSON, woman("其其格"))
        val bundle = a.exportBundle().bytes
        failing<OrtooException.Wrong>("bundle_not_for_us") { elsewhere.importBundle(bundle) }
        failing<OrtooException.Wrong>("bundle_shape") { elsewhere.importBundle(ByteArray(0)) }
        failing<OrtooException.Wrong>("bundle_shape") { a.importBundle(byteArrayOf(80, 75, 3, 4)) }
        assertEquals(emptyList<Record>(), elsewhere.list(Subject.PERSON))
    }

    @Test
    fun `short messages stay in their size until all is there`() = inVillage {
        val a = phone("a")
        repeat(60) { a.add(Subject.PERSON, woman("牧民$it")) }
        failing<OrtooException.Wrong>("bundle_too_small") { a.exportBundle(bytesMax = 20, short = true) }
        do {
            val made = a.exportBundle(short = true)
            assertTrue(made.bytes.size <= 1750) { "${made.bytes.size}" }
            a.importBundle(carried(made.bytes))
        } while (made.left > 0)
        assertEquals(0, a.status().unsent)
        assertEquals(60, server.run("records").json.list.size)
    }

    @Test
    fun `the outbox of a store that nobody can open any more loses nothing`() = inVillage {
        val a = phone("a")
        assertNull(Phone.outbox(dir("a"), Language.ENGLISH))
        val id = a.add(Subject.PERSON, woman("其其格"))
        a.close()
        val box = Phone.outbox(dir("a"), Language.CHINESE)!!
        assertEquals(1, box.parts)
        assertFalse(String(box.bytes, Charsets.UTF_8).contains("其其格"))
        carried(box.bytes)
        assertEquals("其其格", nameAtTheOffice(id))
        failing<OrtooException.Store>("store_missing") { Phone.outbox(File(dir, "nowhere"), Language.ENGLISH) }
    }

    @Test
    fun `two records are one woman until somebody parts them`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val number = mapOf("identity.id_type" to "01", "identity.id_no" to "99999919850607124X")
        val one = a.add(Subject.PERSON, woman("其其格") + number)
        val other = b.add(Subject.PERSON, woman("琪琪格") + number)
        for (phone in listOf(a, b, a)) phone.exchange()
        // One number and two names: somebody has to say whether it is she.
        assertEquals(listOf("identity.name"), a.conflicts().map { it.key })
        assertEquals(Linked(one, listOf(other), emptyList()), b.link(one, other))
        for (phone in listOf(b, a)) phone.exchange()
        assertEquals(emptyList<Conflict>(), a.conflicts())
        assertEquals(1, a.list(Subject.PERSON).size)
        assertEquals(Linked(other, emptyList(), emptyList()), a.unlink(other, one))
        for (phone in listOf(a, b)) {
            phone.exchange()
            assertEquals(setOf(one, other), phone.list(Subject.PERSON).map { it.id }.toSet())
        }
        failing<OrtooException.Wrong>("same_record") { a.link(one, one) }
        val home = a.add(Subject.HOUSEHOLD, household(1))
        failing<OrtooException.Wrong>("not_a_person") { a.link(one, home) }
        server.verified()
    }
}
