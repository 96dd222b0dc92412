//! How far flows and predictions were from packets: measured by kind of fabric, collective and algorithm, not modelled.
//!
//! **Model.** `docs/fidelity_table.py` runs a grid of systems at all three fidelities and writes the least and the largest error of
//! each kind into `table.json`, which is read here. A kind is what the networks that join the ranks are, innermost first, and how
//! their packets choose paths.
//!
//! **Invariant.** Flows that were measured off by more than [`DECLINED`] decline; those off by more than [`FLOW`], and predictions off by more than [`ANALYTIC`], say by how
//! much; of what was not measured that is said. A size takes the errors of the largest size measured that is not larger; sizes below all of them are not judged. **Cost.** The table is parsed once. **Limits.** What is not in the table was
//! not measured; sizes, rates and shapes of the grid stand for others of their kind.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::collective::{Algorithm, Collective};
use crate::fabric::direct::Dimension;
use crate::fabric::{Fabric, Network, Shape};
use crate::spec::{Fidelity, RoutingSpec};
use crate::survey::path;

/// Errors of flows up to this are not worth a warning.
pub const FLOW: f64 = 0.05;
/// Flows that were measured to be off by more decline.
pub const DECLINED: f64 = 0.08;
/// Other sizes, rates and shapes of a kind may be off by this factor more than those measured.
const MARGIN: f64 = 1.25;
/// Errors of predictions up to this are not worth a warning.
pub const ANALYTIC: f64 = 0.20;

/// What was measured of a kind.
#[derive(Clone, Debug, Deserialize)]
pub struct Measured {
    /// Kind of fabric, see [`kind`].
    pub fabric: String,
    /// Name of the collective.
    pub collective: String,
    /// Name of the algorithm.
    pub algorithm: String,
    /// Size of the collective, in bytes as in nccl-tests' size column.
    pub bytes: u64,
    /// Cases measured.
    pub cases: u32,
    /// Least and largest error of flows, as a part of the packets' time.
    pub flow: Option<[f64; 2]>,
    /// The same of predictions.
    pub analytic: Option<[f64; 2]>,
}

/// The table.
fn table() -> &'static [Measured] {
    static TABLE: OnceLock<Vec<Measured>> = OnceLock::new();
    // a test reads the file, so it parses
    TABLE.get_or_init(|| serde_json::from_str(include_str!("table.json")).unwrap_or_default())
}

/// What was measured of a kind of fabric with an algorithm.
pub fn find(kind: &str, collective: Collective, algorithm: Algorithm, bytes: u64) -> Option<&'static Measured> {
    let same = |m: &&Measured| {
        m.fabric == kind && m.collective == collective.name() && m.algorithm == algorithm.name() && m.bytes <= bytes
    };
    table().iter().filter(same).max_by_key(|m| m.bytes)
}

/// Size from which on errors are measured, in bytes of a rank.
pub const FROM: u64 = 1 << 20;

/// Why flows are not to be taken: they were measured to be off by more than [`DECLINED`].
pub fn declined(kind: &str, collective: Collective, algorithm: Algorithm, bytes: u64) -> Option<String> {
    let errors = find(kind, collective, algorithm, bytes)?.flow.filter(|&errors| worst(errors) > DECLINED)?;
    let (what, how) = (format!("{collective} by {algorithm}"), words(errors));
    Some(format!("packet or analytic: {what} on the kind of fabric {kind} was measured {how} as fluids"))
}

/// By what factor a prediction is too slow at most, if that was measured.
pub fn doubt(kind: &str, collective: Collective, algorithm: Algorithm, bytes: u64) -> Option<f64> {
    let [_, most] = find(kind, collective, algorithm, bytes)?.analytic?;
    Some(MARGIN * (1.0 + most.max(0.0)))
}

/// Why fluids or a prediction may be off: by how much they were measured to be, or that nobody measured it.
pub fn warning(
    fidelity: Fidelity,
    kind: &str,
    collective: Collective,
    algorithm: Algorithm,
    bytes: u64,
) -> Option<String> {
    let what = format!("{fidelity}: {collective} by {algorithm} on the kind of fabric {kind}");
    let found = find(kind, collective, algorithm, bytes);
    let (errors, most) = match fidelity {
        Fidelity::Packet => return None,
        Fidelity::Flow => (found.and_then(|found| found.flow), FLOW),
        Fidelity::Analytic => (found.and_then(|found| found.analytic), ANALYTIC),
    };
    match errors {
        Some(errors) if worst(errors) > most => Some(format!("{what} was measured {} against packets", words(errors))),
        Some(_) => None,
        None if bytes < FROM || kind.is_empty() => None,
        None => Some(format!("{what} was not measured against packets")),
    }
}

