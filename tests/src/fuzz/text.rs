//! Ids, keys and links as people and programs write them.

use std::fmt::Display;
use std::str::FromStr;

use sync_core::enrol::EnrolmentLink;
use sync_core::id::{BatchHash, DeviceId, NetworkId, RecordId, Space};
use sync_core::value::Key;

use super::{Checked, Ground, Input, require};

/// What reads as something prints as something that reads as the same.
pub(super) fn text(_: &Ground, input: Input<'_>) -> Checked {
    let text = String::from_utf8_lossy(input.bytes);
    let mut word = String::new();
    word.push(stable::<EnrolmentLink>(&text)?);
    word.push(stable::<RecordId>(&text)?);
    word.push(stable::<NetworkId>(&text)?);
    word.push(stable::<DeviceId>(&text)?);
    word.push(stable::<BatchHash>(&text)?);
    word.push(stable::<Space>(&text)?);
    if let Ok(key) = Key::parse(&text) {
        require(key.as_str() == text, "a key is another text")?;
        word.push('k');
    }
    Ok(word)
}

fn stable<T: FromStr + Display + PartialEq>(text: &str) -> Result<char, String> {
    let Ok(read) = text.parse::<T>() else {
        return Ok('-');
    };
    let again = read.to_string().parse::<T>().ok();
    require(again.as_ref() == Some(&read), "it reads back as another")?;
    Ok('+')
}
