//! What is refused, and what the messages name.

use super::*;

#[test]
fn who_waits_for_ever_is_named() {
    let on = |value: u32, body| NodeSpec::On { axis: "r".into(), values: vec![value], body };
    let half = |name: &str, by: i64, to: Option<&str>| {
        let (axis, wrap, bytes, share_ppm) = ("r".to_string(), false, 8, 0);
        let place = place(name, "s", &[]);
        match to {
            Some(to) => NodeSpec::Send { place, axis, by, wrap, bytes, to: to.into(), share_ppm },
            None => NodeSpec::Receive { place, axis, by, wrap, bytes, share_ppm },
        }
    };
    // both receive before they send
    let body = vec![
        on(0, vec![half("r0", 1, None), half("s0", 1, Some("r1"))]),
        on(1, vec![half("r1", -1, None), half("s1", -1, Some("r0"))]),
    ];
    let mut spec = spec(switched(2), vec![job("j", &[("r", 2)], body)]);
    for fidelity in [Fidelity::Packet, Fidelity::Flow] {
        spec.fidelity = Selection::Only(fidelity);
        assert!(error(&spec).contains("rank 0 (operation \"r0\", iteration 0, lane 0, step 0)"), "{}", error(&spec));
    }
}

#[test]
fn mistakes_are_named() {
    let run = |body| error(&spec(switched(8), vec![job("j", &[("dp", 4), ("tp", 2)], body)]));
    let a = || ring(place("a", "s", &[]), KIB, &[]);
    let cases: Vec<(Vec<NodeSpec>, &str)> = vec![
        (vec![ring(place("a", "s", &[]), KIB, &["pp"])], "operation \"a\": axes: \"pp\" is not valid; one of dp, tp"),
        (vec![a(), a()], "operation \"a\": name: twice"),
        (
            vec![ring(place("a", "s", &[("b", 0)]), KIB, &[]), ring(place("b", "t", &[]), KIB, &[])],
            "\"b\", which comes later",
        ),
        (vec![ring(place("a", "s", &[("x", 0)]), KIB, &[])], "operation \"a\": after: \"x\""),
        (vec![ring(place("a", "s", &[("a", 1)]), KIB, &[])], "a loop that holds both"),
        (vec![NodeSpec::On { axis: "dp".into(), values: vec![4], body: vec![] }], "on dp: 4 is not valid; 0 to 3"),
        (
            vec![NodeSpec::On {
                axis: "dp".into(),
                values: vec![0],
                body: vec![ring(place("a", "s", &[]), KIB, &["dp"])],
            }],
            "no axis \"dp\" inside",
        ),
        (vec![repeat(1 << 21, vec![a()])], "steps of the workload"),
        (vec![repeat(1 << 16, vec![repeat(1 << 16, vec![compute(place("c", "s", &[]), 1)])])], "nested loops"),
    ];
    for (body, wanted) in cases {
        let found = run(body);
        assert!(found.contains(wanted), "{found}\nshould say {wanted}");
    }
    let mut wrong = spec(switched(8), vec![job("j", R8, vec![a()]), job("k", &[("r", 1)], vec![])]);
    assert!(error(&wrong).contains("9 ranks"), "{}", error(&wrong));
    wrong.jobs[1].name = "j".into();
    wrong.jobs[0].axes[0].size = 7;
    assert!(error(&wrong).contains("a name of its own"), "{}", error(&wrong));
    wrong.jobs[1].name = "k".into();
    wrong.jobs[1].placement = Some(vec![3]);
    assert!(error(&wrong).contains("accelerator 3"), "{}", error(&wrong));
    wrong.fidelity = Selection::Only(Fidelity::Analytic);
    assert!(error(&wrong).contains("analytic"), "{}", error(&wrong));
}
