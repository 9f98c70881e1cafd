package ortoo

import java.io.File
import java.nio.file.Files
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals

internal const val PIN = "246810"

/** The 嘎查 of these tests. */
internal const val UNIT = "152522100200"

/** A key store in memory, with one key. */
internal val KEY_STORE = KeyStore { message ->
    Mac.getInstance("HmacSHA256").run {
        init(SecretKeySpec(ByteArray(32) { 7 }, "HmacSHA256"))
        doFinal(message)
    }
}

/** The secret of most phones here: the cheapest to open. */
internal val IN_KEY_STORE: PhoneSecret = PhoneSecret.InKeyStore(KEY_STORE)

/** A test of suspending calls, with a temporary directory and a server in it. */
internal fun inVillage(test: suspend Village.() -> Unit): Unit = runBlocking { Village(this).use { it.test() } }

/** A server and its phones, which all end with the test. */
internal class Village(scope: CoroutineScope) : CoroutineScope by scope, AutoCloseable {
    val dir: File = Files.createTempDirectory("ortoo").toFile()
    val server = Server(File(dir, "server"))
    private val held = mutableListOf<AutoCloseable>()

    /** Ends with the test. */
    fun <T : AutoCloseable> held(thing: T): T = thing.also { held += it }

    fun dir(name: String) = File(dir, name)

    /** A new phone, enrolled at [server] and open. */
    suspend fun phone(name: String, secret: PhoneSecret = IN_KEY_STORE, unit: String = UNIT): Phone {
        Phone.enrol(dir(name), secret, server.link(unit), Language.ENGLISH)
        return open(name, secret)
    }

    suspend fun open(name: String, secret: PhoneSecret = IN_KEY_STORE): Phone =
        held(Phone.open(dir(name), secret, Language.ENGLISH))

    /** Gives a bundle to the server; gives the bundle that goes back. */
    fun carried(bundle: ByteArray): ByteArray {
        val (there, back) = listOf(dir("there"), dir("back"))
        there.writeBytes(bundle)
        val said = server.run("bundle", "import", there.path, "--reply", back.path).json
        assertEquals(emptyList<Json>(), said["not_held"].list)
        return back.readBytes()
    }

    override fun close() {
        held.asReversed().forEach(AutoCloseable::close)
        server.close()
        dir.deleteRecursively()
    }
}

/** A household's values. */
internal fun household(number: Int): Map<String, String> = mapOf(
    "household.household_no" to "%04d".format(number),
    "household.head_name" to "巴特尔",
    "household.head_sex" to "1",
    "household.area_type" to "1",
    "household.residence_status" to "1",
    "household.resident_population" to "4",
    "household.resident_female" to "2",
    "household.main_camp" to "1",
)

/** A woman's values, of those that identify her. */
internal fun woman(name: String, birth: String = "1985-06-07"): Map<String, String> = mapOf(
    "identity.name" to name,
    "identity.sex" to "2",
    "identity.birth_date" to birth,
)

/** The same of one who lives in a household. */
internal fun womanAt(home: String, name: String, birth: String = "1985-06-07"): Map<String, String> =
    woman(name, birth) + mapOf(
        "residence.since" to "2015-03-01",
        "residence.status" to "1",
        "residence.household" to home,
    )

/** The error that [call] must fail with. */
internal inline fun <reified E : OrtooException> failing(code: String, call: () -> Any?): E {
    val error = try {
        call()
        throw AssertionError("nothing failed with $code")
    } catch (error: OrtooException) {
        error
    }
    assertEquals(E::class to code, error::class to error.code) { error.problems.toString() }
    return error as E
}

/** Every batch that phones sent makes the records that the server has, and every figure counts. */
internal fun Server.verified() {
    val records = run("verify").json
    assertEquals(0L to 0L, records["different"].whole to records["forks"].whole) { records.toString() }
    assertEquals(0L, run("verify-cells").json["different"].whole)
}
