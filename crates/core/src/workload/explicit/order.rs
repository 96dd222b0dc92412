//! Whether everything can be executed, and how long that takes at least: a run in which nothing waits for anything else's link.
//!
//! **Model.** An action begins when all that it waits for has ended or begun. A receive ends when its send has begun and its message has
//! had its least time: what is sent arrives, whatever the receiver does. So what is left over at the end waits in a cycle, within a rank
//! or across several.
//!
//! **Invariant.** A program that passes comes to its end on any fabric whose packets do. **Cost.** O(actions + dependencies) time; 12
//! bytes per action, 8 per action that could begin at once.

use super::pairs::place;
use super::{Act, Action, Explicit};
use crate::collective::Schedule;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::units::Fs;

/// Actions of a cycle that are named.
const NAMED: usize = 6;
/// Of a word per action: it has begun; it has ended; the message that it receives is on its way. The rest counts what it waits for.
const BEGUN: u32 = 1 << 31;
const ENDED: u32 = 1 << 30;
const SENT: u32 = 1 << 29;
const WAITS: u32 = SENT - 1;

/// Makes sure that everything can be executed.
pub(super) fn executable(program: &Explicit, lines: &[u32], control: &Control) -> Result<()> {
    let mut run = Run::new(program, |_, _| [0, 0]);
    run.all(control)?;
    if run.left == 0 { Ok(()) } else { Err(stuck(program, &run.words, lines)) }
}

impl Explicit {
    /// When everything has ended if no message waits for another one. `takes` says of a send how long it takes at least until its
    /// last byte has left, and until that is there.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn least(&self, takes: impl Fn(u32, &Action) -> [Fs; 2], control: &Control) -> Result<Fs> {
        let mut run = Run::new(self, takes);
        run.all(control)?;
        Ok(run.end)
    }
}

/// A run without links.
struct Run<'a, F> {
    program: &'a Explicit,
    takes: F,
    words: Vec<u32>,
    /// When each action began, or the latest of what it waited for so far.
    begun: Vec<Fs>,
    /// Actions that wait for nothing more and have not begun.
    ready: Vec<(u32, u32)>,
    left: usize,
    end: Fs,
}

impl<'a, F: Fn(u32, &Action) -> [Fs; 2]> Run<'a, F> {
    fn new(program: &'a Explicit, takes: F) -> Self {
        let mut words = vec![0; program.len()];
        for rank in 0..program.ranks() {
            let range = program.range(rank);
            for number in 0..range.len() as u32 {
                program.dependents(rank, number).iter().for_each(|d| words[range.start + d.action() as usize] += 1);
            }
        }
        Self { program, takes, words, begun: vec![0; program.len()], ready: vec![], left: program.len(), end: 0 }
    }

    fn index(&self, rank: u32, number: u32) -> usize {
        self.program.range(rank).start + number as usize
    }

    fn all(&mut self, control: &Control) -> Result<()> {
        for rank in 0..self.program.ranks() {
            control.check()?;
            for number in 0..self.program.range(rank).len() as u32 {
                if self.words[self.index(rank, number)] & (WAITS | BEGUN) == 0 {
                    self.ready.push((rank, number));
                }
                while let Some((rank, number)) = self.ready.pop() {
                    self.begin(rank, number);
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, rank: u32, number: u32) {
        let (program, at) = (self.program, self.index(rank, number));
        let (action, time) = (program.get(rank, number), self.begun[at]);
        self.words[at] |= BEGUN;
        self.release(rank, number, true, time);
        match action.act {
            Act::Compute | Act::Delay => self.ends(rank, number, time.saturating_add(action.amount)),
            Act::Send => {
                let [leaves, arrives] = (self.takes)(rank, action);
                self.ends(rank, number, time.saturating_add(leaves));
                let mate = self.index(action.peer, action.mate);
                self.words[mate] |= SENT;
                if self.words[mate] & BEGUN != 0 {
                    self.ends(action.peer, action.mate, self.begun[mate].max(time.saturating_add(arrives)));
                }
            }
            Act::Receive | Act::Reduce if self.words[at] & SENT != 0 => {
                let send = program.get(action.peer, action.mate);
                let [_, arrives] = (self.takes)(action.peer, send);
                let sent = self.begun[self.index(action.peer, action.mate)];
                self.ends(rank, number, time.max(sent.saturating_add(arrives)));
            }
            Act::Receive | Act::Reduce => {}
        }
    }

    fn ends(&mut self, rank: u32, number: u32, time: Fs) {
        let at = self.index(rank, number);
        self.words[at] |= ENDED;
        self.left -= 1;
        self.end = self.end.max(time);
        self.release(rank, number, false, time);
    }

    fn release(&mut self, rank: u32, number: u32, on_begin: bool, time: Fs) {
        let base = self.program.range(rank).start;
        for dependent in self.program.dependents(rank, number).iter().filter(|d| d.on_begin() == on_begin) {
            let at = base + dependent.action() as usize;
            self.begun[at] = self.begun[at].max(time);
            self.words[at] -= 1;
            if self.words[at] & WAITS == 0 {
                self.ready.push((rank, dependent.action()));
            }
        }
    }
}

/// The error that names a cycle: from the first action that is left over, always to one that it waits for.
fn stuck(program: &Explicit, words: &[u32], lines: &[u32]) -> Error {
    let word = |rank: u32, number: u32| words[program.range(rank).start + number as usize];
    let numbers = |rank: u32| 0..program.range(rank).len() as u32;
    // of each action one of those that hold it up
    let mut holder = vec![u32::MAX; words.len()];
    for rank in 0..program.ranks() {
        for before in numbers(rank) {
            for dependent in program.dependents(rank, before) {
                if word(rank, before) & if dependent.on_begin() { BEGUN } else { ENDED } == 0 {
                    holder[program.range(rank).start + dependent.action() as usize] = before;
                }
            }
        }
    }
    let waited_for = |(rank, number): (u32, u32)| match word(rank, number) & BEGUN {
        0 => (rank, holder[program.range(rank).start + number as usize]),
        _ => (program.get(rank, number).peer, program.get(rank, number).mate),
    };
    let all = (0..program.ranks()).flat_map(|rank| numbers(rank).map(move |number| (rank, number)));
    let mut path: Vec<(u32, u32)> = vec![];
    let mut met = vec![false; words.len()];
    let mut at = { all }.find(|&(rank, number)| word(rank, number) & ENDED == 0);
    while let Some((rank, number)) = at {
        let index = program.range(rank).start + number as usize;
        if std::mem::replace(&mut met[index], true) {
            let from = path.iter().position(|&place| place == (rank, number)).unwrap_or(0);
            path.drain(..from);
            break;
        }
        path.push((rank, number));
        at = Some(waited_for((rank, number)));
    }
    let names: Vec<String> = path.iter().take(NAMED).map(|&(rank, n)| place(program, lines, rank, n)).collect();
    let more = if path.len() > NAMED { format!(" ({} operations in all)", path.len()) } else { String::new() };
    let cycle = names.join(", which waits for ");
    Error::spec("dependencies", format!("{cycle}, and so on in a cycle{more}"), "operations that can all be executed")
}
