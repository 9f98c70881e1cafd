import Foundation
import OrtooFFI

/// The key store of the phone's system, as the app reaches it. `KeychainKeyStore` is one.
public protocol PhoneKeyStore: AnyObject, Sendable {
    /// HMAC-SHA-256 (32 bytes) of `message` under a key that the app made there; the same at every
    /// call. Called on any thread, whenever the store is opened. If it throws, the call that needed it
    /// fails with `key_store_silent`.
    func mac(message: Data) throws -> Data
}

/// What opens a store. Never prints what it holds.
public enum PhoneSecret: Sendable {
    /// A PIN or passphrase alone, of at least 4 characters; a server of real people's data takes only
    /// generated ones of at least 12.
    case typed(String)
    /// The phone's key store, and a PIN unless it is empty. Who has the files and not the phone can't
    /// try a single PIN.
    case inKeyStore(PhoneKeyStore, pin: String = "")

    var native: Secret {
        switch self {
        case .typed(let secret):
            return .typed(secret: secret)
        case .inKeyStore(let keyStore, let pin):
            return .inKeyStore(pin: pin, keyStore: Asked(keyStore))
        }
    }
}

extension PhoneSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Nothing of what it holds.
    public var description: String { "PhoneSecret" }

    /// Nothing of what it holds.
    public var debugDescription: String { description }

    /// Nothing of what it holds.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A key store as the library asks it.
private final class Asked: KeyStore {
    private let keyStore: PhoneKeyStore

    init(_ keyStore: PhoneKeyStore) { self.keyStore = keyStore }

    func mac(message: Data) throws -> Data {
        do {
            return try keyStore.mac(message: message)
        } catch {
            throw HostError.Failed(detail: "")
        }
    }
}
