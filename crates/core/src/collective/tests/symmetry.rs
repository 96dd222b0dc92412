//! What schedules declare as their symmetries is true.

use super::*;
use crate::collective::{Schedule, Target};
use crate::radix::Radix;

/// Shifting the sender shifts the receiver, and changes nothing else.
fn hold_to_it(params: &Params) -> usize {
    let schedule = build(params).expect("a schedule");
    let digits = schedule.symmetry();
    for digit in &digits {
        let group = Radix::new(vec![*digit]);
        for rank in 0..schedule.ranks() {
            let moved = group.add(rank, digit.stride);
            for lane in 0..schedule.lanes() {
                assert_eq!(schedule.steps(rank, lane), schedule.steps(moved, lane), "{params:?}");
                for step in 0..schedule.steps(rank, lane) {
                    alike(&*schedule, &group, (rank, moved), lane, step, digit.stride, params);
                }
            }
        }
    }
    digits.len()
}

fn alike(s: &dyn Schedule, group: &Radix, (x, y): (u32, u32), lane: u32, step: u32, by: u32, params: &Params) {
    assert_eq!(s.recvs(x, lane, step), s.recvs(y, lane, step), "{params:?}");
    assert_eq!(s.sends(x, lane, step), s.sends(y, lane, step), "{params:?}");
    for i in 0..s.sends(x, lane, step) {
        let (mut a, b) = (s.send(x, lane, step, i), s.send(y, lane, step, i));
        a.to = match a.to {
            Target::Rank(to) => Target::Rank(group.add(to, by)),
            Target::SwitchReduce { root } => Target::SwitchReduce { root: group.add(root, by) },
            switches @ (Target::SwitchMulticast | Target::SwitchAllReduce) => switches,
        };
        assert_eq!(a, b, "{params:?}: rank {x} and {y}, lane {lane}, step {step}, message {i}");
    }
}

#[test]
fn declared_symmetries_hold() {
    let mut found = 0;
    for ranks in [1, 2, 3, 4, 6, 8, 12, 16, 24] {
        for elements in [0, 1, 1003] {
            for order in [vec![], vec![2; ranks as usize / 2]] {
                let order = if order.iter().product::<u32>() == ranks { order } else { vec![] };
                let p =
                    Params { order, bytes: elements * 4, ..params(Collective::AllReduce, Algorithm::Ring, ranks, 0) };
                found += pairs(&p).iter().map(hold_to_it).sum::<usize>();
                let shared = Params { shared: true, algorithm: Algorithm::InNetwork, ..p };
                assert_eq!(hold_to_it(&shared) > 0, ranks > 1);
            }
        }
    }
    let shapes: [&[u32]; 7] = [&[2, 2], &[4, 3], &[3, 4], &[2, 6], &[2, 3, 4], &[3, 1, 5], &[2, 2, 2]];
    for sizes in shapes {
        let ranks = sizes.iter().product();
        for (levels, dims, open) in [(sizes, &[][..], false), (&[], sizes, false), (&[], sizes, true)] {
            let p = Params {
                bytes: 1003 * 4,
                levels: levels.to_vec(),
                dims: dims.to_vec(),
                order: sizes.to_vec(),
                wrap: if open { (0..dims.len()).map(|d| d % 2 == 1).collect() } else { Vec::new() },
                ..params(Collective::AllReduce, Algorithm::Ring, ranks, 0)
            };
            found += pairs(&p).iter().map(hold_to_it).sum::<usize>();
        }
    }
    for (dims, twist) in [(vec![3, 6], [0, 1]), (vec![4, 3, 5], [1, 0])] {
        let ranks = dims.iter().product();
        let p = Params { dims, twist: vec![twist], ..params(Collective::AllReduce, Algorithm::Ring, ranks, 4012) };
        found += pairs(&p).iter().map(hold_to_it).sum::<usize>();
    }
    assert!(found > 500, "{found} symmetries");
}

#[test]
fn what_has_a_root_has_no_symmetry() {
    for collective in [Collective::Broadcast, Collective::Reduce, Collective::Gather, Collective::Scatter] {
        for p in pairs(&params(collective, Algorithm::Direct, 8, 4096)).iter().filter(|p| p.collective == collective) {
            assert_eq!(build(p).expect("a schedule").symmetry(), [], "{p:?}");
        }
    }
}
