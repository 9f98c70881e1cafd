//! State of the console: the server behind it, its secrets, its words.

use std::sync::Arc;

use node::App;
use store::clock::NoRandomness;
use sync_core::id::RecordId;
use words::{Language, Words};

use super::address::Address;
use super::csrf::CsrfToken;
use super::replies::Replies;
use super::token::RecordSeal;

/// What every page is made with.
#[derive(Clone)]
pub(super) struct ConsoleState {
    pub(super) app: App,
    pub(super) seal: Arc<RecordSeal>,
    pub(super) pass: Arc<CsrfToken>,
    pub(super) replies: Arc<Replies>,
    chinese: Arc<Words>,
    english: Arc<Words>,
}

impl ConsoleState {
    pub(super) fn new(app: App) -> Result<Self, NoRandomness> {
        Ok(Self {
            app,
            seal: Arc::new(RecordSeal::draw()?),
            pass: Arc::new(CsrfToken::draw()?),
            replies: Arc::new(Replies::default()),
            chinese: Arc::new(Words::new(Language::Chinese)),
            english: Arc::new(Words::new(Language::English)),
        })
    }

    pub(super) fn words(&self, language: Language) -> &Words {
        match language {
            Language::Chinese => &self.chinese,
            Language::English => &self.english,
        }
    }

    /// The address of a record.
    pub(super) fn record(&self, unit: &str, record: RecordId) -> Address {
        Address::Record(self.seal.token(unit, record).unwrap_or_default())
    }
}
