package ortoo

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ProcessesTest {

    @Test
    fun `two phones in two processes settle a conflict on both`() = inVillage {
        val a = phone("a")
        val b = other("b")
        val id = b.ask("add", "其其格")
        b.ask("exchange")
        a.exchange()
        assertEquals("其其格", a.show(id).text("identity.name"))

        a.edit(id, mapOf("identity.phone" to "10011111111"))
        b.ask("edit", id, "identity.phone", "10022222222")
        a.exchange()
        b.ask("exchange")
        a.exchange()
        val conflict = a.conflicts().single()
        assertEquals("1", b.ask("conflicts"))
        assertEquals(conflict.values[0].text(), b.ask("text", id, "identity.phone"))

        a.resolve(id, "identity.phone", WriteValue("10033333333"))
        a.exchange()
        b.ask("exchange")
        assertEquals("0", b.ask("conflicts"))
        assertEquals("10033333333", b.ask("text", id, "identity.phone"))
        server.verified()
    }

    @Test
    fun `what a killed process had reported as saved is there`() = inVillage {
        repeat(3) { round ->
            val child = if (round == 0) other("a") else reopened("a")
            val ids = mutableListOf(child.ask("add-on"))
            while (ids.size < 25) ids += checkNotNull(child.line())
            child.kill()
            // What it printed before it was killed counts, except for a line that was cut.
            ids += generateSequence(child::line).filter { it.length == ids[0].length }

            open("a").use { phone ->
                val there = phone.list(Subject.PERSON).map { it.id }.toSet()
                assertEquals(emptySet<String>(), ids.toSet() - there)
                phone.exchange()
            }
        }
        val b = phone("b")
        b.exchange()
        assertTrue(b.list(Subject.PERSON).size >= 75)
        server.verified()
    }

    private suspend fun Village.other(name: String): Child {
        Phone.enrol(dir(name), IN_KEY_STORE, server.link(), Language.ENGLISH)
        return reopened(name)
    }

    private fun Village.reopened(name: String): Child {
        val child = held(Child("ortoo.OtherPhoneKt", listOf(dir(name).path)))
        assertEquals("open", child.line())
        return child
    }
}
