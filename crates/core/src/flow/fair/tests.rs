//! The incremental rates against progressive filling from scratch, and against shares worked out by hand.
use super::*;
use proptest::prelude::*;

/// Progressive filling, straight from its definition: raise all, stop those on the first resource that fills.
fn reference(capacity: &[f64], flows: &[Vec<Use>]) -> Vec<f64> {
    let mut rates = vec![None; flows.len()];
    loop {
        let level = |r: usize| {
            let (mut left, mut weight) = (capacity[r], 0.0);
            for (uses, rate) in flows.iter().zip(&rates) {
                for u in uses.iter().filter(|u| u.resource as usize == r) {
                    match rate {
                        Some(rate) => left -= u.weight * rate,
                        None => weight += u.weight,
                    }
                }
            }
            if weight > 1e-9 { left.max(0.0) / weight } else { f64::INFINITY }
        };
        let levels: Vec<f64> = (0..capacity.len()).map(level).collect();
        let lowest = levels.iter().copied().fold(f64::INFINITY, f64::min);
        if lowest == f64::INFINITY {
            return rates.into_iter().map(|r| r.unwrap_or(f64::INFINITY)).collect();
        }
        let stops = |uses: &Vec<Use>| uses.iter().any(|u| levels[u.resource as usize] <= lowest * (1.0 + 1e-13));
        for i in 0..flows.len() {
            if rates[i].is_none() && stops(&flows[i]) {
                rates[i] = Some(lowest);
            }
        }
    }
}

fn uses(resources: &[u32]) -> Vec<Use> {
    resources.iter().map(|&resource| Use { resource, weight: 1.0 }).collect()
}

#[test]
fn shares_by_hand() {
    // links of 10, 4 and 6: the middle one is full at 2 each, the first gives the rest to its other flow
    let mut fair = Fair::new(vec![10.0, 4.0, 6.0], 3).unwrap();
    let long = fair.start(&uses(&[0, 1]));
    let other = fair.start(&uses(&[1, 2]));
    let alone = fair.start(&uses(&[0]));
    let last = fair.start(&uses(&[2]));
    assert_eq!(fair.resolve().len(), 4);
    assert_eq!([long, other, alone, last].map(|f| fair.rate(f)), [2.0, 2.0, 8.0, 4.0]);
    fair.finish(other);
    let changed: Vec<_> = fair.resolve().iter().map(|c| (c.flow, c.before, c.rate)).collect();
    assert!(changed.contains(&(long, 2.0, 4.0)) && changed.contains(&(alone, 8.0, 6.0)) && changed.len() == 3);
    // its first link is not needed any more: what it leaves goes to the other flow there
    fair.release_first(long, 1);
    fair.resolve();
    assert_eq!([long, alone].map(|f| fair.rate(f)), [4.0, 10.0]);
}

#[test]
fn weights_count() {
    // half of one flow and all of the other share a link of 3; the first's memory takes 3 times its rate
    let mut fair = Fair::new(vec![3.0, 9.0], 0).unwrap();
    let half = fair.start(&[Use { resource: 0, weight: 0.5 }, Use { resource: 1, weight: 3.0 }]);
    let whole = fair.start(&uses(&[0]));
    fair.resolve();
    assert_eq!((fair.rate(half), fair.rate(whole)), (2.0, 2.0));
}

#[test]
fn one_that_leaves_for_one_that_comes_moves_nobody_else() {
    let n = 64;
    let mut fair = Fair::new(vec![1.0; 2 * n as usize], 2 * n).unwrap();
    let flows: Vec<u32> = (0..n).map(|i| fair.start(&uses(&[i, n + i]))).collect();
    assert_eq!(fair.resolve().len(), 64);
    fair.finish(flows[5]);
    fair.start(&uses(&[5, n + 5]));
    assert_eq!(fair.resolve().len(), 1);
}

/// What happens to the set of flows.
#[derive(Clone, Debug)]
enum Step {
    Start(Vec<(u32, u8)>),
    Spread(Vec<(u32, u8)>),
    Release(prop::sample::Index, usize),
    Finish(prop::sample::Index),
    Resolve,
}

fn steps() -> impl Strategy<Value = (Vec<u32>, Vec<Step>)> {
    let step = prop_oneof![
        5 => prop::collection::vec((0u32..12, 1u8..5), 1..6).prop_map(Step::Start),
        // a message spread over a graph: a small part of many links, some of them twice
        2 => prop::collection::vec((0u32..12, 1u8..5), 6..40).prop_map(Step::Spread),
        2 => (any::<prop::sample::Index>(), 1usize..4).prop_map(|(i, count)| Step::Release(i, count)),
        3 => any::<prop::sample::Index>().prop_map(Step::Finish),
        4 => Just(Step::Resolve),
    ];
    (prop::collection::vec(1u32..100, 12), prop::collection::vec(step, 1..120))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn updates_equal_a_computation_from_scratch((capacity, steps) in steps(), first_shared in 0u32..13) {
        let capacity: Vec<f64> = capacity.into_iter().map(|c| f64::from(c) / 7.0).collect();
        let mut fair = Fair::new(capacity.clone(), first_shared).unwrap();
        let mut live: Vec<(u32, Vec<Use>)> = vec![];
        for step in steps {
            match step {
                Step::Start(list) => {
                    let mut uses: Vec<Use> =
                        list.iter().map(|&(resource, w)| Use { resource, weight: f64::from(w) / 4.0 }).collect();
                    uses.sort_by_key(|u| u.resource);
                    uses.dedup_by_key(|u| u.resource);
                    live.push((fair.start(&uses), uses));
                }
                Step::Spread(list) => {
                    let all: f64 = list.iter().map(|&(_, w)| f64::from(w)).sum();
                    let parts: Vec<Use> =
                        list.iter().map(|&(resource, w)| Use { resource, weight: f64::from(w) / all }).collect();
                    let id = fair.start(&parts);
                    let mut uses: Vec<Use> = vec![];
                    for u in parts {
                        match uses.iter_mut().find(|known| known.resource == u.resource) {
                            Some(known) => known.weight += u.weight,
                            None => uses.push(u),
                        }
                    }
                    live.push((id, uses));
                }
                Step::Release(i, count) if !live.is_empty() => {
                    let at = i.index(live.len());
                    let (id, uses) = &mut live[at];
                    fair.release_first(*id, count);
                    if uses.len() > count {
                        for at in (0..count).rev() {
                            uses.swap_remove(at);
                        }
                    }
                }
                Step::Release(..) => {}
                Step::Finish(i) if !live.is_empty() => {
                    let (id, _) = live.swap_remove(i.index(live.len()));
                    fair.finish(id);
                }
                Step::Finish(_) => {}
                Step::Resolve => {
                    fair.resolve();
                    let plain: Vec<Vec<Use>> = live.iter().map(|(_, p)| p.clone()).collect();
                    for ((id, _), expected) in live.iter().zip(reference(&capacity, &plain)) {
                        let rate = fair.rate(*id);
                        prop_assert!((rate - expected).abs() <= 1e-9 * expected, "{} is not {}", rate, expected);
                    }
                }
            }
        }
    }
}
