//! Departures by hand: a link of one byte per femtosecond, packets of 90 bytes that take 100 on the wire.

use super::*;
use crate::units::{BitRate, Serializer};

const WIRE: u32 = 100;

fn class(buffer: Option<u64>) -> Class {
    let serializer = Serializer::new(BitRate(8_000_000_000_000_000));
    let (latency, full_fs) = (1000, serializer.fs(WIRE));
    Class { latency, serializer, full_wire: WIRE, full_fs, buffer, quantum: 1, channels: 1, network: 0, tier: 0 }
}

fn packet() -> Packet {
    Packet::new(0, 0, 0, 0, 90, WIRE, 0, 0)
}

/// A queue with so much room at the far end, and credits of these bytes at these times.
fn queue(available: u64, coming: &[(Fs, u32)]) -> (Fifo, Rings<packet::Credit>) {
    let (mut fifo, mut credits) = (Fifo { available, ..Fifo::default() }, Rings::new(8));
    for &(time, bytes) in coming {
        credits.push(&mut fifo.credits, packet::Credit { time, bytes, channel: 0 });
    }
    (fifo, credits)
}

/// Serves packets that are ready at 0, 10 and 500, and returns when they leave.
fn three<F: FlowControl>(service: &mut Service<F>) -> [Fs; 3] {
    [0, 10, 500].map(|ready| {
        let now = service.opening(WIRE, ready, 1000).expect("room before the end");
        assert_eq!(service.leave(&packet(), ready, now), now + 1000, "the head takes the latency");
        now
    })
}

#[test]
fn link_packet_and_credit_must_be_there() {
    let (class, mut stats) = (class(Some(250)), PortStats::default());
    let (mut fifo, mut credits) = queue(250, &[(900, 50), (950, 60), (2500, 60)]);
    let exit = Exit { class: &class, fifo: &mut fifo, credits: &mut credits, stats: &mut stats, free_at: 0 };
    let mut service = Service::<Credit>::new(exit);
    // the second waits for the link, the third for 50 of its 100 bytes
    assert_eq!(three(&mut service), [0, 100, 900]);
    // the link is free at 1000: until then nothing needs room
    assert_eq!(service.opening(WIRE, 905, 1000), Ok(1000));
    // 60 of 100 bytes come before 2000, and the next credit after that at 2500
    assert_eq!(service.opening(WIRE, 905, 2000), Err(2500));
    assert_eq!(service.opening(WIRE, 905, 3000), Ok(2500));
    assert_eq!(service.close(), 1000);
    assert_eq!((stats.packets, stats.wire, stats.payload, stats.busy), (3, 300, 270, 300));
    // 100 - 10 for the link, 900 - 500 for the credit
    assert_eq!((stats.wait, stats.stall), (90 + 400, 400));
    // 250 + 50 - 300; what came at 950 is not looked at yet
    assert_eq!((fifo.available, fifo.credits.len()), (0, 2));
    assert_eq!((in_sight(&fifo, &credits, 951), in_sight(&fifo, &credits, 2501)), (2500, NEVER));
}

#[test]
fn without_flow_control_nothing_stalls() {
    let (class, mut stats) = (class(None), PortStats::default());
    let (mut fifo, mut credits) = queue(0, &[]);
    let exit = Exit { class: &class, fifo: &mut fifo, credits: &mut credits, stats: &mut stats, free_at: 0 };
    let mut service = Service::<Unlimited>::new(exit);
    assert_eq!(three(&mut service), [0, 100, 500]);
    assert_eq!(service.close(), 600);
    assert_eq!((stats.packets, stats.wait, stats.stall), (3, 90, 0));
}

#[test]
fn the_class_of_a_link_says_which_flow_control_it_has() {
    let (fifo, credits) = queue(0, &[]);
    let opens = |buffer| opening(&class(buffer), &fifo, &credits, 20, WIRE, 10, 1000);
    assert_eq!((opens(None), opens(Some(250))), (Ok(20), Err(NEVER)));
    for (buffer, left) in [(None, 100), (Some(250), 0)] {
        let (class, mut stats) = (class(buffer), PortStats::default());
        let (mut fifo, mut credits) = queue(100, &[]);
        let exit = Exit { class: &class, fifo: &mut fifo, credits: &mut credits, stats: &mut stats, free_at: 20 };
        assert_eq!(leave(exit, &packet(), 10, 20, None), (1020, 120));
        assert_eq!((fifo.available, stats.wait, stats.queue_max), (left, 10, 0));
    }
}

#[test]
fn a_queue_is_what_came_before_its_first_leaves() {
    let (class, mut stats) = (class(None), PortStats::default());
    let (mut fifo, mut credits) = queue(0, &[]);
    let (mut packets, mut ring) = (Rings::new(16), Ring::default());
    for time in [0, 50, 60, 300] {
        packets.push(&mut ring, Packet { time, ..packet() });
    }
    let exit = Exit { class: &class, fifo: &mut fifo, credits: &mut credits, stats: &mut stats, free_at: 0 };
    let mut service = Service::<Unlimited>::new(exit);
    // three have come by 60; the fourth has come by 300, when two are gone
    service.measure(&packets, &ring, 0, 60);
    service.measure(&packets, &ring, 2, 300);
    service.close();
    assert_eq!(stats.queue_max, 3);
}
