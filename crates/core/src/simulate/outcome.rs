//! What a run gives, whatever its fidelity.

use std::sync::Arc;

use crate::bound::Bound;
use crate::fabric::Fabric;
use crate::record::Record;
use crate::spec::{Algorithm, Fidelity, RunSpec};
use crate::symmetry::Folding;
use crate::units::Fs;

/// Everything that a run gives.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From the call until the last rank has finished.
    pub time_fs: Fs,
    /// Algorithm that ran.
    pub algorithm: Algorithm,
    /// Protocol that ran.
    pub protocol: String,
    /// How closely it was looked at.
    pub fidelity: Fidelity,
    /// Kind of fabric that joins the ranks, by which errors of fidelities were measured.
    pub kind: String,
    /// Number of ranks.
    pub ranks: u32,
    /// Size after nccl-tests' rounding.
    pub bytes_effective: u64,
    /// Size over time, in 1e9 bytes a second.
    pub algbw_gbytes_s: f64,
    /// That times nccl-tests' factor.
    pub busbw_gbytes_s: f64,
    /// What no schedule can beat.
    pub bound: Bound,
    /// What kept this run from being faster.
    pub bottleneck: String,
    /// Options without effect, and other remarks.
    pub warnings: Vec<String>,
    /// How the price that decided for algorithm, protocol and lanes was found; `no choice` if there was nothing to choose.
    pub chosen_by: String,
    /// What packets or flows left behind.
    pub record: Option<Record>,
    /// The specification with every choice made.
    pub effective: RunSpec,
    /// The machine, for names.
    pub fabric: Arc<Fabric>,
    /// Symmetries of the run, and whether only one of each class was simulated.
    pub folding: Folding,
}
