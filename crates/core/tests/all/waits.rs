//! What counts as waiting and as a credit stall: at every port, and only what the network is to blame for.

use crate::common::*;
use supernode_core::collective::{Algorithm, Collective, Params};
use supernode_core::record::Record;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

/// One message between two accelerators.
fn send(spec: &SystemSpec, from: u32, to: u32, bytes: u64) -> Record {
    let params = Params::new(Collective::SendRecv, Algorithm::Direct, 2, bytes);
    Run { placement: Some(vec![from, to]), ..Run::default() }.collective(spec, &params).expect("a run")
}

fn line(buffer: Option<u64>) -> SystemSpec {
    let shape = TopologySpec::Torus { dims: vec![3], wrap: vec![false], twist: vec![] };
    let mut net = network("line", 3, shape, vec![1]);
    net.buffer = buffer;
    system(3, vec![net])
}

#[test]
fn stalls_of_links_add_up_to_their_level() {
    // Buffers of two packets, where a round trip takes 1,100 ns: the first link sends two packets of 82 ns, and waits for the
    // credits of both.
    let record = send(&line(Some(2 * 4096)), 0, 2, 64 * 4096);
    let link = |vertex: u32, peer: u32| *record.links.iter().find(|l| (l.vertex, l.peer) == (vertex, peer)).unwrap();
    let (first, second) = (link(0, 1), link(1, 2));
    assert_eq!((first.packets, second.packets), (64, 64));
    let unlimited = send(&line(None), 0, 2, 64 * 4096).finish_fs;
    let lost = record.finish_fs - unlimited;
    assert!(first.stall_fs > lost / 2, "{} of {lost}", first.stall_fs);
    assert!(second.stall_fs <= second.wait_fs && first.stall_fs <= first.wait_fs);
    // the other way round as much is sent
    let level = &record.levels[0];
    assert_eq!(level.stall_fs, record.links.iter().map(|l| u128::from(l.stall_fs)).sum::<u128>());
    assert_eq!(level.wait_fs, record.links.iter().map(|l| u128::from(l.wait_fs)).sum::<u128>());
    assert_eq!(level.stall_max_fs, first.stall_fs.max(second.stall_fs));
}

#[test]
fn a_receiver_without_room_stalls_the_link_that_passes_on() {
    // the receiver's memory takes a tenth of the link's rate: the second link, whose packets all pass through accelerator 1,
    // is idle nine tenths of the time for lack of room
    let mut spec = line(Some(4 * 4096));
    spec.device.hbm_rate = None;
    spec.device.copy_rate = Some(BitRate(RATE.0 / 10));
    let record = send(&spec, 0, 2, 64 * 4096);
    let second = record.links.iter().find(|l| (l.vertex, l.peer) == (1, 2)).unwrap();
    assert!(second.stall_fs * 10 > record.finish_fs * 7, "{} of {}", second.stall_fs, record.finish_fs);
}

#[test]
fn waiting_for_the_memory_is_not_a_stall() {
    // reading takes ten times as long as sending, and buffers are without end
    let mut spec = switched(2);
    (spec.networks[0].buffer, spec.device.hbm_rate) = (None, Some(BitRate(RATE.0 / 10)));
    let record = send(&spec, 0, 1, 64 * 4096);
    assert!(record.finish_fs > 640 * 4096 * FS_PER_BYTE);
    assert!(record.links.iter().all(|l| l.stall_fs == 0 && l.wait_fs == 0), "{:?}", record.links);
}

#[test]
fn one_flow_waits_for_nobody() {
    for cut_through in [false, true] {
        let mut spec = system(8, vec![network("tree", 8, clos(&[4, 2], &[1, 2]), vec![1])]);
        spec.networks[0].switches.iter_mut().for_each(|switch| switch.cut_through = cut_through);
        (spec.networks[0].buffer, spec.networks[0].routing) = (None, RoutingSpec::SModK);
        let record = send(&spec, 0, 7, 64 * 4096);
        assert!(record.links.iter().all(|l| l.stall_fs == 0 && l.wait_fs == 0), "{:?}", record.links);
    }
}

#[test]
fn two_flows_into_one_wait_half_of_the_time() {
    // Two senders to one receiver, 64 packets each: they arrive in pairs, so packet j of 128 comes after floor(j / 2) packet
    // times and leaves after j. It waits ceil(j / 2); the sum of 0, 1, 1, 2, 2, ..., 63, 63, 64 is 2 x 63 x 64 / 2 + 64.
    let mut spec = switched(3);
    spec.networks[0].buffer = None;
    let params = Params::new(Collective::Gather, Algorithm::Direct, 3, 3 * 64 * 4096);
    let record = Run::default().collective(&spec, &params).expect("a run");
    let down = record.links.iter().find(|l| l.peer == 0 && l.packets == 128).unwrap();
    let packet = 4096 * FS_PER_BYTE;
    assert_eq!(down.wait_fs, (2 * (63 * 64 / 2) + 64) * packet);
    assert_eq!(down.stall_fs, 0);
}
