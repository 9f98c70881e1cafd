package ortoo

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class TogetherTest {

    @Test
    fun `what two phones write offline stands on both after they exchanged`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val home = a.add(Subject.HOUSEHOLD, household(1))
        assertTrue(a.status().unsent > 0)
        a.exchange()
        b.exchange()
        assertEquals(0, a.status().unsent)

        assertEquals(1, a.edit(home, mapOf("household.phone" to "10012345678")))
        assertEquals(1, b.edit(home, mapOf("household.resident_population" to "5")))
        assertEquals(0, b.edit(home, mapOf("household.resident_population" to "5")))
        for (phone in listOf(a, b, a)) phone.exchange()

        for (phone in listOf(a, b)) {
            val shown = phone.show(home)
            assertEquals("10012345678", shown.text("household.phone"))
            assertEquals(NumberValue(5), shown.fields["household.resident_population"])
            assertEquals(emptyList<Conflict>(), phone.conflicts())
        }
        server.verified()
    }

    @Test
    fun `a field written apart is a conflict on both phones until one settles it`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val home = a.add(Subject.HOUSEHOLD, household(1))
        for (phone in listOf(a, b)) phone.exchange()
        a.edit(home, mapOf("household.phone" to "10011111111"))
        b.edit(home, mapOf("household.phone" to "10022222222"))
        for (phone in listOf(a, b, a)) phone.exchange()

        val conflict = a.conflicts().single()
        assertEquals(conflict, b.conflicts().single())
        assertEquals(home to "household.phone", conflict.record to conflict.key)
        assertEquals(setOf("10011111111", "10022222222"), conflict.values.map { it.text() }.toSet())
        assertEquals(conflict.values.first().text(), a.show(home).text("household.phone"))

        b.resolve(home, "household.phone", TakeValue(1))
        for (phone in listOf(b, a)) phone.exchange()
        for (phone in listOf(a, b)) {
            assertEquals(emptyList<Conflict>(), phone.conflicts())
            assertEquals(conflict.values[1].text(), phone.show(home).text("household.phone"))
        }
        failing<OrtooException.Wrong>("no_conflict") { a.resolve(home, "household.phone", WriteValue("10033333333")) }
        server.verified()
    }

    @Test
    fun `the history names every value with the device that wrote it`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val home = a.add(Subject.HOUSEHOLD, household(1))
        for (phone in listOf(a, b)) phone.exchange()
        b.edit(home, mapOf("household.resident_population" to "6"))
        for (phone in listOf(b, a)) phone.exchange()

        val written = a.history(home).filter { it.key == "household.resident_population" }
        assertEquals(listOf("4", "6"), written.map { it.value.text() })
        assertEquals(listOf(a.status().device, b.status().device), written.map { it.device })
    }

    @Test
    fun `items are added once for a round and are withdrawn on every phone`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val id = a.add(Subject.PERSON, woman("乌云"))
        for (phone in listOf(a, b)) phone.exchange()
        val round = mapOf("cancer" to "C", "round" to "2026")
        assertEquals("C-2026", a.addItem(id, "screening", round + ("on_target_list" to "true")))
        assertEquals("C-2026", b.addItem(id, "screening", round + ("notified_on" to "2026-03-01")))
        for (phone in listOf(a, b, a)) phone.exchange()

        val item = a.show(id).itemsOf("screening").single()
        assertEquals(FlagValue(true) to "2026-03-01", item.fields["on_target_list"] to item.text("notified_on"))
        a.voidItem(id, "screening", "C-2026")
        for (phone in listOf(a, b)) phone.exchange()
        assertEquals(emptyList<Item>(), b.show(id).itemsOf("screening"))
    }

    @Test
    fun `tasks and figures are those of the server`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val home = a.add(Subject.HOUSEHOLD, household(1))
        val first = a.add(Subject.PERSON, womanAt(home, "其其格", "1980-05-20"))
        val second = a.add(Subject.PERSON, womanAt(home, "乌云", "1979-01-02"))
        a.addItem(
            first, "screening",
            mapOf(
                "cancer" to "C", "round" to "2023", "on_target_list" to "true", "screened_on" to "2023-05-10",
                "cervical_method" to "HPV", "proof" to "1", "info_source" to "01",
            ),
        )
        for (phone in listOf(a, b)) phone.exchange()

        fun due(tasks: List<Task>) = tasks.filter { it.record == second }.map { it.task }.toSet()
        assertEquals(setOf("cervical_screening", "breast_screening"), due(a.tasks()))
        assertEquals(due(a.tasks()), due(b.tasks()))
        assertEquals(setOf("water_visit", "toilet_visit"), a.tasks().filter { it.record == home }.map { it.task }.toSet())
        val listed = a.list(Subject.PERSON, register = "screening")
        assertEquals(setOf(first, second), listed.map { it.id }.toSet())

        val office = server.run("indicators", "--org", UNIT, "--every-year").json.list.associate {
            val amounts = listOf("numerator", "denominator", "unknown", "value").map(it::numberOrNull)
            (it["indicator"].text to it["year"].whole.toInt()) to amounts
        }
        for (phone in listOf(a, b)) {
            val own = phone.indicators(EveryYear).associate {
                assertEquals(UNIT to emptyList<String>(), it.unit to it.missing)
                val counts = listOf(it.numerator, it.denominator, it.unknown).map { count -> count?.toDouble() }
                (it.indicator to it.year) to counts + it.value
            }
            assertEquals(office, own)
            assertTrue(own.values.any { (numerator) -> numerator == 1.0 })
        }
        server.verified()
    }

    @Test
    fun `a woman registered twice is one row that names the other entry`() = inVillage {
        val (a, b) = listOf(phone("a"), phone("b"))
        val number = mapOf("identity.id_type" to "01", "identity.id_no" to "99999919850607124X")
        val first = a.add(Subject.PERSON, woman("其其格") + number)
        val second = b.add(Subject.PERSON, woman("琪琪格") + number)
        for (phone in listOf(a, b, a)) phone.exchange()
        for (phone in listOf(a, b)) {
            val row = phone.list(Subject.PERSON).single()
            assertEquals(setOf(first, second), setOf(row.id) + row.linked)
            // What each wrote is kept.
            assertEquals("其其格", phone.show(first).text("identity.name"))
            assertEquals("琪琪格", phone.show(second).text("identity.name"))
        }
    }

    @Test
    fun `the plan has what an app draws its forms from`() = inVillage {
        val plan = phone("a").plan()
        val person = plan.subjects.single { it.key == "person" }
        val sections = person.sections.associateBy { it.key }
        assertEquals(OneSet, sections.getValue("identity").repeats)
        assertEquals(listOf("cancer", "round"), (sections.getValue("screening").repeats as NamedItems).by)
        val kinds = plan.subjects.flatMap { it.sections }.flatMap { it.fields }.map { it.kind }
        // One screen's choice of a widget: every kind that there is.
        val widgets = kinds.map {
            when (it) {
                is WordsField -> "text"
                is DayField -> "date"
                is WholeField -> "number"
                is YesNoField -> "switch"
                is ChoiceField -> "radio"
                is ChoicesField -> "boxes"
                is ReferenceField -> "search"
                is PositionField -> "map"
            }
        }
        assertEquals(8, widgets.toSet().size)
        assertTrue(plan.units.any { it.code == UNIT && it.keepsRegisters })
        assertTrue(person.title.text(Language.CHINESE) != person.title.text(Language.ENGLISH))
    }
}
