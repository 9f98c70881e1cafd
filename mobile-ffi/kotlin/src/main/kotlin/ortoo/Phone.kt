package ortoo

import java.io.File
import java.util.concurrent.atomic.AtomicBoolean
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.ProducerScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.withContext
import ortoo.ffi.BundleWish
import ortoo.ffi.Exchange
import ortoo.ffi.Listener
import ortoo.ffi.Phone as NativePhone
import ortoo.ffi.PhoneException
import ortoo.ffi.Progress
import ortoo.ffi.outbox as outboxNative
import ortoo.ffi.startEnrolment
import ortoo.ffi.wipe as wipeNative

/**
 * A phone: the registers of its org units in a sealed store.
 *
 * What a call reports as saved is on the disk. One process should have a store open at a time.
 *
 * **Threads.** Every call may come from any coroutine, several at once, and runs on the dispatcher given
 * to [open]: the thread that asks is never held. Only [close] is called as it is.
 *
 * **Errors.** Every call may throw [OrtooException] and nothing else of its own.
 *
 * **Cancellation.** [exchange], [exchangeWithProgress], [renewKeys] and [enrol] stop when their coroutine is cancelled,
 * also where they wait for the server. Every other call takes milliseconds: once begun it ends, and a
 * cancelled coroutine only doesn't see its result.
 */
