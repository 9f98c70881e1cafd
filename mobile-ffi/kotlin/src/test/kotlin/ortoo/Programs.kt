package ortoo

import java.io.File
import java.util.concurrent.TimeUnit

/** The built programs, run as their users run them. */
internal object Programs {
    private val dir = File(System.getProperty("ortoo.programs"))

    fun path(name: String): String {
        val program = File(dir, name)
        check(program.canExecute()) { "$program is not built: run `cargo build` first" }
        return program.path
    }

    /** Runs a program to its end. */
    fun run(command: List<String>): Said {
        val builder = ProcessBuilder(command)
        builder.environment().apply {
            put("LANG", "C")
            put("ORTOO_PIN", PIN)
            remove("LC_ALL")
        }
        // To files, so that no full pipe holds it.
        val (out, err) = List(2) { File.createTempFile("ortoo", ".said") }
        try {
            val process = builder.redirectOutput(out).redirectError(err).start()
            check(process.waitFor(60, TimeUnit.SECONDS)) { "$command does not end" }
            return Said(process.exitValue(), out.readText(), err.readText())
        } finally {
            out.delete()
            err.delete()
        }
    }
}

/** What a finished program said. */
internal class Said(val code: Int, private val out: String, private val err: String) {
    val json: Json
        get() {
            check(code == 0) { out + err }
            return Json.parse(out)
        }

    val error: Json
        get() {
            check(code != 0) { out }
            return Json.parse(err.lines().last { it.startsWith("{") })["error"]
        }
}

/** The command line on a store of its own. */
internal class Field(private val dir: File) {
    fun run(vararg args: String): Said =
        Programs.run(listOf(Programs.path("ortoo-field"), "--dir", dir.path, "--json") + args)
}

/** A running sample server on a loopback port that the system picks. */
internal class Server(private val data: File) : AutoCloseable {
    private val process: Process
    val url: String

    init {
        val builder = ProcessBuilder(
            Programs.path("ortoo-server"), "--data", data.path, "--json",
            "serve", "--listen", "127.0.0.1:0", "--sample",
        )
        builder.environment()["RUST_LOG"] = "warn"
        process = builder.redirectError(File("${data.path}.log")).start()
        // It prints its first line once it listens, and hardly any later.
        url = Json.parse(process.inputReader().readLine())["url"].text
    }

    val port: Int get() = url.substringAfterLast(':').toInt()

    fun run(vararg args: String): Said =
        Programs.run(listOf(Programs.path("ortoo-server"), "--data", data.path, "--json") + args)

    /** What only a person may order, with the sample installation's key of one. */
    fun order(vararg args: String): Json = run(*args, "--key", File(data, "order.key").path).json

    /** A new enrolment link. */
    fun link(unit: String = UNIT): String = run("enrol-code", "--space", unit).json["link"].text

    override fun close() {
        process.destroyForcibly().waitFor()
    }
}
