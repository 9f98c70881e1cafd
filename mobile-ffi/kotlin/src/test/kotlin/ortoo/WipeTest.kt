package ortoo

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class WipeTest {

    @Test
    fun `what was never sent is only erased by who says so`() = inVillage {
        val a = phone("a")
        val id = a.add(Subject.PERSON, woman("其其格"))
        failing<OrtooException.Wrong>("unsent_changes") { a.wipe() }
        assertEquals("其其格", a.show(id).text("identity.name"))
        a.wipe(loseUnsent = true)
        failing<OrtooException.Store>("phone_locked") { a.show(id) }
        assertEquals(emptyList<String>(), dir("a").list().orEmpty().toList())
        failing<OrtooException.Store>("store_missing") { open("a") }
    }

    @Test
    fun `a phone that has sent everything is wiped without a question`() = inVillage {
        val a = phone("a")
        a.add(Subject.PERSON, woman("其其格"))
        a.exchange()
        a.wipe()
        assertEquals(emptyList<String>(), dir("a").list().orEmpty().toList())
    }

    @Test
    fun `a store that nobody can open any more is erased by its directory`() = inVillage {
        phone("a").close()
        Phone.wipe(dir("a"), Language.ENGLISH)
        assertEquals(emptyList<String>(), dir("a").list().orEmpty().toList())
        Phone.wipe(dir("a"), Language.ENGLISH)
    }

    @Test
    fun `diagnostics name nobody`() = inVillage {
        val a = phone("a")
        val planted = woman("其其格") + mapOf("identity.phone" to "10012345678")
        val ids = List(3) { a.add(Subject.PERSON, planted) }
        a.exchange()
        val lines = a.diagnostics()
        assertTrue("records_general: 3" in lines) { lines }
        for (secret in ids + planted.values.filter { it.length > 1 } + listOf(UNIT, "127.0.0.1")) {
            assertFalse(secret in lines) { "$secret in $lines" }
        }
    }
}
