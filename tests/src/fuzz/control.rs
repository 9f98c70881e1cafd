//! The control feed, and the plan that it carries.

use plan::Package;
use sync_core::control::Control;
use sync_core::figure::{CellDelta, Counter, UnitFacts};

use super::{Checked, Ground, Input, about, broken, require};
use crate::sim::village::{UNIT, second_root_entry};

/// The control state of somebody who knows the root statement only.
fn founded(ground: &Ground) -> Control {
    let mut control = Control::new(ground.network());
    let root = ground.of("network").next();
    let root = root.and_then(|root| control.check(&root.bytes).ok().flatten());
    root.into_iter().for_each(|root| control.apply(root));
    control
}

/// What a server shows a stranger is its root statement, or nothing.
pub(super) fn network(ground: &Ground, input: Input<'_>) -> Checked {
    let mut control = Control::new(ground.network());
    match control.check(input.bytes) {
        Ok(Some(entry)) => {
            let known = founded(ground).check(input.bytes) == Ok(None);
            require(known, "another root statement founds the network")?;
            control.apply(entry);
            require(
                control.root() == founded(ground).root(),
                "it says something else",
            )?;
            Ok("founded".into())
        }
        Ok(None) => broken("held by somebody who holds nothing"),
        Err(bad) => Ok(format!("{bad:?}")),
    }
}

/// A control entry counts only as it was signed, and the state does not depend on the order.
pub(super) fn entry(ground: &Ground, input: Input<'_>) -> Checked {
    of(ground, founded(ground), "control", input)
}

/// The same of what decides something, where a person may order too.
pub(super) fn decision(ground: &Ground, input: Input<'_>) -> Checked {
    let mut control = founded(ground);
    let second = control.check(&second_root_entry()).ok().flatten();
    second.into_iter().for_each(|root| control.apply(root));
    of(ground, control, "decision", input)
}

fn of(ground: &Ground, control: Control, kind: &str, input: Input<'_>) -> Checked {
    let entry = match control.check(input.bytes) {
        Ok(Some(entry)) => entry,
        Ok(None) => return Ok("held".into()),
        Err(bad) => return Ok(format!("{bad:?}")),
    };
    require(entry.bytes() == input.bytes, "other bytes are kept")?;
    let recorded = ground.of(kind);
    let others = recorded.filter_map(|kept| control.check(&kept.bytes).ok().flatten());
    let others: Vec<_> = others.collect();
    if !input.mended {
        let signed = others.iter().any(|other| other.hash == entry.hash);
        require(signed, "it verifies and was never signed")?;
    }
    let (mut first, mut last) = (control.clone(), control);
    first.apply(entry.clone());
    others.iter().for_each(|other| first.apply(other.clone()));
    others.into_iter().rev().for_each(|other| last.apply(other));
    last.apply(entry.clone());
    require(first.position() == last.position(), "the order matters")?;
    let packages = [first.package_entry(), last.package_entry()];
    require(packages[0] == packages[1], "the order decides the package")?;
    let seals = [first.seal_key(), last.seal_key()];
    require(seals[0] == seals[1], "the order decides the key to seal to")?;
    let decided = |control: &Control| {
        let cut = control.cut_devices().collect::<Vec<_>>();
        (cut, control.erased().collect::<Vec<_>>())
    };
    require(decided(&first) == decided(&last), "the order decides")?;
    let excluded = first
        .exclusions_since(&last)
        .chain(last.exclusions_since(&first));
    require(excluded.count() == 0, "the order decides what is left out")?;
    let (root, scope) = (first.root().map(|root| root.version), entry.scope);
    let scope = scope.map(|scope| about(scope.len()));
    let roster = about(first.devices().count());
    Ok(format!("taken {root:?} {scope:?} {roster}"))
}

/// A package reads back as it was written.
pub(super) fn package(_: &Ground, input: Input<'_>) -> Checked {
    let Ok(package) = Package::from_cbor(input.bytes) else {
        return Ok("refused".into());
    };
    let bytes = package.to_cbor();
    match Package::from_cbor(&bytes) {
        Ok(read) => require(read.to_cbor() == bytes, "it reads back as another package")?,
        Err(bad) => return broken(format!("written again it does not read: {bad}")),
    }
    let sizes = [
        package.subjects.len(),
        package.codes.len(),
        package.settings.len(),
        package.computed.len(),
        package.registers.len(),
        package.units.len(),
        package.indicators.len(),
    ];
    Ok(format!("{:?}", sizes.map(about)))
}

/// Whatever a package says, figures can be counted by it.
pub(super) fn package_used(ground: &Ground, input: Input<'_>) -> Checked {
    let Ok(package) = Package::from_cbor(input.bytes) else {
        return Ok("refused".into());
    };
    let replica = &ground.village.phones()[0].replica;
    let counter = Counter::new(&package);
    let said = UnitFacts::read(replica, &package, UNIT);
    let mut cells = CellDelta::default();
    for (_, contribution) in said.contributions(&counter, replica.control(), UNIT) {
        cells.add(&contribution);
    }
    Ok(format!("{} cells", about(cells.cells().count())))
}
