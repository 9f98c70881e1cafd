package guide

import ortoo.Child
import ortoo.Language
import ortoo.PIN
import ortoo.Phone
import ortoo.PhoneSecret
import ortoo.Subject
import ortoo.inVillage
import ortoo.text
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class GuideTest {

    @Test
    fun `the app of the guide does what the guide says`() = inVillage {
        val lines = held(Child("guide.GuideAppKt", listOf(dir("a").path, server.link()))).lines()
        fun says(part: String) = assertTrue(lines.any { part in it }) { "$part in $lines" }
        says("This device is ")
        says("Still to be asked: ")
        says("其其格, born 1985-06-07")
        says("0 changes still to be sent")
        says("Cervical screening, 其其格")
        says("Water observation, 巴特尔")
        // A second time it opens what is there, without a link.
        held(Child("guide.GuideAppKt", listOf(dir("a").path))).lines()

        phone("b").use { other ->
            other.exchange()
            assertEquals(2, other.list(Subject.PERSON).size)
        }
        Phone.open(dir("a"), PhoneSecret.Typed(PIN), Language.ENGLISH).use { own ->
            val woman = own.list(Subject.PERSON).first()
            assertEquals("其其格", own.show(woman.id).text("identity.name"))
            assertEquals(0, own.status().unsent)
        }
    }
}
