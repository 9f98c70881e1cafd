package ortoo

import java.io.File
import java.util.concurrent.TimeUnit
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout

/** What memory may grow by between a quarter of the cycles and their end. */
private const val GROWTH_KIB_MAX = 10 * 1024

class MemoryTest {

    @Test
    @Timeout(4, unit = TimeUnit.HOURS)
    fun `a phone that is opened and closed again and again leaves no memory behind`() = inVillage {
        assumeTrue(File("/proc/self/status").canRead()) { "resident memory is read from /proc" }
        val cycles = System.getProperty("ortoo.cycles")
        phone("a").use { phone ->
            repeat(10) { phone.add(Subject.PERSON, woman("其其格$it")) }
            phone.exchange()
        }
        // In a JVM whose heap is all there from the start, so that what grows is native. And with an
        // allocator that gives large pieces back: the twenty megabytes that opening a store takes for a
        // moment would else stay, once for each pool of memory, whenever a thread first comes to it.
        val options = listOf("-Xms32m", "-Xmx32m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC")
        val pools = mapOf("MALLOC_ARENA_MAX" to "2", "MALLOC_MMAP_THRESHOLD_" to "1048576")
        val child = held(Child("ortoo.CyclesKt", listOf(dir("a").path, cycles), options, pools))
        val measured = child.lines().map { line -> line.split('\t').map(String::toLong) }
        val (warm, end) = listOf(measured[measured.size / 4], measured.last())
        println("memory: " + measured.joinToString { (cycle, kib) -> "$cycle: ${kib / 1024} MiB" })
        println("memory: grown by ${end[1] - warm[1]} KiB from cycle ${warm[0]} to ${end[0]}")
        assertEquals(cycles.toLong(), end[0])
        assertTrue(end[1] - warm[1] < GROWTH_KIB_MAX) { "from ${warm[1]} to ${end[1]} KiB" }
    }
}