/// The largest of two errors, whatever their sign.
pub fn worst(errors: [f64; 2]) -> f64 {
    errors[0].abs().max(errors[1].abs())
}

/// A range of errors in words: "25 % too fast to 3 % too slow".
pub fn words(errors: [f64; 2]) -> String {
    let one = |error: f64| match (100.0 * error).round() {
        0.0 => "right".into(),
        e if e < 0.0 => format!("{:.0} % too fast", -e),
        e => format!("{e:.0} % too slow"),
    };
    let [least, most] = errors.map(one);
    if least == most { least } else { format!("{least} to {most}") }
}

/// The kind of fabric that joins these accelerators, as in "switch in oversubscribed tree, one path".
pub fn kind(fabric: &Fabric, placement: &[u32]) -> String {
    let home = placement.first().copied().unwrap_or(0);
    let mut found: Vec<String> = vec![];
    for net in &fabric.networks {
        let copies = |a: &u32| a / net.span;
        let (first, joined) = (home / net.span, placement.iter().all(|a| copies(a) == home / net.span));
        let mates = placement.iter().filter(|a| copies(a) == first).count();
        if mates > 1 && net.span > 1 {
            found.push(level(net, mates as u32));
        }
        if joined {
            break;
        }
    }
    found.join(" in ")
}

/// One network with so many ranks in a copy.
fn level(net: &Network, ranks: u32) -> String {
    let several = match net.spec.routing {
        RoutingSpec::DModK | RoutingSpec::SModK => "one path",
        RoutingSpec::Ecmp => "hashed",
        RoutingSpec::SprayRoundRobin | RoutingSpec::SprayRandom | RoutingSpec::Adaptive => "sprayed",
        RoutingSpec::Valiant | RoutingSpec::Ugal => "detours",
    };
    match &net.planes[0].shape {
        Shape::Clos(tree) => {
            let tiers = tree.tiers().len();
            let top = (0..tiers).find(|&t| path::places(net, t) >= ranks).unwrap_or(tiers - 1);
            let narrow = (0..top).any(|t| {
                let beneath = f64::from(path::places(net, t)) * f64::from(net.ports) * net.link(0).rate.0 as f64;
                path::uplinks(net, t) < 0.999 * beneath
            });
            let name = match (top, narrow) {
                (0, _) => "switch",
                (_, false) => "tree",
                (_, true) => "oversubscribed tree",
            };
            // a single link to a single switch leaves no choice
            if top == 0 && net.ports == 1 { name.into() } else { format!("{name}, {several}") }
        }
        Shape::Direct(direct) => {
            let rings = direct.dims.iter().any(|d| matches!(d.kind, Dimension::Line { wrap: true, size } if size > 2));
            let lines = direct.dims.iter().any(|d| matches!(d.kind, Dimension::Line { .. }));
            match (!direct.twist.is_empty(), rings, lines) {
                (true, ..) => "twisted torus",
                (_, true, _) => "torus",
                (_, _, true) => "mesh",
                _ => "full mesh",
            }
            .into()
        }
        Shape::Graph(_) => format!("graph, {several}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read() {
        let rows: Vec<Measured> = serde_json::from_str(include_str!("table.json")).unwrap();
        for row in &rows {
            assert!(Collective::parse(&row.collective).is_ok() && Algorithm::parse(&row.algorithm).is_ok(), "{row:?}");
            let ranges = row.flow.into_iter().chain(row.analytic);
            assert!(row.cases > 0 && { ranges }.all(|[least, most]| -1.0 < least && least <= most), "{row:?}");
        }
    }

    #[test]
    fn errors_in_words() {
        assert_eq!(words([-0.25, 0.03]), "25 % too fast to 3 % too slow");
        assert_eq!(words([-0.25, -0.25]), "25 % too fast");
        assert_eq!(words([0.001, 0.2]), "right to 20 % too slow");
        assert_eq!(worst([-0.25, 0.03]), 0.25);
    }
}
