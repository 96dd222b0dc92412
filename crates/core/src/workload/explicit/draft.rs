//! A program as it is described, rank by rank, and what it is compiled to.
//!
//! **Invariant.** A number that does not fit, an action or rank that does not exist and a dependency of an action on itself are errors
//! when they are added. An error names rank, action and line. **Cost.** 40 bytes per action while it is built, and 8 per dependency of
//! the rank that is being described. **Limits.** Ranks are described in ascending order; those left out do nothing.

use super::{Act, Action, Dependent, Explicit, MAX_BYTES, MAX_RANKS, MAX_TIME, order, pairs};
use crate::collective::MAX_STEPS;
use crate::control::Control;
use crate::error::{Error, Result};

/// Most actions, and most dependencies, of all ranks.
const MOST: usize = u32::MAX as usize - 1;

/// Builds a program.
#[derive(Debug)]
pub struct Draft {
    program: Explicit,
    ranks: u32,
    /// Actions of the rank that is being described, and its dependencies: before, after.
    count: u32,
    pending: Vec<(u32, Dependent)>,
    /// Line of each action in its file, for messages; empty if there are no lines.
    lines: Vec<u32>,
    line: u32,
}

impl Draft {
    /// A program of so many ranks.
    ///
    /// # Errors
    /// [`Error::Spec`] for none, or more than [`MAX_RANKS`].
    pub fn new(ranks: u64) -> Result<Self> {
        match u32::try_from(ranks) {
            Ok(ranks @ 1..=MAX_RANKS) => {
                let program = Explicit { first: vec![0], ..Explicit::default() };
                Ok(Self { program, ranks, count: 0, pending: vec![], lines: vec![], line: 0 })
            }
            _ => Err(Error::spec("ranks", ranks, format!("1 to {MAX_RANKS}"))),
        }
    }

    /// Ranks of the program.
    pub fn ranks(&self) -> u32 {
        self.ranks
    }

    /// The rank that is being described, and how many actions it has so far.
    pub fn at(&self) -> (u32, u32) {
        (self.program.first.len() as u32 - 1, self.count)
    }

    /// What follows stands in this line of its file.
    pub fn line(&mut self, line: u32) {
        self.line = line;
    }

    /// What follows belongs to this rank.
    ///
    /// # Errors
    /// [`Error::Spec`] for a rank that there is not, or that comes before one that was described.
    pub fn rank(&mut self, rank: u64) -> Result<()> {
        if rank >= self.ranks.into() {
            return Err(self.wrong("rank", rank, format!("0 to {}", self.ranks - 1)));
        }
        let (at, count) = self.at();
        if rank < at.into() || (rank == u64::from(at) && count > 0) {
            return Err(self.wrong("rank", rank, format!("ranks in ascending order, each once; {at} was described")));
        }
        while self.at().0 < rank as u32 {
            self.close()?;
        }
        Ok(())
    }

    /// An action of the rank that is being described; its number.
    ///
    /// # Errors
    /// [`Error::Spec`] for a rank that there is not or is this one; [`Error::Overflow`] for a size, a time or a number of actions
    /// beyond its limit.
    pub fn push(&mut self, action: Action, tag: u32, label: &str) -> Result<u32> {
        let (rank, number) = self.at();
        let Action { act, peer, amount, .. } = action;
        if act.moves() && (peer >= self.ranks || peer == rank) {
            let valid = if self.ranks == 1 { "no message: there is one rank".into() } else { self.others() };
            return Err(self.wrong(&format!("operation {number}, {}: rank", act.name()), peer, valid));
        }
        let (limit, what) = if act.moves() { (MAX_BYTES, "bytes") } else { (MAX_TIME, "femtoseconds") };
        if amount > limit {
            return Err(self.over(&format!("operation {number}: {what}"), amount.to_string(), limit));
        }
        if number >= MAX_STEPS || self.program.len() >= MOST {
            return Err(self.over("operations", format!("more than {number}"), MAX_STEPS.into()));
        }
        let program = &mut self.program;
        if !label.is_empty() && program.labels.ends.is_empty() {
            program.labels.ends.resize(program.tags.len(), 0);
        }
        if !program.labels.ends.is_empty() || !label.is_empty() {
            if program.labels.text.len() + label.len() > MOST {
                return Err(self.over("bytes of labels", format!("more than {MOST}"), MOST as u64));
            }
            program.labels.text.push_str(label);
            program.labels.ends.push(program.labels.text.len() as u32);
        }
        program.reduces |= act == Act::Reduce;
        program.actions.push(Action { mate: 0, first: 0, ..action });
        program.tags.push(if act.moves() { tag } else { 0 });
        if self.line > 0 {
            self.lines.push(self.line);
        }
        self.count += 1;
        Ok(number)
    }

