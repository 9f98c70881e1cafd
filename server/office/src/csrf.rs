//! CSRF tokens: proof that a form was shown here. A page from elsewhere can have a browser post a
//! form to loopback, and with `Referrer-Policy: no-referrer` no header tells; but it can't read our
//! pages, so it does not know the pass that stands in them.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use store::clock::{NoRandomness, random};
use zeroize::Zeroizing;

const LABEL: &[u8] = b"ortoo console form v1";

/// The key of this process's forms. Wiped when dropped; never prints.
pub(super) struct CsrfToken(Zeroizing<[u8; 32]>);

impl CsrfToken {
    /// Draws a key.
    pub(super) fn draw() -> Result<Self, NoRandomness> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// The pass to put into a form.
    pub(super) fn shown(&self) -> String {
        let mac = self.mac().map(|mac| mac.finalize().into_bytes());
        mac.map(|mac| BASE64URL_NOPAD.encode(&mac))
            .unwrap_or_default()
    }

    /// Whether what was posted is the pass.
    pub(super) fn opens(&self, posted: &[u8]) -> bool {
        let posted = BASE64URL_NOPAD.decode(posted).unwrap_or_default();
        self.mac()
            .is_some_and(|mac| mac.verify_slice(&posted).is_ok())
    }

    fn mac(&self) -> Option<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.0).ok()?;
        Some(mac.chain_update(LABEL))
    }
}

impl std::fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormPass")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pass_of_this_process_opens() {
        let (pass, other) = (CsrfToken::draw().unwrap(), CsrfToken::draw().unwrap());
        let shown = pass.shown();
        assert!(pass.opens(shown.as_bytes()));
        assert!(!other.opens(shown.as_bytes()));
        for posted in ["", "x", &shown[1..], &format!("{shown}A")] {
            assert!(!pass.opens(posted.as_bytes()), "{posted}");
        }
    }
}
