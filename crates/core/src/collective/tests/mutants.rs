//! Schedules that are wrong in one place.

use super::*;
use crate::control::Control;
use crate::error::Error;

/// How to spoil a schedule.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Peer,
    Missing,
    Twice,
    Bytes,
    Announced,
    Kind,
    LateStep,
    OtherBlock,
}

/// A schedule in which one message (or announcement) is wrong.
#[derive(Debug)]
struct Mutant {
    inner: Box<dyn Schedule>,
    fault: Fault,
    at: (u32, u32),
}

impl Mutant {
    fn hit(&self, rank: u32, lane: u32, step: u32) -> bool {
        (rank, step) == self.at && lane == 0
    }
}

impl Schedule for Mutant {
    fn ranks(&self) -> u32 {
        self.inner.ranks()
    }
    fn lanes(&self) -> u32 {
        self.inner.lanes()
    }
    fn steps(&self, rank: u32, lane: u32) -> u32 {
        self.inner.steps(rank, lane)
    }
    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        let sends = self.inner.sends(rank, lane, step);
        match self.fault {
            Fault::Missing if self.hit(rank, lane, step) => sends - 1,
            Fault::Twice if self.hit(rank, lane, step) => sends + 1,
            _ => sends,
        }
    }
    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message {
        let sends = self.inner.sends(rank, lane, step);
        let mut message = self.inner.send(rank, lane, step, i.min(sends - 1));
        if self.hit(rank, lane, step) && i == 0 {
            match (self.fault, message.to) {
                (Fault::Peer, Target::Rank(to)) => message.to = Target::Rank((to + 1) % self.ranks()),
                (Fault::Peer, Target::SwitchReduce { root }) => {
                    message.to = Target::SwitchReduce { root: (root + 1) % self.ranks() };
                }
                (Fault::Peer, Target::SwitchMulticast | Target::SwitchAllReduce) => {
                    message.to = Target::Rank((rank + 1) % self.ranks())
                }
                (Fault::Bytes, _) => message.bytes += 4,
                (Fault::LateStep, _) => message.recv_step += 1,
                _ => {}
            }
        }
        message
    }
    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv {
        let mut recv = self.inner.recvs(rank, lane, step);
        if self.hit(rank, lane, step) {
            match self.fault {
                Fault::Announced => recv.messages += 1,
                Fault::Kind => recv.reduce = !recv.reduce,
                _ => {}
            }
        }
        recv
    }
    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>) {
        let sends = self.inner.sends(rank, lane, step);
        self.inner.blocks(rank, lane, step, i.min(sends - 1), out);
        if let (Fault::OtherBlock, true, 0) = (self.fault, self.hit(rank, lane, step), i) {
            let owners = u64::from(self.ranks());
            out.iter_mut()
                .for_each(|block| *block = (*block + u64::from(self.lanes())) % (owners * u64::from(self.lanes())));
        }
    }
    fn block_bytes(&self, block: Block) -> u64 {
        self.inner.block_bytes(block)
    }
}

