package ortoo

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class CheckTest {

    @Test
    fun `a draft is refused as saving refuses it and as the command line does`() = inVillage {
        val phone = phone("a")
        val field = Field(dir("cli"))
        field.run("enrol", server.link()).json
        val bad = listOf(
            Subject.PERSON to ("identity.id_no" to "999999198506071241"),
            Subject.PERSON to ("identity.birth_date" to "2999-01-01"),
            Subject.PERSON to ("identity.name" to "长".repeat(61)),
            Subject.HOUSEHOLD to ("household.area_type" to "77"),
            Subject.HOUSEHOLD to ("household.nonsense" to "1"),
            Subject.HOUSEHOLD to ("household.resident_population" to "many"),
        )
        for ((subject, value) in bad) {
            val good = if (subject == Subject.PERSON) woman("萨仁") else household(1)
            val values = good + value
            val checked = phone.check(NewRecord(subject, null), values).refused
            val saved = failing<OrtooException.Wrong>(checked.first().code) { phone.add(subject, values) }
            assertEquals(checked, saved.problems)
            assertFalse(value.first in saved.message!! || value.second in saved.message!!)

            val sets = values.flatMap { listOf("--set", "${it.key}=${it.value}") }
            val said = field.run("add", subject.name.lowercase(), *sets.toTypedArray()).error
            val first = checked.first()
            assertEquals(Problem(said["code"].text, said["key"].text, said["message"].text), first)
            assertEquals(value.first, first.key)
        }
        assertEquals(emptyList<Record>(), phone.list(Subject.PERSON) + phone.list(Subject.HOUSEHOLD))
    }

    @Test
    fun `a fresh form asks for fields and what is asked follows what is typed`() = inVillage {
        val phone = phone("a")
        val fresh = phone.check(NewRecord(Subject.PERSON, null))
        assertTrue("identity.name" in fresh.asked) { fresh.asked.toString() }

        val id = phone.add(Subject.HOUSEHOLD, household(1))
        val tap = "tap_connected_on"
        fun Checked.asks() = asked.any { it.endsWith(tap) }
        assertTrue(phone.check(NewItem(id, "water"), mapOf("source" to "01")).asks())
        assertFalse(phone.check(NewItem(id, "water"), mapOf("source" to "05")).asks())
    }

    @Test
    fun `a good draft is refused nothing and says what stays to be asked`() = inVillage {
        val phone = phone("a")
        val checked = phone.check(NewRecord(Subject.PERSON, null), woman("萨仁"))
        assertEquals(emptyList<Problem>(), checked.refused)
        assertTrue(checked.left.any { it.code == "required" })
        val id = phone.add(Subject.PERSON, woman("萨仁"))
        assertEquals(checked.left, phone.show(id).problems)
        val edit = phone.check(RecordEdit(id), mapOf("identity.birth_date" to "2999-01-01"))
        assertEquals(listOf("future_date"), edit.refused.map { it.code })
    }
}
