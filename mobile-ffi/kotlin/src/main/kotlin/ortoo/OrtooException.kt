package ortoo

import ortoo.ffi.InternalException
import ortoo.ffi.PhoneException

/**
 * Why something was not done, by who has to act.
 *
 * [message] holds stable codes only, so that a log or a crash report names nobody. Keys and sentences
 * stand in [problems]: show them, never log them.
 */
public sealed class OrtooException(
    what: String,
    /** Everything that is wrong; never empty. The first is the one to show where there is room for one. */
    public val problems: List<Problem>,
) : Exception("$what: ${problems.joinToString { it.code }}") {

    /** The stable code of the first problem, such as `future_date`. */
    public val code: String get() = problems.first().code

    /** The request is wrong and nothing has changed: whoever asked can mend it. */
    public class Wrong internal constructor(problems: List<Problem>) :
        OrtooException("the request is wrong", problems)

    /** The server was not reached, or not far enough. Nothing is lost; try again at any time. */
    public class NoConnection internal constructor(problems: List<Problem>) :
        OrtooException("no connection", problems)

    /**
     * Work was cancelled below this layer. Nothing is lost; what was exchanged stays exchanged. Who
     * cancels a coroutine gets its `CancellationException` instead, as everywhere, and who closes the
     * phone gets [Store] with `phone_locked`.
     */
    public class Cancelled internal constructor(problems: List<Problem>) :
        OrtooException("cancelled", problems)

    /** The store can't be opened, read or written. */
    public class Store internal constructor(problems: List<Problem>) :
        OrtooException("the store can't be used", problems)

    /**
     * The office had ordered this phone wiped, and an exchange did so: all that the server lacked was
     * handed over, then the store was erased. Every later call on the phone says so too; close it. Whoever
     * goes on working enrols anew.
     */
    public class Wiped internal constructor(problems: List<Problem>) :
        OrtooException("wiped", problems)

    /**
     * A mistake in the library. What was in memory is dropped and the next call opens the store
     * again: everything that was reported as saved is there.
     */
    public class Internal internal constructor(problems: List<Problem>) :
        OrtooException("a mistake in the library", problems)
}

/**
 * Calls the native library. The one place where its errors become ours: they are not kept as a cause,
 * because their message prints keys and values.
 */
internal inline fun <T> calling(call: () -> T): T =
    try {
        call()
    } catch (error: PhoneException) {
        throw error.asOrtoo()
    } catch (_: InternalException) {
        // What no call should come to: the library and these bindings are not of one build.
        throw OrtooException.Internal(listOf(Problem("internal", "", "This program made a mistake.")))
    }

internal fun PhoneException.asOrtoo(): OrtooException =
    when (this) {
        is PhoneException.Wrong -> OrtooException.Wrong(problems)
        is PhoneException.NoConnection -> OrtooException.NoConnection(problems)
        is PhoneException.Cancelled -> OrtooException.Cancelled(problems)
        is PhoneException.Store -> OrtooException.Store(problems)
        is PhoneException.Wiped -> OrtooException.Wiped(problems)
        is PhoneException.Internal -> OrtooException.Internal(problems)
    }
