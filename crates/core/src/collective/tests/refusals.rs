//! Typed errors for what cannot be built.

use super::*;
use crate::error::Error;

#[test]
fn what_does_not_go_together_is_refused_with_what_does() {
    let mut refused = 0;
    for ranks in [1, 2, 6, 7, 64] {
        for collective in Collective::ALL {
            for algorithm in Algorithm::ALL {
                let p = params(collective, algorithm, ranks, 1 << 12);
                match build(&p) {
                    Ok(_) => assert!(valid_algorithms(&p, true).contains(&algorithm)),
                    Err(Error::Algorithm { valid, why, .. }) => {
                        refused += 1;
                        assert!(!why.is_empty() && !valid_algorithms(&p, true).contains(&algorithm));
                        for name in valid.split(", ") {
                            let algorithm = Algorithm::parse(name).unwrap();
                            assert!(build(&Params { algorithm, ..p.clone() }).is_ok());
                        }
                    }
                    Err(other) => panic!("{p:?}: {other}"),
                }
            }
        }
    }
    assert!(refused > 200);
    assert!(
        !valid_algorithms(&params(Collective::AllReduce, Algorithm::Ring, 8, 64), false)
            .contains(&Algorithm::InNetwork)
    );
    // Units: one, of one rank each, none.
    for levels in [vec![8], vec![1, 8], vec![]] {
        let alone = Params { levels, ..params(Collective::AllReduce, Algorithm::InNetworkTree, 8, 64) };
        let refused = build(&alone).unwrap_err().to_string();
        assert!(refused.contains("several units evenly"), "{refused}");
    }
    // 2^21 + 2 ranks: 2 (2^21 + 1) > 2^22 steps.
    let long = params(Collective::AllReduce, Algorithm::Ring, (1 << 21) + 2, 1 << 30);
    assert!(matches!(build(&long), Err(Error::Algorithm { .. })));
    assert!(build(&Params { collective: Collective::AllGather, ..long }).is_ok());
    // Nine dimensions of two.
    let nine = Params { dims: vec![2; 9], ..params(Collective::AllReduce, Algorithm::TorusBucket, 512, 1 << 30) };
    assert!(matches!(build(&nine), Err(Error::Algorithm { .. })));
}

#[test]
fn bad_parameters_are_typed_errors() {
    let good = params(Collective::AllReduce, Algorithm::Ring, 8, 1 << 10);
    for (field, bad) in [
        ("ranks", Params { ranks: 0, ..good.clone() }),
        ("element", Params { element: 0, ..good.clone() }),
        ("bytes", Params { bytes: 1001, ..good.clone() }),
        ("root", Params { root: 8, ..good.clone() }),
        ("levels", Params { levels: vec![3, 3], ..good.clone() }),
        ("levels", Params { levels: vec![8, 0], ..good.clone() }),
        ("levels", Params { levels: vec![u32::MAX; 3], ..good.clone() }),
        ("dims", Params { dims: vec![2, 2], ..good.clone() }),
        ("wrap", Params { wrap: vec![true], ..good.clone() }),
        ("twist", Params { twist: vec![[0, 1]], ..good.clone() }),
        ("lanes", Params { lanes: Some(0), ..good.clone() }),
        ("chunks", Params { chunks: Some(MAX_LANES + 1), ..good.clone() }),
        ("chunks", Params { chunks: Some(64), lanes: Some(64), ..good.clone() }),
    ] {
        match build(&bad) {
            Err(Error::Spec { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{bad:?}: {other:?}"),
        }
    }
    let huge = Params { bytes: u64::MAX / 4 * 4, ..good };
    assert!(matches!(build(&huge), Err(Error::Overflow { .. })));
    let pairs = Params { lanes: Some(2), ..params(Collective::AllToAll, Algorithm::Direct, u32::MAX, 8) };
    assert!(matches!(build(&pairs), Err(Error::Overflow { .. })));
}
