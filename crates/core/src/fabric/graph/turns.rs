//! Virtual channels of paths that have more links than there are channels.
//!
//! **Model.** Vertices that forward are numbered in the order of a breadth-first search, so each but the first has a *parent* of a
//! smaller number. A packet changes to the next channel only where it *turns*: comes from a smaller number and goes to a
//! smaller one. Of equal ways on it takes one without a turn if there is one. Where shortest paths have so many turns that
//! channels could run out, the last channel is an escape: who would need it goes there by the tree of parents, towards
//! the root as far as needed and down again, though that is no shortest way.
//!
//! **Invariant.** No graph deadlocks. Within a channel a packet first goes by links to smaller numbers and then by links to
//! larger ones, never the other way; so of the links of a channel none waits for itself: those to smaller numbers wait for
//! ones at smaller numbers yet, or for those to larger numbers, which wait for ones at larger numbers yet. Paths of the tree
//! are such paths. Channels wait only for higher ones, and what has come to its destination waits for nothing. On a ring
//! this is the dateline: two channels, whatever its length.
//!
//! **Source.** Schroeder et al., *Autonet*, IEEE JSAC 9(8) 1991 (up*/down* order); Sancho, Robles, Duato (layers of such
//! orders). **Cost.** O(n x ports) a destination once, where paths are that long
//! and n is a few thousand at most; 8 bytes a vertex.

use super::{CHANNELS, Graph, NONE};
use crate::control::Control;
use crate::error::Result;

/// Looks at ports that counting links or turns may take; otherwise there are as many channels as can be, and an escape.
const MOST_WORK: usize = 1 << 27;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    /// By vertex that forwards.
    number: Vec<u32>,
    /// By port: it leads from a vertex that forwards to one of a smaller number.
    rises: Vec<bool>,
    /// Port to its parent.
    parent: Vec<u32>,
    /// The last one is an escape.
    escape: bool,
}