    /// An action of the rank that is being described waits for another one: for its end, or its beginning.
    ///
    /// # Errors
    /// [`Error::Spec`] for an action that there is not (yet), or that waits for itself.
    pub fn after(&mut self, action: u64, before: u64, on_begin: bool) -> Result<()> {
        let known = |number: u64| number < self.count.into();
        if !known(action) || !known(before) {
            let missing = if known(action) { before } else { action };
            let valid = format!("an operation of rank {}, of which there are {}", self.at().0, self.count);
            return Err(self.wrong("dependency on operation", missing, valid));
        }
        if action == before {
            return Err(self.wrong("dependency of operation", format!("{action} on itself"), "one on others"));
        }
        self.pending.push((before as u32, Dependent::new(action as u32, on_begin)));
        Ok(())
    }

    /// Matches sends with receives and makes sure that everything can be executed.
    ///
    /// # Errors
    /// [`Error::Spec`] for a message without its other end, ends of different sizes, or actions that wait for each other in a
    /// cycle; those of [`Control::check`].
    pub fn compile(mut self, control: &Control) -> Result<Explicit> {
        while self.at().0 < self.ranks {
            self.close()?;
        }
        let end = Action { first: self.program.dependents.len() as u32, ..Action::default() };
        self.program.actions.push(end);
        let Self { mut program, lines, .. } = self;
        if lines.len() != program.len() {
            pairs::pair(&mut program, &[], control)?;
            order::executable(&program, &[], control)?;
        } else {
            pairs::pair(&mut program, &lines, control)?;
            order::executable(&program, &lines, control)?;
        }
        program.actions.shrink_to_fit();
        program.dependents.shrink_to_fit();
        Ok(program)
    }

    /// The rank that is being described has no more actions: its dependencies are sorted.
    fn close(&mut self) -> Result<()> {
        let program = &mut self.program;
        let (base, from) = (program.first[program.first.len() - 1] as usize, program.dependents.len());
        if from + self.pending.len() > MOST {
            return Err(self.over("dependencies", format!("more than {MOST}"), MOST as u64));
        }
        // stable, so that dependents stay in the order in which they were added
        self.pending.sort_by_key(|&(before, _)| before);
        let mut next = 0;
        for (number, action) in (0u32..).zip(&mut program.actions[base..]) {
            action.first = (from + next) as u32;
            next += self.pending[next..].partition_point(|&(before, _)| before == number);
        }
        program.dependents.extend(self.pending.drain(..).map(|(_, dependent)| dependent));
        program.first.push(program.tags.len() as u32);
        self.count = 0;
        Ok(())
    }

    fn others(&self) -> String {
        format!("another rank: 0 to {}, and not {}", self.ranks - 1, self.at().0)
    }

    /// The error that something about the rank that is being described is not valid.
    pub fn wrong(&self, what: &str, value: impl ToString, expected: impl Into<String>) -> Error {
        Error::spec(format!("{}{what}", self.place()), value, expected)
    }

    fn over(&self, what: &str, value: String, limit: u64) -> Error {
        Error::Overflow { what: format!("{}{what}", self.place()), value, limit: limit.to_string() }
    }

    fn place(&self) -> String {
        let line = if self.line > 0 { format!("line {}: ", self.line) } else { String::new() };
        format!("{line}rank {}: ", self.at().0)
    }
}
