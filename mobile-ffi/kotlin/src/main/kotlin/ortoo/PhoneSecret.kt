package ortoo

import ortoo.ffi.HostException
import ortoo.ffi.KeyStore as NativeKeyStore
import ortoo.ffi.Secret as NativeSecret

/** What opens a store. Never prints what it holds. */
public sealed class PhoneSecret {

    /**
     * A PIN or passphrase alone, of at least 4 characters; a server of real people's data takes only
     * generated ones of at least 12.
     *
     * [secret] is read when the store is opened and belongs to the caller, who may overwrite it
     * afterwards. Until the next garbage collection a copy as text remains in the JVM's memory.
     */
    public class Typed(internal val secret: CharArray) : PhoneSecret() {
        public constructor(secret: String) : this(secret.toCharArray())
    }

    /**
     * The phone's key store, and a PIN unless it is empty. Who has the files and not the phone can't
     * try a single PIN; and opening costs a tenth of what a typed secret does.
     */
    public class InKeyStore(internal val pin: CharArray, internal val keyStore: KeyStore) : PhoneSecret() {
        public constructor(pin: String, keyStore: KeyStore) : this(pin.toCharArray(), keyStore)
        public constructor(keyStore: KeyStore) : this(CharArray(0), keyStore)
    }

    final override fun toString(): String = "PhoneSecret"
}

/** The key store of the phone's system as the app reaches it, such as Android's. */
public fun interface KeyStore {
    /**
     * HMAC-SHA-256 (32 bytes) of [message] under a key that the app made in the key store and that
     * never leaves it; the same at every call.
     *
     * Called on any thread, whenever the store is opened: by [Phone.open], and by later calls after
     * something went wrong. Whatever it throws, the call that needed it fails with the code
     * `key_store_silent` and nothing else happens.
     */
    public fun mac(message: ByteArray): ByteArray
}

internal fun PhoneSecret.asNative(): NativeSecret =
    when (this) {
        is PhoneSecret.Typed -> NativeSecret.Typed(secret.concatToString())
        is PhoneSecret.InKeyStore -> NativeSecret.InKeyStore(pin.concatToString(), GuardedKeyStore(keyStore))
    }

/**
 * Lets nothing out that the app's code throws: an `Error` would otherwise leave the callback without an
 * answer.
 */
private class GuardedKeyStore(private val keyStore: KeyStore) : NativeKeyStore {
    override fun mac(message: ByteArray): ByteArray =
        try {
            keyStore.mac(message)
        } catch (_: Throwable) {
            throw HostException.Failed("")
        }
}
