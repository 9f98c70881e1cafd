#if canImport(Security) && canImport(CryptoKit)
    import CryptoKit
    import Foundation
    import Security

    /// A random key in the keychain: there from the first unlock after a restart, so that an exchange in
    /// the background can open the store, and in no backup.
    ///
    /// Any thread may use it, several at once. On macOS the program must be signed with a keychain access
    /// group; without one every call fails with `errSecMissingEntitlement`.
    public final class KeychainKeyStore: PhoneKeyStore {
        /// The keychain did not give or take the key.
        public struct Failure: Error {
            /// What the system said.
            public let status: OSStatus
        }

        private let account: String

        /// - Parameter account: the key's name among those of the app.
        public init(account: String = "ortoo") { self.account = account }

        /// HMAC-SHA-256 of `message` under the key, which is made when it is first asked for.
        ///
        /// Throws `Failure` where the keychain does not give it: the phone was not unlocked yet since it
        /// started.
        public func mac(message: Data) throws -> Data {
            let key = SymmetricKey(data: try found() ?? made())
            return Data(HMAC<SHA256>.authenticationCode(for: message, using: key))
        }

        /// Deletes the key: what it sealed opens nowhere any more. No error where there is none.
        public func forget() throws {
            let status = SecItemDelete(query as CFDictionary)
            guard status == errSecSuccess || status == errSecItemNotFound else {
                throw Failure(status: status)
            }
        }

        private var query: [CFString: Any] {
            [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: "ortoo",
                kSecAttrAccount: account,
                // Only there macOS heeds what is said below about when a key is there.
                kSecUseDataProtectionKeychain: true,
            ]
        }

        private func found() throws -> Data? {
            var asked = query
            asked[kSecReturnData] = true
            var item: CFTypeRef?
            let status = SecItemCopyMatching(asked as CFDictionary, &item)
            if status == errSecItemNotFound { return nil }
            guard status == errSecSuccess, let key = item as? Data else { throw Failure(status: status) }
            return key
        }

        private func made() throws -> Data {
            let key = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
            var added = query
            added[kSecValueData] = key
            added[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            let status = SecItemAdd(added as CFDictionary, nil)
            // Another thread was first: its key is the one that stays.
            if status == errSecDuplicateItem, let theirs = try found() { return theirs }
            guard status == errSecSuccess else { throw Failure(status: status) }
            return key
        }
    }
#endif
