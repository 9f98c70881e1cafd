package ortoo

import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class SecretTest {

    @Test
    fun `a store opens with its secret and with no other`() = inVillage {
        phone("a", PhoneSecret.Typed(PIN)).close()
        suspend fun opening(secret: PhoneSecret) = Phone.open(dir("a"), secret, Language.ENGLISH)
        failing<OrtooException.Store>("wrong_secret") { opening(PhoneSecret.Typed("135791")) }
        failing<OrtooException.Store>("other_secret") { opening(IN_KEY_STORE) }
        failing<OrtooException.Wrong>("secret_short") { opening(PhoneSecret.Typed("1")) }
        failing<OrtooException.Store>("store_missing") { Phone.open(dir("none"), IN_KEY_STORE, Language.ENGLISH) }
        opening(PhoneSecret.Typed(PIN.toCharArray())).close()
    }

    @Test
    fun `a key store opens its store and nothing else does`() = inVillage {
        phone("a", PhoneSecret.InKeyStore(PIN, KEY_STORE)).close()
        suspend fun opening(secret: PhoneSecret) = Phone.open(dir("a"), secret, Language.ENGLISH)
        failing<OrtooException.Store>("other_secret") { opening(PhoneSecret.Typed(PIN)) }
        failing<OrtooException.Store>("wrong_secret") { opening(PhoneSecret.InKeyStore("135791", KEY_STORE)) }
        failing<OrtooException.Store>("wrong_secret") { opening(PhoneSecret.InKeyStore(PIN) { ByteArray(32) }) }
        opening(PhoneSecret.InKeyStore(PIN, KEY_STORE)).close()
    }

    @Test
    fun `whatever a key store throws or answers is an error of the store and breaks nothing`() = inVillage {
        phone("a").close()
        val bad = listOf<(ByteArray) -> ByteArray>(
            { throw IllegalStateException("其其格") },
            { throw java.io.IOException("locked") },
            { throw AssertionError("an error that is no exception") },
            { throw StackOverflowError() },
            { ByteArray(31) },
            { ByteArray(0) },
        )
        for (mac in bad) {
            val secret = PhoneSecret.InKeyStore { message -> mac(message) }
            val error = failing<OrtooException.Store>("key_store_silent") {
                Phone.open(dir("a"), secret, Language.ENGLISH)
            }
            assertFalse("其其格" in error.stackTraceToString())
        }
        assertEquals(emptyList<Record>(), open("a").list(Subject.PERSON))
    }

    @Test
    fun `a secret is changed and the old one opens nothing any more`() = inVillage {
        phone("a").use { it.changeSecret(PhoneSecret.Typed(PIN)) }
        failing<OrtooException.Store>("other_secret") { open("a") }
        open("a", PhoneSecret.Typed(PIN)).use { it.status() }
    }

    @Test
    fun `a closed phone fails every call with one clear code`() = inVillage {
        val phone = phone("a")
        val id = phone.add(Subject.PERSON, woman("其其格"))
        phone.close()
        phone.close()
        repeat(2) {
            val error = failing<OrtooException.Store>("phone_locked") { phone.show(id) }
            assertTrue("locked" in error.problems.single().message)
        }
        failing<OrtooException.Store>("phone_locked") { phone.exchange() }
        assertEquals("其其格", open("a").show(id).text("identity.name"))
    }

    @Test
    fun `a phone that is closed while calls run lets each end well or locked`() = inVillage {
        phone("a").use { phone -> repeat(10) { phone.add(Subject.PERSON, woman("其其格$it")) } }
        repeat(20) { round ->
            val phone = open("a")
            val first = java.util.concurrent.CountDownLatch(4)
            val seen = java.util.concurrent.ConcurrentLinkedQueue<Throwable>()
            val callers = List(4) {
                kotlin.concurrent.thread {
                    kotlinx.coroutines.runBlocking {
                        var failed: Throwable? = null
                        while (failed == null) {
                            failed = runCatching { phone.list(Subject.PERSON) }.exceptionOrNull()
                            first.countDown()
                        }
                        seen += failed
                    }
                }
            }
            first.await()
            val took = measureTime { phone.close() }
            callers.forEach(Thread::join)
            assertTrue(took < 2.seconds) { "$took" }
            val codes = seen.map { (it as? OrtooException)?.code ?: it.toString() }.toSet()
            assertEquals(setOf("phone_locked"), codes) { "round $round" }
        }
    }

    @Test
    fun `neither secrets nor errors print what they hold`() {
        val printed = listOf(PhoneSecret.Typed(PIN), PhoneSecret.InKeyStore(PIN, KEY_STORE)).joinToString()
        assertFalse(PIN in printed) { printed }
    }
}