public class Phone private constructor(
    private val native: NativePhone,
    private val dispatcher: CoroutineDispatcher,
) : AutoCloseable {

    private val closing = AtomicBoolean(false)

    /** What every call fails with once the phone is closed, in the phone's language. */
    @Volatile
    private var locked: List<Problem>? = null

    /**
     * The plan as it reached this device. Some hundred kilobytes: ask once, and after an exchange when its
     * version may have changed.
     */
    public suspend fun plan(): Plan = call { it.plan() }

    /**
     * The records of a subject, a group of linked ones as one row without items: those that stand in
     * [register], and where [search] stands somewhere in a field.
     */
    public suspend fun list(subject: Subject, register: String? = null, search: String? = null): List<Record> =
        call { it.list(subject, register, search) }

    /** Everything that one record shows. */
    public suspend fun show(id: String): Record = call { it.show(id) }

    /**
     * Looks at what is typed before it is saved; with no values, at a fresh form. Nothing is written.
     *
     * What is refused here is what saving would be refused for, in the same words.
     */
    public suspend fun check(draft: Draft, values: Map<String, String> = emptyMap()): Checked =
        call { it.check(draft, values) }

    /**
     * Registers a person or household; gives the new record's id. [values] stand under `section.field`;
     * those of a repeating section make its first item. [unit] may be left out where the device holds one.
     */
    public suspend fun add(subject: Subject, values: Map<String, String>, unit: String? = null): String =
        call { it.add(subject, unit, values) }

    /**
     * Writes values to a record, under `section.field` or `section#item.field`; gives the number of
     * changes, 0 if everything stood there already.
     */
    public suspend fun edit(id: String, values: Map<String, String>): Long = call { it.edit(id, values) }

    /**
     * Adds an item to a repeating section, or writes to the one that its natural key names; gives the
     * item's id. [values] stand under `field`.
     */
    public suspend fun addItem(id: String, section: String, values: Map<String, String>): String =
        call { it.addItem(id, section, values) }

    /**
     * Withdraws an item. Nothing of it is deleted; writing `false` to `section#item.void` brings it back.
     */
    public suspend fun voidItem(id: String, section: String, item: String): Unit =
        call { it.voidItem(id, section, item) }

    /** Everything that somebody must settle. */
    public suspend fun conflicts(): List<Conflict> = call { it.conflicts() }

    /** Settles a key of a record for all who have seen no more than this phone has. */
    public suspend fun resolve(id: String, key: String, choice: Choice): Unit =
        call { it.resolve(id, key, choice) }

    /** Every value ever written to a record, oldest first. */
    public suspend fun history(id: String): List<Event> = call { it.history(id) }

    /** What is due today, or within so many days from now; the most urgent first. */
    public suspend fun tasks(days: Int = 0): List<Task> = call { it.tasks(days) }

    /** The plan's figures of every unit held. */
    public suspend fun indicators(years: Years = ThisYear): List<Figure> = call { it.indicators(years) }

    /** Where the phone stands. */
    public suspend fun status(): Status = call { it.status() }

    /** `name: value` lines for whoever helps: versions, sizes in bytes, counts; no personal data. */
    public suspend fun diagnostics(): String = call { it.diagnostics() }

    /**
     * Exchanges with the server until both hold the same. Every other call goes on meanwhile.
     *
     * If the coroutine is cancelled the exchange is stopped, at once where it waits for the server, and
     * the cancellation goes on when it has ended. What was exchanged stays exchanged; the next exchange
     * goes on from there.
     *
     * @throws OrtooException.Wrong with `exchange_running` while another one is.
     * @throws OrtooException.Wiped if the office had ordered this phone wiped.
     */
    public suspend fun exchange(): ExchangeReport = exchange {}

    /**
     * The same as a flow: [ExchangeStep.Progress] after every round, then [ExchangeStep.Finished]. Each
     * collection is an exchange of its own, and is stopped with its collector.
     */
    public fun exchangeWithProgress(): Flow<ExchangeStep> = channelFlow<ExchangeStep> { tellExchange() }.conflate()

    /**
     * Exchanges with new keys for this phone, as another device ([ExchangeReport.renewed]): for whoever
     * fears that somebody has a copy of the old ones. Nothing that is held or unsent is lost. Every other
     * call goes on meanwhile. Where the server itself notices such a copy, [exchange] does the same.
     *
     * If the coroutine is cancelled, or the server is not reached, the new keys wait: every later exchange
     * asks for them again.
     *
     * @throws OrtooException.Wrong with `renewal_waits` while the server does not let the new keys in,
     * `exchange_running` while an exchange is under way.
     */
    public suspend fun renewKeys(): ExchangeReport = talking({}) { phone, listener -> phone.startRenewal(listener) }

    /**
     * What was written here on records that the office has erased meanwhile, and waits for its author's
     * decision. [Status.kept] counts it.
     */
    public suspend fun kept(): List<KeptEdit> = call { it.kept() }

    /**
     * Registers what is kept of an erased record as a record of its own; gives the new record's id. Only what
     * was kept stands in it.
     *
     * @throws OrtooException.Wrong with `nothing_kept`, or as [add] does.
     */
    public suspend fun registerKept(record: String): String = call { it.registerKept(record) }

    /**
     * Drops what is kept of an erased record, for good.
     *
     * @throws OrtooException.Wrong with `nothing_kept`.
     */
    public suspend fun dropKept(record: String): Unit = call { it.dropKept(record) }

    /**
     * Makes a bundle of what the server lacks, for whoever travels: only the server and the devices of the
     * same spaces can read it. What is in it counts as unsent until the server's acknowledgement comes, by
     * whatever way.
     *
     * @param bytesMax how large it may get; what does not fit is in [RelayBundle.left].
     * @param short for a channel that counts every byte, such as a satellite's short message of 1,750
     * bytes, which it fits if [bytesMax] says no other size: to the server alone, and not padded.
     * @param everything all that is held and not only what the server lacks: for a phone that has seen
     * neither.
     * @throws OrtooException.Wrong with `bundle_too_small` if nothing fits, `bundle_no_key` while no key of
     * the server is known.
     */
    public suspend fun exportBundle(
        bytesMax: Long? = null,
        short: Boolean = false,
        everything: Boolean = false,
    ): RelayBundle = call { it.exportBundle(BundleWish(bytesMax, short, everything)) }

    /**
     * Takes a bundle, whoever made and carried it; the same one may come any number of times.
     *
     * @throws OrtooException.Wrong, and nothing has changed: `bundle_not_for_us` where all of it is for
     * others, `bundle_shape`, `bundle_version`, `bundle_too_large`, `bundle_altered`.
     */
    public suspend fun importBundle(bytes: ByteArray): BundleReport = call { it.importBundle(bytes) }

    /**
     * Says that two records of persons are one person. If they are shown as one already and name or birth
     * date differ, this confirms them in spite of that.
     *
     * @throws OrtooException.Wrong with `not_a_person`, `same_record`, `other_unit`, `unknown_record`.
     */
    public suspend fun link(id: String, other: String): Linked = call { it.link(id, other) }

    /**
     * Says that two records of persons are two people, whatever their ID numbers say. Nothing of either is
     * lost; the last deliberate word counts.
     */
    public suspend fun unlink(id: String, other: String): Linked = call { it.unlink(id, other) }

    /**
     * Remembers another address of the server, `https://host[:port]`. Nothing is trusted by it: the server
     * must show a key that the network lists.
     */
    public suspend fun setServer(url: String): Unit = call { it.setServer(url) }

    /** Has the store opened with another secret from now on; the old one opens nothing any more. */
    public suspend fun changeSecret(secret: PhoneSecret): Unit = call { it.changeSecret(secret.asNative()) }

    /**
     * Erases the store for good and closes the phone.
     *
     * @throws OrtooException.Wrong with `unsent_changes` while not everything is known to be on the server,
     * unless [loseUnsent].
     */
    public suspend fun wipe(loseUnsent: Boolean = false) {
        withContext(dispatcher) {
            now { it.wipe(loseUnsent) }
            close()
        }
    }

    /**
     * Locks the phone: secret, keys and records leave memory at once, an exchange under way is stopped, and
     * every later call fails with `phone_locked`. Waits at most for the step that another call is in.
     */
    override fun close() {
        if (closing.getAndSet(true)) return
        native.lock()
        // Asked once, for the sentence. From here on nobody begins to use what is let go of below.
        locked = problemsOf { native.status() }
        native.close()
    }

    private suspend fun exchange(onProgress: (Progress) -> Unit): ExchangeReport =
        talking(onProgress) { phone, listener -> phone.startExchange(listener) }

    private suspend fun talking(
        onProgress: (Progress) -> Unit,
        start: (NativePhone, Listener) -> Exchange,
    ): ExchangeReport =
        withContext(dispatcher) {
            working(onProgress) { listener -> Work.of(now { start(it, listener) }) }
        }

    private suspend fun ProducerScope<ExchangeStep>.tellExchange() {
        val report = exchange { trySend(ExchangeStep.Progress(it.moved, it.unsent)) }
        send(ExchangeStep.Finished(report))
    }

    private suspend fun <T> call(step: (NativePhone) -> T): T = withContext(dispatcher) { now(step) }

    private fun <T> now(step: (NativePhone) -> T): T {
        locked?.let { throw OrtooException.Store(it) }
        return try {
            calling { step(native) }
        } catch (destroyed: IllegalStateException) {
            // Closed after the look above.
            throw locked?.let { OrtooException.Store(it) } ?: destroyed
        }
    }

    public companion object {
        /**
         * Opens the store in [dir], which an enrolment made. Takes what the secret costs to try: half a second
         * of a cheap phone and 64 MiB, or a tenth of that with a key store.
         *
         * @param language of the sentences in [Problem.message].
         * @param dispatcher runs every call; nothing is ever run on the thread that calls.
         * @throws OrtooException.Store such as `store_missing`, `wrong_secret`, `other_secret`,
         * `key_store_silent`, `store_damaged`, `store_too_new`.
         */
        public suspend fun open(
            dir: File,
            secret: PhoneSecret,
            language: Language,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Phone {
            var opened: Phone? = null
            return try {
                withContext(dispatcher) {
                    val native = calling { NativePhone.open(dir.path, secret.asNative(), language) }
                    Phone(native, dispatcher).also { opened = it }
                }
            } catch (cancelled: CancellationException) {
                // Opened, but nobody waits for it any more.
                opened?.close()
                throw cancelled
            }
        }

        /**
         * Redeems an enrolment link: makes the store in [dir], or goes on with one whose enrolment was broken
         * off. The same link again after it was redeemed is no error. The phone is opened afterwards.
         *
         * If the coroutine is cancelled the enrolment is stopped, and the cancellation goes on when it has
         * ended; the same link may be used again.
         */
        public suspend fun enrol(
            dir: File,
            secret: PhoneSecret,
            link: String,
            language: Language,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Enrolled =
            withContext(dispatcher) {
                working({}) { listener ->
                    Work.of(startEnrolment(dir.path, secret.asNative(), link, language, listener))
                }
            }

        /**
         * Erases the store in [dir] for good, also one that nobody can open any more. Nobody is asked whether
         * something in it was never sent. No error where there is none.
         */
        public suspend fun wipe(
            dir: File,
            language: Language,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Unit = withContext(dispatcher) { calling { wipeNative(dir.path, language) } }

        /**
         * What the store in [dir] holds that the server does not have, as a bundle for the server alone:
         * without the secret, for a phone whose secret is lost or whose user is gone. Null if there is
         * nothing.
         */
        public suspend fun outbox(
            dir: File,
            language: Language,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Outbox? = withContext(dispatcher) { calling { outboxNative(dir.path, language) } }
    }
}

private fun problemsOf(call: () -> Unit): List<Problem>? =
    try {
        call()
        null
    } catch (error: PhoneException) {
        error.asOrtoo().problems
    }
