//! What the walk alone would take for complete, and what it would wait for without end.

use super::*;
use crate::collective::{Algorithm, Block, Collective, Message, Recv, Target};

/// A gather to rank 0 of 3: ranks 1 and 2 send a block each, of so many bytes, or nothing.
#[derive(Debug)]
struct Gather {
    sent: [Option<u64>; 2],
    announced: Recv,
}

impl Schedule for Gather {
    fn ranks(&self) -> u32 {
        3
    }
    fn lanes(&self) -> u32 {
        1
    }
    fn steps(&self, _: u32, _: u32) -> u32 {
        1
    }
    fn sends(&self, rank: u32, _: u32, _: u32) -> u32 {
        u32::from(rank > 0 && self.sent[rank as usize - 1].is_some())
    }
    fn send(&self, rank: u32, _: u32, _: u32, _: u32) -> Message {
        Message { to: Target::Rank(0), bytes: self.block_bytes(rank.into()), recv_step: 0 }
    }
    fn recvs(&self, rank: u32, _: u32, _: u32) -> Recv {
        if rank == 0 { self.announced } else { Recv::default() }
    }
    fn blocks(&self, rank: u32, _: u32, _: u32, _: u32, out: &mut Vec<Block>) {
        out.push(rank.into());
    }
    fn block_bytes(&self, block: Block) -> u64 {
        if block == 0 { 10 } else { self.sent[block as usize - 1].unwrap_or(10) }
    }
}

fn verdict(sent: [Option<u64>; 2], messages: u32, bytes: u64) -> Result<CheckReport> {
    let params = Params { element: 1, ..Params::new(Collective::Gather, Algorithm::Direct, 3, 30) };
    let announced = Recv { messages, bytes, reduce: false };
    check(&Gather { sent, announced }, &params, &Control::default())
}

fn refusal(sent: [Option<u64>; 2], messages: u32, bytes: u64) -> String {
    verdict(sent, messages, bytes).expect_err("it is wrong").to_string()
}

#[test]
fn a_gather_by_hand_is_proved() {
    let report = verdict([Some(10), Some(10)], 2, 20).expect("it is right");
    assert_eq!(report, CheckReport { messages: 2, bytes: 20, max_steps: 1, lanes: 1 });
}

#[test]
fn a_longer_message_does_not_stand_for_a_missing_one() {
    // 21 bytes and one end count as much as 20 bytes and two ends: the walk goes on
    let text = refusal([Some(21), None], 2, 20);
    assert!(text.contains("rank 0 step 0 lane 0 announces 20 bytes and gets 21"), "{text}");
}

#[test]
fn other_bytes_than_announced_are_named() {
    // too few bytes leave the walk waiting, too many leave it below zero
    for got in [19, 21] {
        let text = refusal([Some(10), Some(got - 10)], 2, 20);
        assert!(text.contains(&format!("rank 0 step 0 lane 0 announces 20 bytes and gets {got}")), "{text}");
    }
    // nobody sends, so all messages are there
    let text = refusal([None, None], 0, 20);
    assert!(text.contains("rank 0 step 0 lane 0 announces 20 bytes and gets 0"), "{text}");
}

#[test]
fn a_missing_message_is_waited_for() {
    let text = refusal([Some(10), None], 2, 20);
    let wanted = "ranks wait for ever: rank 0 step 0 lane 0 has 1 of 2 messages, nobody will send more";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn a_message_too_many_is_named() {
    let text = refusal([Some(10), Some(10)], 1, 10);
    assert!(text.contains("message 0 of rank 2 step 0 lane 0"), "{text}");
    assert!(text.contains("rank 0 announces 1 messages for step 0 and gets more"), "{text}");
}
