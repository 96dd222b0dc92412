//! Explicit schedules run: closed forms, collectives written out, threads, and packets against fluids.

use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, Recv, Schedule, Target, build};
use supernode_core::control::Control;
use supernode_core::engine::{Job, run};
use supernode_core::error::Result;
use supernode_core::fabric::Fabric;
use supernode_core::flow;
use supernode_core::record::Record;
use supernode_core::spec::*;
use supernode_core::symmetry::Folding;
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};

const SEND: Act = Act::Send;
const RECEIVE: Act = Act::Receive;

fn moving(act: Act, peer: u32, amount: u64) -> Action {
    Action { act, peer, amount, ..Action::default() }
}

fn taking(act: Act, amount: u64, stream: u16) -> Action {
    Action { act, amount, stream, ..Action::default() }
}

/// Of each rank its actions, and what waits: action, for which one, whether for its beginning.
type Rank = (Vec<Action>, Vec<(u64, u64, bool)>);

fn program(ranks: &[Rank]) -> Explicit {
    let mut draft = Draft::new(ranks.len() as u64).unwrap();
    for (rank, (actions, waits)) in (0..).zip(ranks) {
        draft.rank(rank).unwrap();
        for &action in actions {
            draft.push(action, 0, "").unwrap();
        }
        waits.iter().for_each(|&(action, before, on_begin)| draft.after(action, before, on_begin).unwrap());
    }
    draft.compile(&Control::default()).unwrap()
}

fn explicit(spec: &SystemSpec, program: &Explicit, with: &Run) -> Result<Record> {
    let control = Control::default();
    let fabric = Fabric::new(spec, &control)?;
    let placement = with.placement.clone().unwrap_or_else(|| (0..program.ranks()).collect());
    let folding = Folding::none(program.ranks(), String::new());
    let job = Job {
        fabric: &fabric,
        folding: &folding,
        schedule: program,
        placement: &placement,
        protocol: &with.protocol,
        workload: None,
        explicit: Some(program),
        seed: with.seed,
        threads: with.threads,
        record_flows: with.flows,
        record_links: true,
        time_limit_fs: with.time_limit_fs,
        skip: with.skip,
    };
    if with.fluid { flow::run(&job, &control) } else { run(&job, &control) }
}

/// A schedule with one lane, action by action: a step waits for all of the step before it.
fn written_out(schedule: &dyn Schedule) -> Explicit {
    let mut draft = Draft::new(schedule.ranks().into()).unwrap();
    // what each step receives, in the order of senders
    let mut receives: Vec<Vec<Vec<(u32, u64)>>> = vec![vec![]; schedule.ranks() as usize];
    for rank in 0..schedule.ranks() {
        receives[rank as usize].resize(schedule.steps(rank, 0) as usize, vec![]);
    }
    for rank in 0..schedule.ranks() {
        for step in 0..schedule.steps(rank, 0) {
            for i in 0..schedule.sends(rank, 0, step) {
                let message = schedule.send(rank, 0, step, i);
                let Target::Rank(to) = message.to else { panic!("a message to a rank") };
                receives[to as usize][message.recv_step as usize].push((rank, message.bytes));
            }
        }
    }
    for rank in 0..schedule.ranks() {
        draft.rank(rank.into()).unwrap();
        let mut before: Vec<u32> = vec![];
        for step in 0..schedule.steps(rank, 0) {
            let Recv { reduce, .. } = schedule.recvs(rank, 0, step);
            let mut these = vec![];
            for i in 0..schedule.sends(rank, 0, step) {
                let message = schedule.send(rank, 0, step, i);
                let Target::Rank(to) = message.to else { panic!("a message to a rank") };
                these.push(draft.push(moving(SEND, to, message.bytes), message.recv_step, "").unwrap());
            }
            for &(from, bytes) in &receives[rank as usize][step as usize] {
                let act = if reduce { Act::Reduce } else { RECEIVE };
                these.push(draft.push(moving(act, from, bytes), step, "").unwrap());
            }
            for &action in &these {
                before.iter().for_each(|&b| draft.after(action.into(), b.into(), false).unwrap());
            }
            before = these;
        }
    }
    draft.compile(&Control::default()).unwrap()
}

