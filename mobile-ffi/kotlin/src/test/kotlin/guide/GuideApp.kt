package guide

import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.runBlocking
import ortoo.*

/** Keeps a village's registers: GuideApp DIRECTORY [LINK], with the PIN in the environment. */
fun main(args: Array<String>) = runBlocking {
    try {
        open(File(args[0]), link = args.getOrNull(1)).use { phone -> work(phone) }
    } catch (error: OrtooException) {
        // The sentence says what to do; the code is stable and may be logged.
        error.problems.forEach { System.err.println("${it.message} (${it.code})") }
        exitProcess(1)
    }
}

/** Opens the store, or makes it with the administrator's link if there is none yet. */
suspend fun open(dir: File, link: String?): Phone {
    val pin = PhoneSecret.Typed(System.getenv("ORTOO_PIN"))
    try {
        return Phone.open(dir, pin, Language.ENGLISH)
    } catch (error: OrtooException.Store) {
        if (error.code != "store_missing" || link == null) throw error
    }
    val enrolled = Phone.enrol(dir, pin, link, Language.ENGLISH)
    println("This device is ${enrolled.device} and keeps ${enrolled.spaces.joinToString()}.")
    enrolled.pendingDigits?.let { println("Compare with the administrator: $it") }
    return Phone.open(dir, pin, Language.ENGLISH)
}

suspend fun work(phone: Phone) {
    val home = phone.add(
        Subject.HOUSEHOLD,
        mapOf(
            "household.household_no" to "0101",
            "household.head_name" to "巴特尔",
            "household.head_sex" to "1",
            "household.area_type" to "1",
            "household.residence_status" to "1",
            "household.resident_population" to "4",
            "household.resident_female" to "2",
            "household.main_camp" to "1",
        ),
    )

    // A form asks before it saves: what it is refused for, and what is still to be filled in.
    val woman = mapOf(
        "identity.name" to "其其格",
        "identity.sex" to "2",
        "identity.birth_date" to "1985-06-07",
        "residence.since" to "2015-03-01",
        "residence.status" to "1",
        "residence.household" to home,
    )
    val checked = phone.check(NewRecord(Subject.PERSON, unit = null), woman)
    checked.refused.forEach { println("Wrong: ${it.message}") }
    checked.left.forEach { println("Still to be asked: ${it.key}") }
    if (checked.refused.isEmpty()) phone.add(Subject.PERSON, woman)

    for (person in phone.list(Subject.PERSON)) {
        println("${person.text("identity.name")}, born ${person.text("identity.birth_date")}")
    }

    // Without a network nothing is lost: everything is on this device and goes out another time.
    try {
        phone.exchangeWithProgress().collect { step ->
            when (step) {
                is ExchangeStep.Progress -> println("${step.unsent} changes still to be sent")
                is ExchangeStep.Finished -> println("Sent ${step.report.bytesUp} bytes.")
            }
        }
    } catch (error: OrtooException.NoConnection) {
        println(error.problems.first().message)
    }

    for (task in phone.tasks(days = 30)) {
        println("${task.due}: ${task.title.text(Language.ENGLISH)}, ${task.label}")
    }
}
