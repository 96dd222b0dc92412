//! Every valid combination is proved by the checker, costed against its closed form, and every mutant is refused.

mod costs;
mod mutants;
mod proofs;
mod refusals;
mod symmetry;

use super::*;
use crate::check::{CheckReport, check};
use crate::control::Control;

fn params(collective: Collective, algorithm: Algorithm, ranks: u32, bytes: u64) -> Params {
    Params::new(collective, algorithm, ranks, bytes)
}

fn prove(p: &Params) -> CheckReport {
    let schedule = build(p).unwrap_or_else(|e| panic!("{p:?}: {e}"));
    check(schedule.as_ref(), p, &Control::default()).unwrap_or_else(|e| panic!("{p:?}: {e}"))
}

/// All pairs that build for this group.
fn pairs(p: &Params) -> Vec<Params> {
    let each = |collective| Params { collective, ..p.clone() };
    let all = Collective::ALL.into_iter().map(each);
    all.flat_map(|p| valid_algorithms(&p, true).into_iter().map(move |algorithm| Params { algorithm, ..p.clone() }))
        .collect()
}

impl Params {
    fn with_ranks(self, ranks: u32) -> Self {
        Params { ranks, root: self.root.min(ranks - 1), ..self }
    }
}