#[test]
fn a_message_takes_its_closed_form() {
    // 3 packets of 4096 B at 20 000 fs per byte, one way; the send ends when the last byte has left
    let bytes = 3 * 4096;
    let p = program(&[(vec![moving(SEND, 1, bytes)], vec![]), (vec![moving(RECEIVE, 0, bytes)], vec![])]);
    let record = explicit(&switched(2), &p, &Run::default()).unwrap();
    let serial = bytes * FS_PER_BYTE;
    assert_eq!(record.spans, vec![[0, serial], [0, serial + ALPHA]]);
    assert_eq!(record.finish_fs, serial + ALPHA);
}

#[test]
fn dependencies_streams_and_delays_take_their_times() {
    let on = |stream| taking(Act::Compute, 1000, stream);
    // 0 and 1 share a stream, 2 has one of its own; 3 waits 50 from the end of 1, 4 begins when 1 begins, 5 joins 3 and 4
    let actions = vec![on(0), on(0), on(7), taking(Act::Delay, 50, 0), on(9), taking(Act::Compute, 0, 0)];
    let waits = vec![(3, 1, false), (4, 1, true), (5, 3, false), (5, 4, false)];
    let expected = [[0, 1000], [1000, 2000], [0, 1000], [2000, 2050], [1000, 2000], [2050, 2050]];
    let p = program(&[(actions, waits), (vec![], vec![])]);
    for fluid in [false, true] {
        let record = explicit(&switched(2), &p, &Run { fluid, ..Run::default() }).unwrap();
        assert_eq!(record.spans, expected, "fluid: {fluid}");
        assert_eq!((record.ranks[0].finish_fs, record.ranks[1].finish_fs), (2050, 0));
    }
}

#[test]
fn a_receive_that_is_late_ends_when_it_begins() {
    let late = 10 * ALPHA;
    let receiver = vec![taking(Act::Compute, late, 0), moving(RECEIVE, 0, 64)];
    let p = program(&[(vec![moving(SEND, 1, 64)], vec![]), (receiver, vec![(1, 0, false)])]);
    for fluid in [false, true] {
        let record = explicit(&switched(2), &p, &Run { fluid, ..Run::default() }).unwrap();
        assert_eq!(record.spans[2], [late, late], "fluid: {fluid}");
    }
}

#[test]
fn steps_of_the_stack_come_before_each_send() {
    let protocol = ProtocolSpec { launch_fs: 300, step_fs: vec![7000], ..no_stack() };
    let p = program(&[(vec![moving(SEND, 1, 64)], vec![]), (vec![moving(RECEIVE, 0, 64)], vec![])]);
    let record = explicit(&switched(2), &p, &Run { protocol, ..Run::default() }).unwrap();
    assert_eq!(record.finish_fs, 300 + 7000 + 64 * FS_PER_BYTE + ALPHA);
}

#[test]
fn collectives_written_out_take_as_long_as_computed_ones() {
    let cases = [
        (Collective::AllReduce, Algorithm::Ring, 8, 8 * 5000),
        (Collective::AllGather, Algorithm::Ring, 6, 6 * 4096),
        (Collective::AllReduce, Algorithm::RecursiveDoubling, 8, 9000),
        (Collective::AllToAll, Algorithm::Pairwise, 6, 6 * 10_000),
    ];
    for (collective, algorithm, n, bytes) in cases {
        let spec = system(n, vec![network("tree", n, clos(&[2, n / 2], &[1, 1]), vec![1])]);
        let params = Params { lanes: Some(1), chunks: Some(1), ..Params::new(collective, algorithm, n, bytes) };
        let schedule = build(&params).unwrap();
        assert_eq!(schedule.lanes(), 1, "{algorithm:?}");
        let with = Run { skip: false, ..Run::default() };
        let (whole, out) =
            (with.schedule(&spec, &*schedule).unwrap(), explicit(&spec, &written_out(&*schedule), &with));
        let out = out.unwrap();
        assert_eq!(whole.finish_fs, out.finish_fs, "{collective:?} {algorithm:?}");
        assert_eq!((whole.sent_bytes, whole.packet_hops), (out.sent_bytes, out.packet_hops));
    }
}

