//! The walk by hand: a host that is moved message by message.
use super::*;
use crate::collective::{Block, Message, Target};

/// Two lanes of three steps: the rank sends `sends[step]` messages, and waits for `recvs[step]` of 10 bytes each.
#[derive(Debug)]
struct Toy {
    sends: [u32; 3],
    recvs: [u32; 3],
}

impl Schedule for Toy {
    fn ranks(&self) -> u32 {
        2
    }
    fn lanes(&self) -> u32 {
        2
    }
    fn steps(&self, _: u32, _: u32) -> u32 {
        3
    }
    fn sends(&self, _: u32, _: u32, step: u32) -> u32 {
        self.sends[step as usize]
    }
    fn send(&self, _: u32, _: u32, step: u32, _: u32) -> Message {
        Message { to: Target::Rank(1), bytes: 10, recv_step: step }
    }
    fn recvs(&self, _: u32, _: u32, step: u32) -> Recv {
        let messages = self.recvs[step as usize];
        Recv { messages, bytes: 10 * u64::from(messages), reduce: step == 1 }
    }
    fn blocks(&self, _: u32, _: u32, _: u32, _: u32, _: &mut Vec<Block>) {}
    fn block_bytes(&self, _: Block) -> u64 {
        10
    }
}

struct Desk<'a> {
    schedule: &'a Toy,
    lanes: Vec<Lane<u64>>,
    early: Earlies<u64>,
    launched: Vec<(u32, u32, u64)>,
    through: Vec<u64>,
    waited: u32,
}

impl<'a> Host<'a> for Desk<'a> {
    type Time = u64;
    fn schedule(&self) -> &'a dyn Schedule {
        self.schedule
    }
    fn rank(&self, _: u32) -> u32 {
        0
    }
    fn lane(&mut self, _: u32, lane: u32) -> &mut Lane<u64> {
        &mut self.lanes[lane as usize]
    }
    fn early(&mut self, _: u32) -> &mut Earlies<u64> {
        &mut self.early
    }
    fn began(&mut self, _: u32, _: u32, messages: u32, _: u64) {
        self.waited += messages;
    }
    fn launch(&mut self, _: u32, _: u32, lane: u32, step: u32, time: u64) {
        self.launched.push((lane, step, time));
    }
    fn through(&mut self, _: u32, _: u32, time: u64) {
        self.through.push(time);
    }
}

fn desk(schedule: &Toy) -> Desk<'_> {
    let lanes = vec![Lane::new(0, 3), Lane::new(1, 3)];
    Desk { schedule, lanes, early: Earlies::default(), launched: vec![], through: vec![], waited: 0 }
}

#[test]
fn a_step_waits_for_what_leaves_and_for_what_arrives() {
    let toy = Toy { sends: [2, 1, 0], recvs: [1, 0, 1] };
    let mut d = desk(&toy);
    begin(&mut d, 0, 0, 5);
    assert_eq!((d.launched.as_slice(), d.waited), (&[(0, 0, 5)][..], 1));
    sent(&mut d, 0, 0, 1, 20);
    arrived(&mut d, 0, 0, (0, 0), 11, 30); // 10 bytes and the end
    assert_eq!(d.launched.len(), 1, "a message has not left");
    sent(&mut d, 0, 0, 1, 25);
    // complete with the latest of all three
    assert_eq!(d.launched[1], (0, 1, 30));
    sent(&mut d, 0, 0, 1, 40);
    arrived(&mut d, 0, 0, (0, 2), 4, 50);
    arrived(&mut d, 0, 0, (0, 2), 7, 60);
    assert_eq!((d.through.as_slice(), d.waited), (&[60][..], 2));
}

#[test]
fn what_comes_early_counts_when_its_step_begins() {
    let toy = Toy { sends: [1, 0, 0], recvs: [0, 1, 1] };
    let mut d = desk(&toy);
    begin(&mut d, 0, 0, 0);
    arrived(&mut d, 0, 0, (0, 2), 11, 90);
    arrived(&mut d, 0, 0, (0, 1), 5, 10);
    arrived(&mut d, 0, 0, (0, 1), 6, 70);
    assert_eq!(d.early.len(), 2);
    sent(&mut d, 0, 0, 1, 20);
    // steps 1 and 2 were complete before they began, at the time of their latest arrival
    assert_eq!((d.through.as_slice(), d.early.len()), (&[90][..], 0));
}

#[test]
fn what_no_step_waits_for_is_kept_apart() {
    let toy = Toy { sends: [0; 3], recvs: [0; 3] };
    let mut d = desk(&toy);
    begin(&mut d, 0, 1, 3);
    assert_eq!(d.through, [3]);
    arrived(&mut d, 0, 1, (1, 3), 11, 9);
    assert_eq!((d.early.len(), d.lanes[1].recv_left), (1, 0));
}

#[test]
fn an_earlier_lane_overtakes_a_later_one_between_two_of_its_messages() {
    let mut programs = Programs::with_capacity(1);
    programs.launch(1, 7, 2, 100);
    let first = programs.open();
    programs.launch(2, 3, 1, 150);
    programs.launch(0, 4, 1, 200);
    let rest: Vec<_> = std::iter::from_fn(|| programs.open()).collect();
    let order: Vec<_> = first.into_iter().chain(rest).map(|o| (o.lane, o.step, o.message, o.start)).collect();
    assert_eq!(order, [(1, 7, 0, 100), (0, 4, 0, 200), (1, 7, 1, 100), (2, 3, 0, 150)]);
    assert!(programs.is_empty());
}

#[test]
fn a_tag_is_a_step_above_a_lane() {
    for (lane, step) in [(0, 0), (MAX_LANES - 1, MAX_STEPS - 1), (3, 17)] {
        assert_eq!(untag(tag(lane, step)), (lane, step));
    }
    assert!(tag(MAX_LANES - 1, 1) < tag(0, 2), "steps compare first");
}
