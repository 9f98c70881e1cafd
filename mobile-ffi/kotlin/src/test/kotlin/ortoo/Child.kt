package ortoo

import java.io.File
import java.util.concurrent.TimeUnit

/** A JVM of its own that talks in lines. */
internal class Child(
    main: String,
    args: List<String>,
    options: List<String> = emptyList(),
    environment: Map<String, String> = emptyMap(),
) : AutoCloseable {
    private val process: Process = ProcessBuilder(
        listOf(File(System.getProperty("java.home"), "bin/java").path) + options +
            listOf("jna.library.path", "ortoo.programs").map { "-D$it=${System.getProperty(it)}" } +
            // Names are not ASCII, whatever the environment's language is.
            listOf("-Dfile.encoding=UTF-8", "-cp", System.getProperty("java.class.path"), main) + args,
    ).apply { environment() += environment + ("ORTOO_PIN" to PIN) }.redirectError(ProcessBuilder.Redirect.INHERIT).start()

    private val out = process.inputStream.bufferedReader()
    private val input = process.outputStream.bufferedWriter()

    /** The next line, or null when it has ended. */
    fun line(): String? = out.readLine()

    /** Everything that it says until it ends well. */
    fun lines(): List<String> {
        val lines = generateSequence(::line).toList()
        check(process.waitFor(60, TimeUnit.SECONDS) && process.exitValue() == 0) { "it ended badly: $lines" }
        return lines
    }

    /** Says a line and gives the answer. */
    fun ask(vararg words: String): String {
        input.write(words.joinToString("\t"))
        input.newLine()
        input.flush()
        return checkNotNull(line()) { "it ended at ${words.toList()}" }
    }

    /** As the system kills an app: without a word. */
    fun kill() {
        // By its handle: what it had printed can still be read.
        process.toHandle().destroyForcibly()
        process.waitFor()
    }

    override fun close() = kill()
}