fn cases(usual: u32) -> u32 {
    std::env::var("SUPERNODE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// A random program without cycles: a random order of messages; each action may wait for actions before it on its rank.
fn random(ranks: u32, messages: &[(u32, u32, u64)], waits: &[(u64, u64)]) -> Explicit {
    let mut of: Vec<Rank> = vec![(vec![], vec![]); ranks as usize];
    for (i, &(from, by, bytes)) in messages.iter().enumerate() {
        let (from, to) = (from % ranks, (from + 1 + by % (ranks - 1)) % ranks);
        of[from as usize].0.push(moving(SEND, to, bytes));
        of[to as usize].0.push(moving(if i % 3 == 0 { Act::Reduce } else { RECEIVE }, from, bytes));
        let (actions, waits) = &mut of[to as usize];
        actions.push(taking(Act::Compute, bytes * 1000, (i % 2) as u16));
        waits.push((actions.len() as u64 - 1, actions.len() as u64 - 2, i % 5 == 0));
    }
    for (actions, own) in &mut of {
        let count = actions.len() as u64;
        for &(after, before) in waits.iter().filter(|_| count > 1) {
            let (a, b) = (after % count, before % count);
            if a != b {
                own.push((a.max(b), a.min(b), (a + b) % 4 == 0));
            }
        }
    }
    program(&of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(24)))]

    #[test]
    fn any_number_of_threads_gives_the_same(
        messages in prop::collection::vec((0u32..12, 0u32..12, 0u64..20_000), 1..40),
        waits in prop::collection::vec((0u64..100, 0u64..100), 0..20),
        shape in 0usize..3,
    ) {
        let p = random(12, &messages, &waits);
        let spec = match shape {
            0 => switched(12),
            1 => system(12, vec![network("tree", 12, clos(&[4, 3], &[1, 2]), vec![1])]),
            _ => system(12, vec![network("torus", 12, torus(&[4, 3]), vec![1])]),
        };
        let of = |threads| explicit(&spec, &p, &Run { threads, ..Run::default() }).unwrap();
        let (one, three) = (of(1), of(3));
        prop_assert_eq!(&one.spans, &three.spans);
        prop_assert_eq!((&one.links, &one.flows, &one.ranks), (&three.links, &three.flows, &three.ranks));
        // every message was sent and received once
        let bytes: u64 = p.bytes();
        prop_assert_eq!((one.sent_bytes, one.received_bytes), (bytes, bytes));
        let fluid = explicit(&spec, &p, &Run { fluid: true, ..Run::default() }).unwrap();
        prop_assert_eq!((fluid.sent_bytes, fluid.received_bytes), (bytes, bytes));
    }
}

#[test]
fn packets_and_fluids_agree_on_long_messages() {
    let bytes = 4 << 20;
    let n = 4;
    let rank = |r: u32| -> Rank {
        let (next, last) = ((r + 1) % n, (r + n - 1) % n);
        let two = [moving(SEND, next, bytes), moving(RECEIVE, last, bytes)];
        ([two, two].concat(), vec![(2, 1, false), (2, 0, false)])
    };
    let p = program(&(0..n).map(rank).collect::<Vec<_>>());
    let of = |fluid| explicit(&switched(n), &p, &Run { fluid, ..Run::default() }).unwrap().finish_fs as f64;
    let (packets, fluids) = (of(false), of(true));
    assert!((packets / fluids - 1.0).abs() < 0.05, "{packets} and {fluids}");
}