impl Graph {
    /// Sees to virtual channels for paths of so many legs (two with a detour) after so many links that were dealt out
    /// before: by links if there are so many channels, otherwise by turns.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn arrange(&mut self, legs: u32, lead: u32, control: &Control) -> Result<()> {
        // whoever forwards can be the detour, or whoever has accelerators: not only by the nearest home of each
        let some = match legs > 1 && self.forwards() {
            true => (0..self.forward() as u32).collect(),
            false => self.homes.clone(),
        };
        let far = match self.forwards() {
            _ if legs > 1 => self.farthest_among(&some, control)?,
            true => self.longest,
            false => self.longest.saturating_sub(2),
        };
        let work = self.forward() * self.peer.len();
        let mut links = legs * far + lead;
        if links > CHANNELS && self.weight_apart.is_some() && work <= MOST_WORK {
            // distances are weights, of which heavy links have several
            links = legs * self.most_links(&some, control)? + lead;
        }
        if links <= CHANNELS {
            self.channels = links.max(1);
            return Ok(());
        }
        let mut turns = self.numbered();
        // to count the turns of all paths of a large graph would take longer than most runs: they may be as many as any
        let most = if work > MOST_WORK { CHANNELS } else { self.most_turns(&turns, legs, control)? };
        turns.escape = most >= CHANNELS;
        self.channels = (most + 1).min(CHANNELS);
        self.turns = Some(turns);
        Ok(())
    }

    /// Most links of any path of least weight between some that forward.
    fn most_links(&self, some: &[u32], control: &Control) -> Result<u32> {
        let (n, metric) = (self.forward(), self.metric());
        let (mut links, mut order, mut most) = (vec![0u32; n], vec![], 0);
        for &to in some {
            control.check()?;
            let row = metric.row(self, to);
            order.clear();
            order.extend((0..n as u32).filter(|&v| row[v as usize] != NONE));
            order.sort_by_key(|&v| row[v as usize]);
            for &v in &order {
                let nearer =
                    self.towards(v + self.base, to).map(|p| self.ends(v + self.base)[p as usize].0 - self.base);
                links[v as usize] = nearer.map(|w| links[w as usize] + 1).max().unwrap_or(0);
            }
            let there = some.iter().filter(|&&from| row[(from - self.base) as usize] != NONE);
            most = there.map(|&from| links[(from - self.base) as usize]).fold(most, u32::max);
        }
        Ok(most)
    }

    /// True if paths change channel at turns only.
    #[inline]
    pub fn turning(&self) -> bool {
        self.turns.is_some()
    }

    /// True if a packet that came by a port came from a smaller number, so that going to a smaller one is a turn.
    #[inline]
    pub fn sank(&self, at: u32, from: u32) -> bool {
        self.turns(at, from, from)
    }

    /// True if going from one port's end to the other's is a turn.
    #[inline]
    pub fn turns(&self, at: u32, from: u32, port: u32) -> bool {
        let first = self.first[at as usize];
        self.turns
            .as_ref()
            .is_some_and(|turns| turns.rises[(first + from) as usize] && turns.rises[(first + port) as usize])
    }

    /// Virtual channel at a port of a packet that came by another one on a channel, and the port instead if it must escape.
    #[inline]
    pub fn channel(&self, at: u32, to: u32, (from, channel): (u32, u32), port: u32) -> (u32, u32) {
        let fresh = self.ends(at)[from as usize].0 < self.base;
        let Some(turns) = &self.turns else {
            // the first link between two that forward has channel 0, as has that from an accelerator that does not
            return (port, if fresh { 0 } else { channel + 1 });
        };
        let channel = if fresh { 0 } else { channel + u32::from(self.turns(at, from, port)) };
        match turns.escape && channel + 1 >= self.channels {
            true => (self.tree(turns, at, to), self.channels - 1),
            false => (port, channel),
        }
    }

    /// True if a packet on this channel has left its way for the tree.
    pub fn escaped(&self, channel: u32) -> bool {
        self.turns.as_ref().is_some_and(|turns| turns.escape && channel + 1 == self.channels)
    }

    /// Port towards an accelerator by the tree of parents.
    fn tree(&self, turns: &Turns, at: u32, to: u32) -> u32 {
        let ends = self.ends(at);
        let port = |vertex: u32| ends.iter().position(|end| end.0 == vertex).map(|p| p as u32);
        if let Some(port) = port(to).filter(|_| to < self.base) {
            return port;
        }
        let number = |vertex: u32| turns.number[(vertex - self.base) as usize];
        let parent = |vertex: u32| self.ends(vertex)[turns.parent[(vertex - self.base) as usize] as usize].0;
        // up from the destination: if that comes by here, the one before is where to go
        let plane = |vertex: u32| self.plane[(vertex - self.base) as usize];
        let home = || self.homes(to).iter().find(|home| plane(home.0) == plane(at));
        let mut below = if to >= self.base { to } else { home().map_or(at, |home| home.0) };
        while number(below) > number(at) {
            let above = parent(below);
            if above == at {
                return port(below).unwrap_or(0);
            }
            below = above;
        }
        turns.parent[(at - self.base) as usize]
    }

    /// Largest distance between some that forward, in what paths are chosen by, which is no less than in links.
    fn farthest_among(&self, some: &[u32], control: &Control) -> Result<u32> {
        let mut most = 0;
        for &to in some {
            control.check()?;
            let row = self.metric().row(self, to);
            let far = some.iter().map(|&from| row[(from - self.base) as usize]).filter(|&far| far < NONE);
            most = far.max().unwrap_or(0).max(most);
        }
        Ok(most.into())
    }

    /// Numbers and parents, by breadth-first search of each plane. Parts that hold no accelerator are left out: no packet comes
    /// there.
    fn numbered(&self) -> Turns {
        let n = self.forward();
        let (mut number, mut parent) = (vec![u32::MAX; n], vec![0; n]);
        let mut order = Vec::with_capacity(n);
        let mut done = 0;
        for &root in self.planes.iter().filter_map(|plane| plane.first()) {
            number[(root - self.base) as usize] = order.len() as u32;
            order.push(root);
            while let Some(&v) = order.get(done) {
                done += 1;
                for p in self.through(v) {
                    let (w, back) = self.ends(v)[p as usize];
                    let slot = (w - self.base) as usize;
                    if number[slot] == u32::MAX {
                        (number[slot], parent[slot]) = (order.len() as u32, back);
                        order.push(w);
                    }
                }
            }
        }
        let place = |v: u32| v.checked_sub(self.base).map(|v| number[v as usize]);
        let vertices = 0..self.first.len() as u32 - 1;
        let rises = vertices
            .flat_map(|v| self.ends(v).iter().map(move |end| (v, end.0)))
            .map(|(v, w)| place(w).is_some_and(|above| place(v).is_some_and(|here| above < here)))
            .collect();
        Turns { number, rises, parent, escape: true }
    }

    /// Most turns of any path of so many legs; [`CHANNELS`] if there may be as many.
    fn most_turns(&self, turns: &Turns, legs: u32, control: &Control) -> Result<u32> {
        let (n, metric) = (self.forward(), self.metric());
        // most turns on the way from a vertex to the destination: of those who come to it from a larger number, from a smaller
        let mut left = vec![[0u32; 2]; n];
        let (mut most, mut order) = ([0, 0], vec![]);
        let detours: Vec<u32> = (self.base..self.first.len() as u32 - 1).collect();
        for &to in if legs > 1 { &detours } else { &self.homes } {
            control.check()?;
            let row = metric.row(self, to);
            order.clear();
            order.extend((0..n as u32).filter(|&v| row[v as usize] != NONE && turns.number[v as usize] != u32::MAX));
            order.sort_by_key(|&v| row[v as usize]);
            for &v in &order {
                let here = turns.number[v as usize];
                let (mut up, mut down) = (None, None);
                for p in self.towards(v + self.base, to) {
                    let w = (self.ends(v + self.base)[p as usize].0 - self.base) as usize;
                    if turns.number[w] < here {
                        up = up.max(Some(left[w][0]));
                    } else {
                        down = down.max(Some(left[w][1]));
                    }
                }
                let any = up.max(down).unwrap_or(0);
                left[v as usize] = [any, down.unwrap_or(up.map_or(0, |turned| turned + 1))];
                most = [most[0].max(left[v as usize][0]), most[1].max(left[v as usize][1])];
            }
            if legs * most[1].max(most[0]) >= CHANNELS {
                break;
            }
        }
        // one leg begins where the packet is injected, every other one wherever the one before has come to
        Ok(if legs > 1 { (legs * most[0].max(most[1])).min(CHANNELS) } else { most[0].min(CHANNELS) })
    }
}
