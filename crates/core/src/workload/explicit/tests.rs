//! What is refused of explicit schedules, and what each message names.

use super::{Act, Action, Draft, Explicit};
use crate::control::Control;
use crate::error::Result;

const SEND: Act = Act::Send;
const RECEIVE: Act = Act::Receive;

/// Of each rank its actions (what, peer, bytes, tag) and dependencies (after, before).
type Rank<'a> = (&'a [(Act, u32, u64, u32)], &'a [(u64, u64)]);

fn compile(ranks: &[Rank]) -> Result<Explicit> {
    let mut draft = Draft::new(ranks.len() as u64)?;
    for (rank, (actions, dependencies)) in (0..).zip(ranks) {
        draft.rank(rank)?;
        for &(act, peer, amount, tag) in *actions {
            draft.push(Action { act, peer, amount, ..Action::default() }, tag, "")?;
        }
        dependencies.iter().try_for_each(|&(after, before)| draft.after(after, before, false))?;
    }
    draft.compile(&Control::default())
}

fn refused(ranks: &[Rank]) -> String {
    compile(ranks).expect_err("a schedule that is not valid").to_string()
}

#[test]
fn the_kth_send_meets_the_kth_receive_of_its_ranks_and_tag() {
    let first: Rank = (&[(SEND, 1, 10, 7), (SEND, 1, 20, 3), (SEND, 1, 30, 7)], &[]);
    let second: Rank = (&[(RECEIVE, 0, 20, 3), (RECEIVE, 0, 10, 7), (RECEIVE, 0, 30, 7)], &[]);
    let program = compile(&[first, second]).unwrap();
    let mates = |rank| program.of(rank).iter().map(|action| action.mate).collect::<Vec<_>>();
    assert_eq!((mates(0), mates(1)), (vec![1, 0, 2], vec![1, 0, 2]));
}

#[test]
fn messages_without_their_other_end_are_named() {
    let send: Rank = (&[(SEND, 1, 10, 7)], &[]);
    let receive: Rank = (&[(RECEIVE, 0, 10, 8)], &[]);
    let error = refused(&[send, receive]);
    assert!(error.contains("rank 0, operation 0 (send 10 B to rank 1, tag 7): no receive on rank 1"), "{error}");
    let error = refused(&[(&[], &[]), receive]);
    assert!(error.contains("rank 1, operation 0 (receive 10 B from rank 0, tag 8): no send of rank 0"), "{error}");
    let error = refused(&[send, (&[(RECEIVE, 0, 11, 7)], &[])]);
    assert!(error.contains("has 11 B") && error.contains("rank 0, operation 0 (send 10 B"), "{error}");
}

#[test]
fn ranks_and_operations_that_there_are_not_are_named() {
    let error = refused(&[(&[(SEND, 2, 1, 0)], &[]), (&[], &[])]);
    assert!(error.contains("rank 0: operation 0, send: rank: 2 is not valid; another rank: 0 to 1"), "{error}");
    let error = refused(&[(&[(SEND, 0, 1, 0)], &[]), (&[], &[])]);
    assert!(error.contains("rank: 0 is not valid"), "{error}");
    let error = refused(&[(&[(Act::Compute, 0, 1, 0)], &[(0, 1)])]);
    assert!(error.contains("rank 0: dependency on operation: 1 is not valid"), "{error}");
    let error = refused(&[(&[(Act::Compute, 0, 1, 0)], &[(0, 0)])]);
    assert!(error.contains("0 on itself"), "{error}");
    assert!(Draft::new(0).is_err() && Draft::new(1_000_000_000).is_err());
    let error = refused(&[(&[(SEND, 1, 1 << 51, 0)], &[]), (&[], &[])]);
    assert!(error.contains("bytes overflows: 2251799813685248"), "{error}");
}

#[test]
fn a_cycle_within_a_rank_is_named() {
    let compute = (Act::Compute, 0, 5, 0);
    let error = refused(&[(&[compute; 4], &[(1, 0), (1, 3), (2, 1), (3, 2)])]);
    for operation in [1, 2, 3] {
        assert!(error.contains(&format!("rank 0, operation {operation} (compute")), "{error}");
    }
    assert!(!error.contains("operation 0"), "{error}");
}

#[test]
fn a_cycle_across_ranks_is_named() {
    // each rank sends once it has received
    let rank = |peer| [(RECEIVE, peer, 4, 0), (SEND, peer, 4, 0)];
    let error = refused(&[(&rank(1), &[(1, 0)]), (&rank(0), &[(1, 0)])]);
    for name in ["rank 0, operation 0 (receive", "rank 1, operation 1 (send", "rank 1, operation 0 (receive"] {
        assert!(error.contains(name), "{error}");
    }
    // the other way round it works
    assert!(compile(&[(&rank(1), &[(0, 1)]), (&rank(0), &[(0, 1)])]).is_ok());
}

#[test]
fn the_least_time_is_that_of_the_longest_chain() {
    // 5 to compute, then a message of 100 to arrive and 40 to leave, then 7 to compute: 112
    let first: Rank = (&[(Act::Compute, 0, 5, 0), (SEND, 1, 1, 0), (Act::Compute, 0, 9, 0)], &[(1, 0), (2, 1)]);
    let second: Rank = (&[(RECEIVE, 0, 1, 0), (Act::Compute, 0, 7, 0)], &[(1, 0)]);
    let program = compile(&[first, second]).unwrap();
    assert_eq!(program.least(|_, _| [40, 100], &Control::default()), Ok(112));
}
