//! A package as a phone has it: decoded, without the loader and without a parser where `load` is off.

use plan::Package;
use plan::expression::{Datum, Facts, Fields, Scope};

const PACKAGE: &[u8] = include_bytes!("golden/newer-package.cbor");

#[test]
fn a_phone_evaluates_the_trees_of_the_package() {
    let package = Package::from_cbor(PACKAGE).expect("a package");
    let mut facts = Facts::default();
    let woman = Fields::from([("sex".to_owned(), Datum::Text("2".into()))]);
    facts.single.insert("identity".into(), woman);
    let scope = Scope::new(&package, "person", &facts, None, "2026-06-30").expect("a scope");
    let women = package.register("women").expect("the register");
    assert_eq!(scope.holds(&women.rows), Ok(true));
    assert_eq!(scope.computed("due"), Ok(Datum::Null));
    let visited = package.indicator("health.visited").expect("the indicator");
    let whom = visited.count.denominator.as_deref().expect("one");
    assert_eq!(scope.holds(whom), Ok(true));
    let reads = package.reads("person", &visited.count.numerator);
    let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
    assert_eq!(reads, ["visit"]);
}

#[cfg(not(feature = "load"))]
#[test]
fn without_the_loader_an_expression_that_has_no_tree_has_no_answer() {
    let package = Package::from_cbor(PACKAGE).expect("a package");
    let facts = Facts::default();
    let scope = Scope::new(&package, "person", &facts, None, "2026-06-30").expect("a scope");
    assert_eq!(scope.holds("woman || true").ok(), None);
}
