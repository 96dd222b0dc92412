//! Operations whose messages are given, not chosen by an algorithm: transfers between named ranks, traffic patterns, matrices of bytes.
//!
//! **Model.** A schedule of the places of a communicator, for all communicators of the operation. The protocol is that which a shift by one
//! would choose for its messages. **Invariant.** All members execute the operation. **Cost.** A choice and a prediction per operation.
//! **Limits.** They are bound by the ports of ranks only, not by cuts inside the fabric.

use std::sync::Arc;

use super::names::Home;
use super::{Assembly, Described};
use crate::analytic::{Scene, predict};
use crate::collective::Schedule;
use crate::error::{Error, Result};
use crate::spec::{Algorithm, Collective, NodeSpec, PlaceSpec};
use crate::workload::{Communicators, Exchange, Kind, Node, Traffic};

/// An operation in the making.
struct Given<'a> {
    place: &'a PlaceSpec,
    communicators: Communicators,
    /// Whether its members are listed.
    listed: bool,
    /// What the places of a communicator do.
    local: Arc<dyn Schedule>,
    /// Bytes of a message, by which the protocol is chosen.
    message: u64,
    share_ppm: u32,
}

impl Assembly<'_> {
    /// Messages between named ranks of the job. Only these execute it.
    pub(super) fn transfer(
        &mut self,
        home: &mut Home,
        place: &PlaceSpec,
        pairs: &[(u32, u32)],
        (bytes, share_ppm): (u64, u32),
    ) -> Result<Node> {
        let field = |what: &str| format!("operation {:?}: {what}", place.name);
        let ranks = home.ranks();
        for (what, rank) in pairs.iter().flat_map(|&(from, to)| [("source", from), ("destination", to)]) {
            if rank >= ranks {
                let expected = format!("ranks of the job, 0 to {}", ranks - 1);
                return Err(Error::spec(field(what), format!("rank {rank}"), expected));
            }
            if !home.holds(home.first + rank) {
                let expected = "ranks for which the part of the program is that it stands in";
                return Err(Error::spec(field(what), format!("rank {rank}"), expected));
            }
        }
        let mut members: Vec<u32> = pairs.iter().flat_map(|&(from, to)| [from, to]).collect();
        members.sort_unstable();
        members.dedup();
        let number = |rank: u32| members.partition_point(|&member| member < rank) as u32;
        let messages = pairs.iter().map(|&(from, to)| (number(from), number(to), bytes)).collect();
        let exchange = Exchange::new(members.len() as u32, messages, &field("source"))?;
        let communicators = Communicators::listed(home.first, ranks, &[members], &field("source"))?;
        let described = Described { kind: "transfer", bytes, carried: exchange.carried(), ..Described::default() };
        let local = Arc::new(exchange);
        self.given(home, Given { place, communicators, listed: true, local, message: bytes, share_ppm }, described)
    }

    /// A traffic pattern within each communicator.
    pub(super) fn pattern(&mut self, home: &mut Home, node: &NodeSpec) -> Result<Node> {
        let NodeSpec::Pattern { place, pattern, bytes, messages, seed, axes, groups, share_ppm } = node else {
            return Err(Error::Internal("not a pattern".into()));
        };
        let communicators = self.communicators(home, place, (axes, groups))?;
        let owner = format!("operation {:?}", place.name);
        let local = Arc::new(Traffic::new(pattern, communicators.size(), (*messages, *bytes), *seed, &owner)?);
        let described = Described {
            kind: "pattern",
            bytes: *bytes,
            pattern: Some(pattern.name),
            carried: local.carried(),
            ..Described::default()
        };
        let (listed, message, share_ppm) = (!groups.is_empty(), *bytes, *share_ppm);
        self.given(home, Given { place, communicators, listed, local, message, share_ppm }, described)
    }

    /// An all-to-all by a matrix of bytes within each communicator.
    pub(super) fn exchange(
        &mut self,
        home: &mut Home,
        place: &PlaceSpec,
        matrix: &[Vec<u64>],
        (axes, groups): (&[String], &[Vec<u32>]),
        share_ppm: u32,
    ) -> Result<Node> {
        let field = format!("operation {:?}: matrix", place.name);
        let communicators = self.communicators(home, place, (axes, groups))?;
        let size = communicators.size();
        let expected = || format!("a square matrix of {size} rows, one per rank of a communicator");
        if matrix.len() != size as usize {
            return Err(Error::spec(field, format!("{} rows", matrix.len()), expected()));
        }
        let mut messages = vec![];
        for (from, row) in (0u32..).zip(matrix) {
            if row.len() != size as usize {
                return Err(Error::spec(field, format!("{} entries in row {from}", row.len()), expected()));
            }
            let sent = (0u32..).zip(row).filter(|&(to, &bytes)| to != from && bytes > 0);
            messages.extend(sent.map(|(to, &bytes)| (from, to, bytes)));
        }
        if messages.is_empty() {
            return Err(Error::spec(field, "nothing", "at least one entry above 0 beside the diagonal"));
        }
        let local = Exchange::new(size, messages, &field)?;
        let described = Described {
            kind: "collective",
            collective: Some(Collective::AllToAll),
            algorithm: Some(Algorithm::Direct),
            bytes: local.carried().iter().map(|&(sent, _)| sent).max().unwrap_or(0),
            carried: local.carried(),
            ..Described::default()
        };
        let (listed, message, local) = (!groups.is_empty(), local.largest(), Arc::new(local));
        self.given(home, Given { place, communicators, listed, local, message, share_ppm }, described)
    }

    fn given(&mut self, home: &mut Home, given: Given<'_>, described: Described) -> Result<Node> {
        let Given { place, communicators, listed, local, message, share_ppm } = given;
        let members = self.furthest(&communicators, home);
        let accelerators: Vec<u32> = members.iter().map(|&rank| self.placement[rank as usize]).collect();
        self.joined(&accelerators, place)?;
        let protocol = self.shift(place, &accelerators, message)?.protocol;
        let scene = Scene {
            fabric: self.fabric,
            schedule: &*local,
            placement: &accelerators,
            protocol: &protocol,
            root: 0,
            seed: self.spec.seed,
            control: self.control,
        };
        let executed = communicators.firsts().any(|first| home.holds(first));
        let described = Described {
            accelerators: if executed { accelerators.clone() } else { vec![] },
            ranks: communicators.size(),
            communicators: communicators.count(),
            protocol: protocol.name.clone(),
            least_fs: protocol.launch_fs,
            prediction: predict(scene)?,
            ..described
        };
        let whole = communicators.size() == self.draft.ranks;
        let listed = if listed && !whole { Some(communicators.clone()) } else { None };
        let (schedule, alone) = self.lifted(local, communicators);
        let node = self.add(home, place, Kind::Messages { schedule, receiver: None }, described, share_ppm)?;
        if let Some((operation, _)) = self.draft.operations.last_mut() {
            operation.protocol = protocol;
            operation.alone = Some(alone);
            operation.listed = listed;
        }
        Ok(node)
    }
}
