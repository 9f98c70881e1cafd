//! ID numbers of made-up people: they pass every check, and their address code doesn't exist.

/// An address code that was never given out; marks every number here as made up.
pub const ADDRESS: &str = "999999";

/// A valid 18-character ID number of a made-up person: `birth` is `YYYYMMDD`, the sequence is even
/// for a woman.
pub fn id_number(birth: &str, sequence: u32) -> String {
    let body = format!("{ADDRESS}{birth}{sequence:03}");
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .bytes()
        .zip(WEIGHTS)
        .map(|(b, weight)| u32::from(b - b'0') * weight)
        .sum();
    let check = b"10X98765432"[(sum % 11) as usize] as char;
    format!("{body}{check}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_made_up_number_passes_the_check_of_the_core() {
        let number = super::id_number("19850607", 124);
        let read = sync_core::group::IdNumber::parse(&number).unwrap();
        assert_eq!(
            (read.birth_date().as_str(), read.is_female()),
            ("1985-06-07", true)
        );
    }
}
