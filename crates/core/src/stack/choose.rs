//! Which algorithm, protocol and number of lanes: what is offered, what each costs, and the least of them.
//!
//! **Model.** An offer is an algorithm that can run the collective on these ranks with a protocol that admits it. `auto` takes what the
//! library would take ([`super::library`]). Where that is not known, it chooses among the stack's own algorithms, or all of them where the
//! stack has none that can run; `best` chooses among all of them, each with its usual number of lanes and with [`LANES`]. An algorithm or
//! protocol that is named restricts the choice to it; `in_network` on ranks inside one unit whose switches do not add, of a machine
//! whose outer switches do, is `auto`. What the library does not decide is priced by [`settle`], the least price wins.
//!
//! **Invariant.** The choice depends on the specification only. **Cost.** One prediction if the library decides; otherwise one per
//! offer, and what settling may spend.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::Task;
use super::library::Estimate;
use super::settle::{Basis, Purse, settle};
use crate::analytic::Prediction;
use crate::collective::Schedule;
use crate::control::Phase;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::spec::{Algorithm, Pick, ProtocolSpec};
use crate::symmetry::Folding;
use crate::units::Fs;

/// Numbers of lanes that `best` tries beside the usual one.
const LANES: [u32; 4] = [1, 2, 4, 8];

/// An algorithm with a protocol: what it would cost, or why it cannot be.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Name of the protocol; empty if the algorithm fails with any.
    pub protocol: String,
    /// Lanes, if not the usual number.
    pub lanes: Option<u32>,
    /// True if it can run.
    pub valid: bool,
    /// Its price: the simulated time if it was simulated, otherwise the predicted one.
    pub time_fs: Option<Fs>,
    /// How the price was found, in words; empty if it cannot run.
    pub priced_by: String,
    /// Time by the analytic model.
    pub predicted_fs: Option<Fs>,
    /// Bottleneck of the prediction, or the reason why it cannot run.
    pub reason: String,
    /// Time by the library's cost model, in microseconds, if it has one and looks at this.
    pub estimate_us: Option<f64>,
    /// The library takes it.
    pub taken: bool,
}

/// Candidates, and what the library has beside them.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Every algorithm with every protocol, cheapest first, those that cannot run last.
    pub candidates: Vec<Candidate>,
    /// Algorithms that the library looks at and the simulator has not, with the library's estimate in microseconds.
    pub missing: Vec<(String, f64)>,
    /// One of these, which the library would take if the simulator had it.
    pub instead_of: Option<String>,
}

/// A choice.
#[derive(Debug)]
pub struct Choice {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Lanes, if not the usual number.
    pub lanes: Option<u32>,
    /// The protocol.
    pub protocol: ProtocolSpec,
    /// The schedule.
    pub schedule: Arc<dyn Schedule>,
    /// What the analytic model says of it.
    pub prediction: Prediction,
    /// How its price was found.
    pub basis: Basis,
    /// What simulating it to its end left behind, if that was done.
    pub record: Option<Record>,
    /// How many offers there were.
    pub offers: usize,
    /// What the library would rather take, if the simulator had it.
    pub instead_of: Option<String>,
}

/// A schedule, and its symmetries once somebody asks for them.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) schedule: Arc<dyn Schedule>,
    folding: OnceLock<Folding>,
}

impl Program {
    pub(super) fn folding(&self, task: &Task, fold: bool) -> Result<&Folding> {
        if let Some(folding) = self.folding.get() {
            return Ok(folding);
        }
        let folding = Folding::new(task.fabric, &*self.schedule, task.placement, fold, task.control)?;
        Ok(self.folding.get_or_init(|| folding))
    }
}

/// An algorithm with a protocol that admits it, and its price.
#[derive(Debug)]
pub(super) struct Offer<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) lanes: Option<u32>,
    /// As this task sees it.
    pub(super) protocol: Cow<'a, ProtocolSpec>,
    pub(super) program: Arc<Program>,
    pub(super) prediction: Prediction,
    pub(super) time_fs: Fs,
    pub(super) basis: Basis,
    pub(super) record: Option<Record>,
    /// Why its simulation failed.
    pub(super) error: Option<Error>,
    /// It is simulated also where it cannot win.
    pub(super) asked: bool,
}

/// What can be chosen from, and why other things cannot.
#[derive(Default)]
struct Market<'a> {
    offers: Vec<Offer<'a>>,
    /// Algorithms that cannot run.
    errors: Vec<(Algorithm, Error)>,
    /// Protocols that do not go with an algorithm.
    refusals: Vec<(Algorithm, &'a ProtocolSpec, String)>,
}

