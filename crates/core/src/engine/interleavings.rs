//! Every interleaving of small runs: the barrier, the team with its sleeping threads, and the mail, under loom.
//!
//! **Model.** What runs here is the engine itself, compiled with loom's locks, atomics and condition variables ([`super::sync`]).
//! Loom repeats a run for every order in which threads can go on, and for every value that a load may see by the memory
//! model. Each repetition must end as one thread alone does: at the same window, with the same packets and the same time of each
//! shard. A wait that nobody ends is a deadlock, which loom reports.
//!
//! **Bounds.** With two threads, a thread is interrupted up to two, three or five times (each test says how often) where it could
//! have gone on; switches at waits are free. With three threads there are switches at waits only, because two threads that spin
//! while the third is interrupted take turns for ever. Numbers of threads change by turns, since no time passes ([`super::gain`]).
//!
//! **Why they suffice.** A mailbag, a shard and a call have one giver and one taker, so two threads show every error of order
//! between them, and one such error needs one or two interruptions. In a round of the barrier each thread does the same three
//! steps; the third thread shows that whoever comes last, all go on. A run of 12 windows has each change of the number of
//! threads twice, so both parities of all boxes are used before and after it.
//!
//! **Limits.** Skipping is off: its runs are too long. Counters that are only shown ([`crate::control`]) are not modelled. A
//! panic of a thread is tried at the barrier alone: loom ends a run at the first one that leaves its thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::barrier::Barrier;
use super::gain::Gain;
use super::layout::Layout;
use super::paths::Paths;
use super::team::{End, Member, Team};
use super::{Cap, Job, cut, run};
use crate::collective::{Algorithm, Collective, Params, build};
use crate::control::Control;
use crate::fabric::Fabric;
use crate::spec::{DeviceSpec, LinkSpec, NetworkSpec, ProtocolSpec, RoutingSpec, SwitchSpec, SystemSpec, TopologySpec};
use crate::symmetry::Folding;
use crate::units::{BitRate, Fs, MAX_TIME_FS};

/// Loom's own stacks are too small for the engine.
const STACK: usize = 1 << 20;

/// Tries every interleaving with so many interruptions.
fn every(interruptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut model = Builder::new();
    model.preemption_bound = Some(interruptions);
    model.max_branches = 10_000;
    model.check(body);
}

fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().stack_size(STACK).spawn(body).expect("a thread")
}

/// What each thread wrote before it came is seen by all who left, in every round.
fn meet(threads: usize, rounds: u64, interruptions: usize) {
    every(interruptions, move || {
        let barrier = Arc::new(Barrier::new());
        let written: Arc<Vec<AtomicU64>> = Arc::new((0..threads).map(|_| AtomicU64::new(0)).collect());
        let part = move |thread: usize| {
            for round in 1..=rounds {
                written[thread].store(round, Ordering::Relaxed);
                barrier.wait(threads);
                for other in written.iter() {
                    // the other may be in the next round already, but is not before this one
                    let seen = other.load(Ordering::Relaxed);
                    assert!(seen == round || seen == round + 1, "{seen} in round {round}");
                }
            }
        };
        let others: Vec<_> = (1..threads)
            .map(|thread| {
                let part = part.clone();
                spawn(move || part(thread))
            })
            .collect();
        part(0);
        others.into_iter().for_each(|other| other.join().expect("a round"));
    });
}

#[test]
fn two_threads_meet_three_times() {
    meet(2, 3, 5);
}

#[test]
fn three_threads_meet_twice() {
    meet(3, 2, 0);
}

/// A thread that will not come lets the one that waits go, whenever it says so.
#[test]
fn a_broken_barrier_holds_nobody() {
    every(5, || {
        let barrier = Arc::new(Barrier::new());
        let waits = Arc::clone(&barrier);
        let other = spawn(move || catch_unwind(AssertUnwindSafe(|| waits.wait(2))).is_err());
        barrier.break_off();
        assert!(other.join().expect("the thread that waits"), "it went on as if both had come");
    });
}