#[test]
fn mutants_are_refused() {
    let faults =
        [Fault::Peer, Fault::Missing, Fault::Twice, Fault::Bytes, Fault::Announced, Fault::Kind, Fault::LateStep];
    let mut tried = 0;
    let mut base = Params { dims: vec![3, 4], ..params(Collective::AllReduce, Algorithm::Ring, 12, 12 * 256) };
    for hierarchy in [false, true] {
        if hierarchy {
            base = Params { dims: Vec::new(), levels: vec![3, 4], ..base };
        }
        for p in pairs(&base).into_iter().filter(|p| p.collective != Collective::Barrier) {
            let plain = build(&p).unwrap();
            for fault in faults {
                for rank in [0, 5, 11] {
                    for step in 0..plain.steps(rank, 0) {
                        let (sends, recv) = (plain.sends(rank, 0, step), plain.recvs(rank, 0, step));
                        let sending = !matches!(fault, Fault::Announced | Fault::Kind);
                        if (sending && sends == 0) || (!sending && recv.messages == 0) {
                            continue;
                        }
                        let inner = build(&p).unwrap();
                        let mutant = Mutant { inner, fault, at: (rank, step) };
                        match check(&mutant, &p, &Control::default()) {
                            Err(Error::Schedule { .. }) => tried += 1,
                            other => panic!("{fault:?} at {rank}/{step} of {p:?}: {other:?}"),
                        }
                    }
                }
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn a_wrong_block_is_refused() {
    for (collective, algorithm) in [
        (Collective::AllReduce, Algorithm::Ring),
        (Collective::AllGather, Algorithm::Bruck),
        (Collective::ReduceScatter, Algorithm::Pairwise),
        (Collective::Gather, Algorithm::Direct),
        (Collective::AllToAll, Algorithm::Pairwise),
    ] {
        let p = params(collective, algorithm, 6, 6 * 64);
        let mutant = Mutant { inner: build(&p).unwrap(), fault: Fault::OtherBlock, at: (1, 0) };
        assert!(
            matches!(check(&mutant, &p, &Control::default()), Err(Error::Schedule { .. })),
            "{algorithm} {collective}"
        );
    }
}

#[test]
fn a_refusal_names_the_ranks_that_wait() {
    let p = params(Collective::AllGather, Algorithm::Ring, 4, 4 * 64);
    let mutant = Mutant { inner: build(&p).unwrap(), fault: Fault::Missing, at: (1, 0) };
    let text = check(&mutant, &p, &Control::default()).unwrap_err().to_string();
    assert!(text.contains("ranks wait for ever: ") && text.contains("nobody will send more"), "{text}");
    assert!(text.contains("the next from rank"), "{text}");
}

#[test]
fn the_checker_refuses_what_is_too_big_or_for_other_ranks() {
    let p = params(Collective::Barrier, Algorithm::Bruck, 5000, 0);
    assert!(matches!(check(build(&p).unwrap().as_ref(), &p, &Control::default()), Err(Error::Spec { .. })));
    let (four, five) = (p.clone().with_ranks(4), p.with_ranks(5));
    assert!(matches!(check(build(&four).unwrap().as_ref(), &five, &Control::default()), Err(Error::Schedule { .. })));
}

/// A schedule whose steps all do what another step of the original does.
#[derive(Debug)]
struct Shuffled {
    inner: Box<dyn Schedule>,
    order: [u32; 3],
}

impl Shuffled {
    fn step(&self, step: u32) -> u32 {
        self.order[step as usize]
    }
}

impl Schedule for Shuffled {
    fn ranks(&self) -> u32 {
        self.inner.ranks()
    }
    fn lanes(&self) -> u32 {
        self.inner.lanes()
    }
    fn steps(&self, rank: u32, lane: u32) -> u32 {
        self.inner.steps(rank, lane)
    }
    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        self.inner.sends(rank, lane, self.step(step))
    }
    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message {
        Message { recv_step: step, ..self.inner.send(rank, lane, self.step(step), i) }
    }
    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv {
        self.inner.recvs(rank, lane, self.step(step))
    }
    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>) {
        self.inner.blocks(rank, lane, self.step(step), i, out);
    }
    fn block_bytes(&self, block: Block) -> u64 {
        self.inner.block_bytes(block)
    }
}

#[test]
fn the_reason_is_named() {
    let why = |collective, algorithm, ranks, order| {
        let p = params(collective, algorithm, ranks, 64 * 4);
        check(&Shuffled { inner: build(&p).unwrap(), order }, &p, &Control::default()).unwrap_err().to_string()
    };
    // The same partner twice, the sum of two ranks added to itself.
    let twice = why(Collective::AllReduce, Algorithm::RecursiveDoubling, 8, [0, 0, 2]);
    assert!(twice.contains("a contribution counts twice"), "{twice}");
    // Any order of partners is right for whole buffers...
    let p = params(Collective::AllReduce, Algorithm::RecursiveDoubling, 8, 64);
    check(&Shuffled { inner: build(&p).unwrap(), order: [2, 0, 1] }, &p, &Control::default()).unwrap();
    // ...but not where more is sent each time than there was before.
    let stale = why(Collective::AllGather, Algorithm::RecursiveDoubling, 8, [1, 0, 2]);
    assert!(stale.contains("it has no block"), "{stale}");
    // Pieces of a ring in the wrong order: partial sums end up as results.
    let early = why(Collective::ReduceScatter, Algorithm::Ring, 4, [2, 1, 0]);
    assert!(early.contains("ends with the data of") || early.contains("counts twice"), "{early}");
    // Storing a partial sum over one's own data.
    let p = params(Collective::AllReduce, Algorithm::RecursiveDoubling, 8, 64);
    let mutant = Mutant { inner: build(&p).unwrap(), fault: Fault::Kind, at: (3, 1) };
    let lost = check(&mutant, &p, &Control::default()).unwrap_err().to_string();
    assert!(lost.contains("a contribution is lost"), "{lost}");
}
