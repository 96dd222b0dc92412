//! Flow fidelity: closed forms, agreement with packets on long flows, and what holds for every run.

mod common;
use common::*;
use supernode_core::collective::{Algorithm, Collective, Params};
use supernode_core::record::Record;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

fn fluid() -> Run {
    Run { fluid: true, ..Run::default() }
}

fn both(spec: &SystemSpec, params: &Params) -> (Record, Record) {
    let packet = Run::default().collective(spec, params).expect("packets");
    (packet, fluid().collective(spec, params).expect("flows"))
}

#[test]
fn survey() {
    use Algorithm::*;
    use Collective::*;
    let mut tree = system(16, vec![network("tree", 16, clos(&[4, 4], &[1, 4]), vec![1])]);
    let over = system(16, vec![network("tree", 16, clos(&[4, 4], &[1, 2]), vec![1])]);
    let planes = system(8, vec![network("planes", 8, clos(&[8], &[1]), vec![1; 4])]);
    let mut hbm = switched(8);
    hbm.device.hbm_rate = Some(BitRate(RATE.0 * 2));
    hbm.device.copy_rate = Some(BitRate(RATE.0 * 2));
    hbm.device.reduce_rate = Some(BitRate(RATE.0));
    let torus16 = system(16, vec![network("torus", 16, torus(&[4, 4]), vec![1])]);
    tree.networks[0].routing = RoutingSpec::DModK;
    for (name, spec) in [
        ("switch", &switched(8)),
        ("tree dmodk", &tree),
        ("over", &over),
        ("planes", &planes),
        ("hbm", &hbm),
        ("torus", &torus16),
    ] {
        for (c, a) in [
            (AllReduce, Ring),
            (AllReduce, HalvingDoubling),
            (AllReduce, RecursiveDoubling),
            (AllGather, Bruck),
            (AllToAll, Direct),
            (AllToAll, Pairwise),
            (AllReduce, DoubleBinaryTree),
            (Broadcast, Binomial),
            (Gather, Direct),
            (AllReduce, TwoShot),
            (AllReduce, InNetwork),
            (AllGather, InNetwork),
            (AllReduce, TorusBucket),
        ] {
            if a == InNetwork && spec.networks[0].links.len() > 1 || (a == TorusBucket) != (name == "torus") {
                continue;
            }
            for bytes in [64 << 10, 1 << 20, 32u64 << 20] {
                let mut params = Params::new(c, a, spec.accelerators, bytes);
                if name == "torus" {
                    params.dims = vec![4, 4];
                }
                let (p, f) = both(spec, &params);
                let error = 100.0 * (f.finish_fs as f64 / p.finish_fs as f64 - 1.0);
                let wire = |r: &Record| r.links.iter().map(|l| l.wire_bytes).sum::<u64>();
                println!(
                    "{name:10} {c:?} {a:?} {bytes:>9}: packet {:>12} flow {:>12} {error:+.2} %  hops {} wire {} inst {}",
                    p.finish_fs / 1000,
                    f.finish_fs / 1000,
                    p.packet_hops == f.packet_hops,
                    wire(&p) == wire(&f),
                    f.windows
                );
            }
        }
    }
}