/// A job and what its shards refer to, made once.
struct Stage {
    job: &'static Job<'static>,
    layout: &'static Layout,
    paths: &'static Paths,
    seats: Vec<cut::Seat>,
    control: &'static Control,
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

impl Stage {
    /// A ring over accelerators of one switch, each of a few packets per step.
    fn new(accelerators: u32, bytes: u64, shards: usize, skip: bool) -> Self {
        let control = leak(Control::default());
        let link = LinkSpec { rate: BitRate(400_000_000_000), latency_fs: 500_000_000, medium: String::new() };
        let switch = SwitchSpec { latency_fs: 100_000_000, cut_through: true, in_network_reduce: false };
        let topology = TopologySpec::Clos { down: vec![accelerators], up: vec![1], parallel: vec![1], rails: 1 };
        let network = NetworkSpec {
            name: "switch".into(),
            span: accelerators,
            topology,
            planes: vec![1],
            links: vec![link],
            switches: vec![switch],
            payload: 4096,
            overhead: 0,
            routing: RoutingSpec::SprayRoundRobin,
            buffer: Some(64 * 1024),
            dateline: true,
            transport: Default::default(),
        };
        let device = DeviceSpec::default();
        let system = SystemSpec { name: "test".into(), accelerators, device, networks: vec![network] };
        let fabric = leak(Fabric::new(&system, control).expect("a fabric"));
        let params = Params::new(Collective::AllGather, Algorithm::Ring, accelerators, bytes);
        let schedule = &**leak(build(&params).expect("a schedule"));
        let placement = leak((0..accelerators).collect::<Vec<u32>>());
        let job = leak(Job {
            fabric,
            schedule,
            placement,
            folding: leak(Folding::new(fabric, schedule, placement, false, control).expect("a folding")),
            protocol: leak(ProtocolSpec { name: "none".into(), wire_num: 1, wire_den: 1, ..ProtocolSpec::default() }),
            workload: None,
            explicit: None,
            seed: 0,
            threads: 2,
            record_flows: false,
            record_links: false,
            time_limit_fs: None,
            skip,
        });
        let mut layout = Layout::new(fabric, job.protocol, control).expect("a layout");
        let seats = cut::seats(job, &layout);
        layout.cuts = cut::cuts(job, &layout, &seats, shards);
        Self { job, layout: leak(layout), paths: leak(Paths::new(job).expect("paths")), seats, control }
    }

    fn team(&self, threads: usize) -> Team<'static> {
        let shards = self.layout.cuts.len() - 1;
        let make = |id| {
            run::member(self.job, self.layout, self.paths, &self.seats, (id, MAX_TIME_FS), self.control)
                .expect("a shard")
        };
        let members: Vec<Member> = (0..shards).map(make).collect();
        Team::new(members, threads, (self.layout.window, MAX_TIME_FS, Cap::Endless), self.control)
    }
}

/// How a run ended, after how many windows, and of each shard its packets over links and its last time.
type Outcome = ((End, u64), Vec<(u64, Fs)>);

fn outcome(ended: (End, u64), team: Team) -> Outcome {
    (ended, team.dismiss().into_iter().map(|member| (member.shard.hops, member.shard.last_event)).collect())
}

/// Runs a job with these numbers of threads by turns, in every interleaving.
fn simulate(stage: Stage, windows: u64, levels: &'static [usize], interruptions: usize) {
    let stage = leak(stage);
    let threads = levels.iter().copied().max().expect("a number of threads");
    let alone: &'static OnceLock<Outcome> = leak(OnceLock::new());
    every(1, move || {
        let done = spawn(move || {
            let team = stage.team(threads);
            let ended = team.head(Gain::over(vec![1]));
            alone.get_or_init(|| outcome(ended, team));
        });
        done.join().expect("a run of one thread");
    });
    let alone = alone.get().expect("a run of one thread");
    assert_eq!(alone.0, (End::Quiet, windows));
    every(interruptions, move || {
        let done = spawn(move || {
            let team = Arc::new(stage.team(threads));
            let others: Vec<_> = (1..threads)
                .map(|thread| {
                    let team = Arc::clone(&team);
                    spawn(move || team.help(thread))
                })
                .collect();
            let ended = team.head(Gain::over(levels.to_vec()));
            others.into_iter().for_each(|other| other.join().expect("the part of a thread"));
            let team = Arc::try_unwrap(team).ok().expect("the last to have it");
            assert_eq!(&outcome(ended, team), alone);
        });
        done.join().expect("a run");
    });
}

/// Both take part in every window, and take over each other's shards.
#[test]
fn two_threads_share_the_shards() {
    simulate(Stage::new(2, 8192, 2, false), 3, &[2], 3);
}

/// Windows 0 to 2 with one thread, 3 to 5 with two, and then with one again.
#[test]
fn a_second_thread_wakes_works_and_sleeps() {
    simulate(Stage::new(2, 163_840, 2, false), 7, &[1, 2], 3);
}

/// The same, and a second time.
#[test]
fn a_second_thread_comes_again() {
    simulate(Stage::new(2, 409_600, 2, false), 12, &[1, 2], 2);
}

#[test]
fn two_threads_wake_at_once() {
    simulate(Stage::new(3, 163_840, 3, false), 10, &[1, 3], 0);
}
