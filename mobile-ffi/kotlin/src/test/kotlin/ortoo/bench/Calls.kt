package ortoo.bench

import java.io.File
import kotlin.time.measureTime
import kotlinx.coroutines.runBlocking
import ortoo.Language
import ortoo.Phone
import ortoo.PhoneSecret
import ortoo.Subject

/** Calls before the clock runs, so that the JVM has compiled them. */
private const val WARM_UP = 300
private const val CALLS = 1000

/** Lists and exchanges take longer and vary less. */
private const val LONG_CALLS = 40

/**
 * What a call takes through Kotlin, with everything that is in it: median microseconds, as one line of
 * JSON. Arguments: the directory of an enrolled store, and its PIN. The server must be reachable.
 */
fun main(args: Array<String>): Unit = runBlocking {
    Phone.open(File(args[0]), PhoneSecret.Typed(args[1]), Language.ENGLISH).use { phone ->
        phone.exchange()
        val rows = phone.list(Subject.PERSON)
        val ids = rows.map { it.id }
        check(ids.isNotEmpty()) { "the store has nobody to show" }
        val show = median(WARM_UP, CALLS) { phone.show(ids[it % ids.size]) }
        val list = median(LONG_CALLS, LONG_CALLS) { phone.list(Subject.PERSON) }
        val exchange = median(LONG_CALLS, LONG_CALLS) { phone.exchange() }
        // Of one value, as the other languages measure it.
        val add = median(LONG_CALLS, CALLS / 5) {
            phone.add(Subject.PERSON, mapOf("identity.name" to "其其格$it"))
        }
        println(
            """{"show_us":$show,"list_us":$list,"list_rows":${rows.size},"add_us":$add,"exchange_us":$exchange}""",
        )
    }
}

private suspend fun median(warmUp: Int, calls: Int, call: suspend (Int) -> Unit): Long {
    repeat(warmUp) { call(it) }
    val took = List(calls) { measureTime { call(it) }.inWholeMicroseconds }
    return took.sorted()[calls / 2]
}
