//! Names of a job become numbers.
//!
//! **Model.** Operations, axes and streams are known by name while a job is assembled. Those that operations wait for or send to may stand
//! later in the job, so they are looked up when all are known. **Invariant.** An error names the operation and the name.
//! **Cost.** A look-up per name. **Limits.** Names are those of one job: nothing waits for an operation of another.

use std::collections::{BTreeMap, BTreeSet};

use super::Assembly;
use crate::error::{Error, Result};
use crate::radix::Digit;
use crate::spec::JobSpec;
use crate::workload::{Kind, Only, Waits};

/// The job that is assembled.
pub(super) struct Home<'a> {
    pub(super) number: u32,
    pub(super) first: u32,
    pub(super) job: &'a JobSpec,
    pub(super) streams: Vec<String>,
    /// Numbers of operations by name.
    pub(super) names: BTreeMap<String, usize>,
    /// Names that operations wait for or send to, resolved when all are known.
    pub(super) waits: Vec<(usize, Vec<(String, u32)>)>,
    pub(super) receivers: Vec<(usize, String)>,
    /// Number of the job's first operation.
    pub(super) base: usize,
    /// Restrictions around what is assembled.
    pub(super) within: Vec<Only>,
}

impl Home<'_> {
    pub(super) fn sizes(&self) -> Vec<u32> {
        self.job.axes.iter().map(|axis| axis.size).collect()
    }

    pub(super) fn ranks(&self) -> u32 {
        self.sizes().iter().product()
    }

    pub(super) fn axis(&self, name: &str, field: String) -> Result<usize> {
        self.job.axes.iter().position(|axis| axis.name == name).ok_or_else(|| {
            let names: Vec<_> = self.job.axes.iter().map(|axis| axis.name.as_str()).collect();
            Error::spec(field, format!("{name:?}"), format!("one of {}", names.join(", ")))
        })
    }

    /// Whether a rank executes what is assembled.
    pub(super) fn holds(&self, rank: u32) -> bool {
        self.within.iter().all(|only| only.values.contains(&only.digit.of(rank - self.first)))
    }

    pub(super) fn digit(&self, axis: usize) -> Digit {
        let sizes = self.sizes();
        Digit { stride: sizes[axis + 1..].iter().product(), size: sizes[axis] }
    }
}

impl Assembly<'_> {
    /// Names that were used become numbers.
    pub(super) fn resolve(&mut self, home: &Home) -> Result<()> {
        let names: Vec<String> =
            self.draft.operations[home.base..].iter().map(|(operation, _)| operation.name.clone()).collect();
        let find = |name: &str, what: &str, of: &str| {
            home.names.get(name).copied().ok_or_else(|| {
                let field = format!("operation {of:?}: {what}");
                Error::spec(field, format!("{name:?}"), format!("an operation of job {:?}", home.job.name))
            })
        };
        for (number, waits) in &home.waits {
            let of = names[number - home.base].clone();
            for (name, previous) in waits {
                let operation = find(name, "after", &of)? as u32;
                self.draft.operations[*number].1.push(Waits { operation, previous: *previous });
            }
        }
        let mut taken = BTreeSet::new();
        for (number, name) in &home.receivers {
            let of = names[number - home.base].clone();
            let to = find(name, "to", &of)?;
            let wrong = |given: String, expected: &str| Error::spec(format!("operation {of:?}: to"), given, expected);
            if self.described[to].kind != "receive" {
                return Err(wrong(format!("{name:?}, a {}", self.described[to].kind), "a receive"));
            }
            if self.described[to].bytes != self.described[*number].bytes {
                let given =
                    format!("{} bytes, and {name:?} has {}", self.described[*number].bytes, self.described[to].bytes);
                return Err(wrong(given, "as many bytes"));
            }
            if !taken.insert(name) {
                return Err(wrong(format!("{name:?}, which others send to"), "a receive of its own"));
            }
            if let Kind::Messages { receiver, .. } = &mut self.draft.operations[*number].0.kind {
                *receiver = Some(to as u32);
            }
        }
        let sent_to: BTreeSet<&str> = home.receivers.iter().map(|(_, name)| name.as_str()).collect();
        let received = |number: usize| sent_to.contains(names[number - home.base].as_str());
        let mut operations = home.base..self.draft.operations.len();
        if let Some(lonely) = operations.find(|&at| self.described[at].kind == "receive" && !received(at)) {
            let name = &names[lonely - home.base];
            return Err(Error::spec(format!("operation {name:?}"), "a receive", "a send whose \"to\" names it"));
        }
        Ok(())
    }
}