impl<'a> Task<'a> {
    /// Every algorithm with every protocol, cheapest first, those that cannot run last.
    ///
    /// # Errors
    /// Those of [`crate::control::Control::check`]; [`Error::Memory`] from simulating candidates.
    pub fn candidates(&self, pick: Pick, purse: &mut Purse) -> Result<Comparison> {
        self.control.begin(Phase::Choosing)?;
        let own = self.own();
        let ranking = self.ranking().unwrap_or_default();
        let (taken, instead_of) = self.first(&ranking, &own).unzip();
        let (most, best) = (purse.left_ns, pick == Pick::Best);
        let foreign: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|a| !own.contains(a)).collect();
        // the stack's own are priced as they are when one of them is chosen; the others on a budget of their own
        let mut parts = if best { vec![Algorithm::ALL.to_vec()] } else { vec![own.clone(), foreign] };
        let mut found = vec![];
        for part in parts.drain(..) {
            purse.left_ns = most;
            let mut market = self.market(&part, best, &|_| true)?;
            for offer in &mut market.offers {
                offer.asked = taken
                    .is_some_and(|taken| taken.is(offer.algorithm, &offer.protocol.name, offer.lanes == self.lanes));
            }
            settle(self, &mut market.offers, purse)?;
            self.list(market, &own, &mut found);
        }
        for c in &mut found {
            let same = |e: &&Estimate| e.is(c.algorithm, &c.protocol, c.lanes == self.lanes);
            c.estimate_us = ranking.iter().find(same).and_then(|e| e.time_us);
            c.taken = taken.as_ref().is_some_and(same);
        }
        found.sort_by_key(|c| (!c.valid, c.time_fs));
        let missing = ranking.iter().filter(|e| e.algorithm.is_none());
        let missing = missing.filter_map(|e| Some((e.name.clone(), e.time_us?))).collect();
        Ok(Comparison { candidates: found, missing, instead_of: instead_of.flatten() })
    }

    /// The first of a ranking that can run, and what came before it and cannot.
    fn first<'e>(&self, ranking: &'e [Estimate], allowed: &[Algorithm]) -> Option<(&'e Estimate, Option<String>)> {
        let named = &self.stack.protocol;
        let runs = |e: &&Estimate| {
            let protocol = self.stack.protocols.iter().find(|p| p.name == e.name);
            let admitted = |p: &ProtocolSpec| named == "auto" || p.name == *named;
            e.algorithm.is_some_and(|algorithm| {
                let suits = |p: &ProtocolSpec| admitted(p) && self.refusal(algorithm, p).is_none();
                allowed.contains(&algorithm) && protocol.is_some_and(suits) && self.schedule(algorithm).is_ok()
            })
        };
        let taken = ranking.iter().find(runs)?;
        // a choice that is restricted is not the library's
        let free = named == "auto" && allowed.len() > 1;
        let rather = ranking.first().filter(|e| free && !std::ptr::eq(*e, taken));
        Some((taken, rather.map(|e| e.name.clone())))
    }

    /// What the library takes among these algorithms; none if it has no rule for them here.
    fn taken(&self, allowed: &[Algorithm]) -> Result<Option<Choice>> {
        let ranking = self.ranking().unwrap_or_default();
        let Some((taken, instead_of)) = self.first(&ranking, allowed) else {
            return Ok(None);
        };
        let protocol = self.stack.protocols.iter().find(|p| p.name == taken.name);
        let (Some(algorithm), Some(protocol)) = (taken.algorithm, protocol) else {
            return Ok(None);
        };
        let schedule = self.schedule(algorithm)?;
        let protocol = self.fitted(algorithm, schedule.lanes(), protocol).into_owned();
        let prediction = self.predict(&*schedule, &protocol)?;
        let basis = Basis::Library;
        // what is named has no choice; sends have one by their size
        let given = self.stack.protocol != "auto" && allowed.len() == 1;
        let (lanes, offers) = (self.lanes, if given { 1 } else { ranking.len().max(2) });
        Ok(Some(Choice { algorithm, lanes, protocol, schedule, prediction, basis, record: None, offers, instead_of }))
    }

    fn list(&self, market: Market, own: &[Algorithm], found: &mut Vec<Candidate>) {
        let invalid = |algorithm, protocol, reason| Candidate {
            algorithm,
            protocol,
            lanes: None,
            valid: false,
            time_fs: None,
            priced_by: String::new(),
            predicted_fs: None,
            reason,
            estimate_us: None,
            taken: false,
        };
        for (algorithm, error) in market.errors {
            let reason = match error {
                Error::Algorithm { why, .. } => why,
                other => other.to_string(),
            };
            found.push(invalid(algorithm, String::new(), reason));
        }
        for (algorithm, protocol, reason) in market.refusals {
            found.push(invalid(algorithm, protocol.name.clone(), reason));
        }
        for offer in market.offers {
            let protocol = offer.protocol.name.clone();
            if let Some(error) = offer.error {
                found.push(invalid(offer.algorithm, protocol, error.to_string()));
                continue;
            }
            let mut reason = offer.prediction.bottleneck();
            if !own.contains(&offer.algorithm) {
                reason += &format!("; not one of {}'s own, so auto passes over it", self.stack.name);
            }
            found.push(Candidate {
                algorithm: offer.algorithm,
                protocol,
                lanes: offer.lanes,
                valid: true,
                time_fs: Some(offer.time_fs),
                priced_by: offer.basis.to_string(),
                predicted_fs: Some(offer.prediction.time_fs),
                reason,
                estimate_us: None,
                taken: false,
            });
        }
    }

    /// The best algorithm, protocol and number of lanes among those allowed.
    ///
    /// # Errors
    /// Those of [`Task::schedule`] for a named algorithm; [`Error::Algorithm`] if nothing can run; [`Error::Spec`] if no
    /// protocol admits what can; if all candidates fail in simulation, the error of the one that was expected to be the fastest;
    /// [`Error::Memory`] from simulating candidates; those of [`crate::control::Control::check`].
    pub fn choose(&self, pick: Pick, purse: &mut Purse) -> Result<Choice> {
        self.control.begin(Phase::Choosing)?;
        let own = match pick {
            // what switches of an outer network add are sums of units; inside one unit there is nothing for them to do
            Pick::Only(Algorithm::InNetwork) if self.adds_outside() => self.own(),
            Pick::Only(algorithm) => vec![algorithm],
            Pick::Best => return self.choose_among(&Algorithm::ALL, true, purse),
            Pick::Auto => self.own(),
        };
        if let Some(choice) = self.taken(&own)? {
            return Ok(choice);
        }
        if let Pick::Only(_) = pick
            && own.len() == 1
        {
            return self.choose_among(&own, false, purse);
        }
        if own.iter().any(|&algorithm| self.schedule(algorithm).is_ok())
            && let choice = self.choose_among(&own, false, purse)
            && (choice.is_ok() || self.control.stopped() || matches!(choice, Err(Error::Memory { .. })))
        {
            return choice;
        }
        self.choose_among(&Algorithm::ALL, false, purse)
    }

    /// The algorithms that the library has for this collective.
    fn own(&self) -> Vec<Algorithm> {
        self.stack.algorithms.get(&self.collective).map_or_else(|| Algorithm::ALL.to_vec(), Clone::clone)
    }

    fn market(&self, wanted: &[Algorithm], best: bool, admitted: &dyn Fn(&ProtocolSpec) -> bool) -> Result<Market<'a>> {
        let mut market = Market::default();
        for &algorithm in wanted {
            let usual = match self.schedule(algorithm) {
                Ok(schedule) => schedule,
                Err(error) => {
                    market.errors.push((algorithm, error));
                    continue;
                }
            };
            let lanes = usual.lanes();
            let mut shapes = vec![(self.lanes, usual)];
            if best && self.lanes.is_none() && self.placement.len() > 1 {
                let other = |&n: &u32| Some((Some(n), self.with_lanes(Some(n)).schedule(algorithm).ok()?));
                shapes.extend(LANES.iter().filter_map(other).filter(|(_, schedule)| schedule.lanes() != lanes));
            }
            for (lanes, schedule) in shapes {
                let program = Arc::new(Program { schedule, folding: OnceLock::new() });
                for protocol in self.stack.protocols.iter().filter(|protocol| admitted(protocol)) {
                    if let Some(reason) = self.refusal(algorithm, protocol) {
                        market.refusals.push((algorithm, protocol, reason));
                        continue;
                    }
                    let protocol = self.fitted(algorithm, program.schedule.lanes(), protocol);
                    let prediction = self.predict(&*program.schedule, &protocol)?;
                    market.offers.push(Offer {
                        algorithm,
                        lanes,
                        protocol,
                        program: Arc::clone(&program),
                        time_fs: prediction.time_fs,
                        prediction,
                        basis: Basis::Predicted,
                        record: None,
                        error: None,
                        asked: false,
                    });
                }
            }
        }
        Ok(market)
    }

    fn choose_among(&self, wanted: &[Algorithm], best: bool, purse: &mut Purse) -> Result<Choice> {
        let named = &self.stack.protocol;
        let mut market = self.market(wanted, best, &|p| named == "auto" || p.name == *named)?;
        settle(self, &mut market.offers, purse)?;
        let offers = market.offers.len();
        let (priced, failed): (Vec<Offer>, Vec<Offer>) = market.offers.into_iter().partition(|o| o.error.is_none());
        // the first of equals
        if let Some(Offer { algorithm, lanes, protocol, program, prediction, basis, record, .. }) =
            priced.into_iter().min_by_key(|offer| offer.time_fs)
        {
            let (protocol, schedule) = (protocol.into_owned(), Arc::clone(&program.schedule));
            let instead_of = None;
            return Ok(Choice { algorithm, lanes, protocol, schedule, prediction, basis, record, offers, instead_of });
        }
        if let Some(error) = failed.into_iter().find_map(|offer| offer.error) {
            return Err(error);
        }
        if !market.refusals.is_empty() {
            let name = if let [one] = wanted { one.name() } else { "auto" };
            let given = format!("{named:?} with algorithm {name} and {} bytes", self.bytes);
            let mut reasons: Vec<String> = market.refusals.into_iter().map(|(.., reason)| reason).collect();
            reasons.dedup();
            let expected = format!("another protocol or algorithm: {}", reasons.join("; "));
            return Err(Error::spec("stack.protocol", given, expected));
        }
        match market.errors.pop() {
            Some((_, error)) => Err(error),
            None => Err(Error::Internal("no algorithm was looked at".into())),
        }
    }
}
