//! The public JSON of a figure, the same from the phone's command line and the server's. A contract:
//! names and shapes are kept for good.

use plan::indicator::Indicator;
use serde_json::{Value, json};

use super::Tally;

/// `{"indicator","org","year","numerator","denominator","unknown","value","target"}`. A plain number
/// has no denominator (null); `value` is null where nobody is counted, `target` where the plan names
/// no amount.
pub fn figure(indicator: &Indicator, org: &str, year: u16, tally: &Tally) -> Value {
    let denominator = indicator
        .count
        .denominator
        .as_ref()
        .map(|_| tally.denominator);
    json!({
        "indicator": indicator.key,
        "org": org,
        "year": year,
        "numerator": tally.numerator,
        "denominator": denominator,
        "unknown": tally.unknown,
        "value": tally.value(indicator.target.unit).map(|value| value.rounded()),
        "target": target(indicator),
    })
}

/// The row of an indicator that a device can't count, for lack of a class of data (R46): the same
/// keys with nulls, and `missing` with the classes.
pub fn missing(indicator: &Indicator, org: &str, year: u16, classes: &[&str]) -> Value {
    json!({
        "indicator": indicator.key,
        "org": org,
        "year": year,
        "numerator": null,
        "denominator": null,
        "unknown": null,
        "value": null,
        "target": target(indicator),
        "missing": classes,
    })
}

fn target(indicator: &Indicator) -> Option<f64> {
    let bound = indicator.target.bound.as_ref()?;
    Some(bound.amount()?.rounded())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::Package;

    #[test]
    fn a_figure_has_the_keys_of_the_contract_in_their_order() {
        let package = Package::builtin();
        let indicator = package
            .indicator("environment.pastoral-tap-water-rate")
            .unwrap();
        let tally = Tally {
            numerator: 17,
            denominator: 40,
            unknown: 5,
        };
        let shape = figure(indicator, "152522", 2026, &tally);
        let text = r#"{"indicator":"environment.pastoral-tap-water-rate","org":"152522","year":2026,"numerator":17,"denominator":40,"unknown":5,"value":42.5,"target":42.5}"#;
        assert_eq!(shape.to_string(), text);
        let nobody = figure(indicator, "152522", 2026, &Tally::default());
        assert_eq!(nobody["value"], Value::Null);
        let missing = missing(indicator, "152522", 2026, &["care"]);
        assert_eq!(
            (&missing["value"], &missing["missing"]),
            (&Value::Null, &json!(["care"]))
        );
    }

    #[test]
    fn a_plain_number_has_no_denominator() {
        let package = Package::builtin();
        let indicator = package
            .indicator("social-security.left-behind-women")
            .unwrap();
        let tally = Tally {
            numerator: 12,
            ..Tally::default()
        };
        let shape = figure(indicator, "152522", 2026, &tally);
        assert_eq!(shape["denominator"], Value::Null);
        assert_eq!(shape["value"], json!(12.0));
    }
}
