//! Communicators: beside each other, listed, summed by switches.

use super::*;

#[test]
fn disjoint_operations_do_not_touch_each_other() {
    // four groups of two on one switch, and two jobs on halves of the machine
    let groups = vec![ring(place("a", "s", &[]), 64 * KIB, &["tp"])];
    let run = outcome(&spec(switched(8), vec![job("j", &[("dp", 4), ("tp", 2)], groups)]));
    assert_eq!(run.time_fs, time(&switched(2), Collective::AllReduce, Algorithm::Ring, 64 * KIB));
    assert_eq!(run.folding.multiplicity(), 8);
    let body = |bytes| vec![ring(place("a", "s", &[]), bytes, &[])];
    let four = &[("r", 4)];
    let jobs = vec![job("one", four, body(64 * KIB)), job("two", four, body(4 * KIB))];
    let run = outcome(&spec(switched(8), jobs));
    let of = |job: u32| run.record.operations.iter().find(|row| row.operation == job).unwrap().end_fs;
    assert_eq!(of(0), time(&switched(4), Collective::AllReduce, Algorithm::Ring, 64 * KIB));
    assert_eq!(of(1), time(&switched(4), Collective::AllReduce, Algorithm::Ring, 4 * KIB));
}

#[test]
fn switches_form_the_sums_of_every_communicator() {
    let bytes = 64 * KIB;
    for (axes, group) in [(["tp"].as_slice(), 4), (["dp"].as_slice(), 2), (["dp", "tp"].as_slice(), 8)] {
        for fidelity in [Fidelity::Packet, Fidelity::Flow] {
            let params =
                supernode_core::collective::Params::new(Collective::AllReduce, Algorithm::InNetwork, group, bytes);
            let fluid = fidelity == Fidelity::Flow;
            let alone = Run { fluid, ..Run::default() }.collective(&switched(group), &params).unwrap().finish_fs;
            let body = vec![collective(place("a", "s", &[]), Collective::AllReduce, Algorithm::InNetwork, bytes, axes)];
            let mut spec = spec(switched(8), vec![job("j", &[("dp", 2), ("tp", 4)], body)]);
            spec.fidelity = Selection::Only(fidelity);
            let run = outcome(&spec);
            assert_eq!(run.time_fs, alone, "{axes:?} {fidelity}");
        }
    }
}

#[test]
fn units_sum_and_trees_join_them() {
    // boards of four on a network that does not add: two jobs of two boards each, beside sums inside each board
    let mut outside = network("net", 16, clos(&[16], &[1]), vec![1]);
    outside.switches[0].in_network_reduce = false;
    let machine = system(16, vec![network("board", 4, clos(&[4], &[1]), vec![1]), outside]);
    let bytes = 64 * KIB;
    let params = supernode_core::collective::Params {
        levels: vec![4, 2],
        ..supernode_core::collective::Params::new(Collective::AllReduce, Algorithm::InNetworkTree, 8, bytes)
    };
    for fidelity in [Fidelity::Packet, Fidelity::Flow] {
        let fluid = fidelity == Fidelity::Flow;
        let alone = Run { fluid, ..Run::default() }.collective(&machine, &params).unwrap().finish_fs;
        let sum = |name: &str, algorithm, axes: &[&str]| {
            collective(place(name, "s", &[]), Collective::AllReduce, algorithm, bytes, axes)
        };
        let body = || vec![sum("a", Algorithm::InNetworkTree, &[]), sum("b", Algorithm::InNetwork, &["tp"])];
        let two = [("one", &[("dp", 2), ("tp", 4)]), ("two", &[("dp", 2), ("tp", 4)])];
        let mut spec = spec(machine.clone(), two.map(|(name, mesh)| job(name, mesh, body())).to_vec());
        spec.fidelity = Selection::Only(fidelity);
        let run = outcome(&spec);
        let ends: Vec<u64> =
            run.record.operations.iter().filter(|row| row.operation % 2 == 0).map(|row| row.end_fs).collect();
        assert!(ends.iter().all(|&end| end == alone), "{fidelity}: {ends:?}, alone {alone}");
        assert!(run.time_fs > alone);
    }
}

#[test]
fn sums_fold_where_planes_turn_with_the_ranks() {
    for (dp, tp, planes) in [(3, 2, 3), (4, 3, 6), (3, 2, 2), (9, 8, 18)] {
        for axes in [["dp"].as_slice(), &["tp"]] {
            let n = dp * tp;
            let system = system(n, vec![network("switch", n, clos(&[n], &[1]), vec![1; planes])]);
            let sum = |name: &str, axes: &[&str]| {
                collective(place(name, "s", &[]), Collective::AllReduce, Algorithm::InNetwork, 100 * KIB, axes)
            };
            let body = vec![sum("a", axes), sum("b", &["tp"])];
            let mut spec = spec(system, vec![job("j", &[("dp", dp), ("tp", tp)], body)]);
            let run = outcome(&spec);
            spec.fold = false;
            let full = outcome(&spec);
            // shifts that take a port to some planes only are not folded by
            assert_eq!(run.folding.applied(), planes < 6, "{}", run.folding.reason());
            assert_eq!(run.time_fs, full.time_fs, "{dp} {tp} {planes} {axes:?}");
            assert_eq!(run.folding.links(&run.fabric, &run.record), full.record.links, "{dp} {tp} {planes} {axes:?}");
        }
    }
}

#[test]
fn only_members_of_listed_groups_execute() {
    let mut body = vec![ring(place("a", "s", &[]), 64 * KIB, &[]), compute(place("b", "s", &[]), US)];
    if let NodeSpec::Collective { groups, .. } = &mut body[0] {
        *groups = vec![vec![6, 1]];
    }
    let run = outcome(&spec(switched(8), vec![job("j", R8, body)]));
    let one = time(&switched(2), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    assert_eq!((row(&run, "a").ranks, row(&run, "a").instances, row(&run, "a").end_fs), (2, 2, one));
    let computed: Vec<_> = run.record.operations.iter().filter(|row| row.operation == 1).collect();
    assert_eq!(computed.iter().map(|row| (row.ranks, row.end_fs)).collect::<Vec<_>>(), [(6, US), (2, one + US)]);
}

#[test]
fn what_no_rank_executes_bounds_nothing() {
    let on = |value: u32, body| NodeSpec::On { axis: "dp".into(), values: vec![value], body };
    let never = on(0, vec![on(1, vec![ring(place("never", "s", &[]), 1 << 30, &["tp"])])]);
    let body = vec![never, compute(place("b", "s", &[]), US)];
    let run = outcome(&spec(switched(8), vec![job("j", &[("dp", 4), ("tp", 2)], body)]));
    assert_eq!((run.time_fs, run.bound.time_fs), (US, US));
}
