package ortoo

import java.io.File
import kotlinx.coroutines.runBlocking

/** Cycles before anything is measured: threads, compiled code and the allocator's pools come to stay. */
private const val WARM_UP = 200

/** Opens, exchanges and closes a phone so many times, and prints what memory the process has meanwhile. */
fun main(args: Array<String>) {
    val (dir, cycles) = File(args[0]) to args[1].toInt()
    for (cycle in 1 - WARM_UP..cycles) {
        runBlocking {
            Phone.open(dir, IN_KEY_STORE, Language.ENGLISH).use { phone ->
                phone.exchange()
                check(phone.list(Subject.PERSON).size == 10)
            }
        }
        if (cycle > 0 && cycle % maxOf(1, cycles / 20) == 0) println("$cycle\t${residentKiB()}")
    }
}

/** The process's resident memory, after what the collector can give back. */
private fun residentKiB(): Long {
    System.gc()
    val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS:") }
    return line.filter(Char::isDigit).toLong()
}
