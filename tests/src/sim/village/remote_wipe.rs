//! Remote wipe of a phone, and what both sides say: a story of its own, for the phone is gone after
//! it.

use sync_core::id::Subject;
use sync_core::remote_wipe::WipeReport;
use sync_core::value::Value;

use super::carry::WHOLE;
use super::story::small_plan;
use super::*;

/// From the order to the phone's last word.
pub fn wipe_report() -> Vec<Recorded> {
    let mut village = Village::found(&small_plan());
    let root = ed25519_dalek::SigningKey::from_bytes(&ROOT);
    village.hub.list_person(&root);
    village.tell_seal_key();
    let phone = village.enrol("phone-to-wipe");
    let device = village.phones[phone].device();
    village.hub.order_wipe(device);
    let household = village.phones[phone].draw(village.now, Subject::Household);
    let head = [("household.head_name", Value::from("苏和"))];
    village.save(phone, household, &head);
    village.recorded.clear();

    village.round(phone, "called-to-wipe");
    let bundle = village.phones[phone].bundle(village.now, WHOLE);
    let said = [("hands-over", bundle, false), ("wiped", Vec::new(), true)];
    for (name, bundle, wiped) in said {
        let sample::phone::Device { replica, key, .. } = &*village.phones[phone];
        let request =
            replica.wipe_request(&|message| key.sign(message), WipeReport { bundle, wiped });
        let answer = village.serve(&request);
        village.keep("request", name, request);
        village.keep("answer", "may-wipe", answer);
    }
    village.recorded
}
