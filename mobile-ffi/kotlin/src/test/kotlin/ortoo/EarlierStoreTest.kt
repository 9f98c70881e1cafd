package ortoo

import java.io.File
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class EarlierStoreTest {

    @Test
    fun `a store of version 0_1_0 opens with everything in it`() = inVillage {
        // Tests run in this package's directory.
        val fixture = File("../fixtures/store-0.1.0")
        val expected = Json.parse(File(fixture, "expected.json").readText())
        fixture.copyRecursively(dir("a"))
        val phone = open("a", PhoneSecret.Typed(expected["pin"].text))
        for (record in expected["records"].list) {
            val shown = phone.show(record["id"].text)
            assertEquals(expected["unit"].text, shown.unit)
            val fields = record["fields"].fields.mapValues { (_, value) -> value.shown() }
            assertEquals(fields, shown.fields.filterKeys(fields::containsKey).mapValues { it.value.text() })
        }
        val conflicts = expected["conflicts"].list.map { conflict ->
            Triple(conflict["id"].text, conflict["key"].text, conflict["values"].list.map { it.text })
        }
        assertEquals(conflicts, phone.conflicts().map { Triple(it.record, it.key, it.values.map(Value::text)) })
        assertEquals(expected["unsent"].whole, phone.status().unsent)
        assertEquals(0, phone.status().unreadableRows)
        // And it is written to.
        val id = phone.add(Subject.PERSON, woman("萨仁"))
        assertEquals("萨仁", phone.show(id).text("identity.name"))
    }

    /** As [Value.text] has it. */
    private fun Json.shown() = runCatching { text }.getOrElse { whole.toString() }
}
