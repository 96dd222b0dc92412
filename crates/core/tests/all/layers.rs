//! The layers of the architecture, held by reading the `use` lines: a module may import lower layers only.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer; those of one layer may not import each other unless listed in `SIDEWAYS`.
const LAYERS: &[&[&str]] = &[
    &["units", "rng", "error", "radix", "control"],
    &["record", "spec"],
    &["collective", "fabric"],
    &["routing"],
    &["survey", "symmetry", "workload"],
    &["walk"],
    &["engine", "bound", "check"],
    &["analytic", "flow"],
    &["measured"],
    &["stack"],
    &["simulate", "calls"],
    &["results"],
];

/// Imports within a layer that are part of the design, with the reason.
const SIDEWAYS: &[(&str, &str)] = &[
    ("control", "error"), // a request to stop ends work as an error
    ("control", "units"),
    ("analytic", "flow"), // loads of links are found on the routes of fluids
];

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|l| l.contains(&module))
        .unwrap_or_else(|| panic!("module {module} has no layer: add it to the table"))
}

/// The non-test part of a file, without comments. Tests are a module at its end, or in a file of their own.
fn code(text: &str) -> String {
    let text = text.replace("#[cfg(test)]\nmod tests;", "");
    let code = text.split("#[cfg(test)]").next().unwrap_or("");
    code.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// First path segment of each `crate::...` in the non-test part of a file.
fn imports(text: &str) -> Vec<String> {
    let code = code(text);
    let mut found = vec![];
    for part in code.split("crate::").skip(1) {
        if let Some(list) = part.strip_prefix('{') {
            let names = list.split('}').next().unwrap_or("").split(',');
            found.extend(names.map(|n| n.trim().split("::").next().unwrap_or("").to_string()));
        } else {
            found.push(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn modules_import_lower_layers_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = vec![];
    files(&src, &mut all);
    let mut wrong = vec![];
    for path in &all {
        let relative = path.strip_prefix(&src).expect("under src");
        let name = relative.components().next().and_then(|c| c.as_os_str().to_str()).unwrap_or("");
        let module = name.trim_end_matches(".rs");
        if module == "lib" || relative.to_string_lossy().contains("tests") {
            continue;
        }
        for import in imports(&fs::read_to_string(path).expect("readable")) {
            let sideways = SIDEWAYS.contains(&(module, import.as_str()));
            if import != module && !sideways && layer(&import) >= layer(module) {
                wrong.push(format!("{} imports {import}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn collective_knows_no_links_and_only_results_know_arrow() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = vec![];
    files(&src, &mut all);
    for path in &all {
        let text = fs::read_to_string(path).expect("readable");
        let inside = |module: &str| path.starts_with(src.join(module));
        assert!(inside("results") || !text.contains("arrow_"), "{} uses Arrow", path.display());
        assert!(!text.contains("pyo3"), "{} uses pyo3", path.display());
        // its tests prove schedules
        if inside("collective") && !path.starts_with(src.join("collective").join("tests")) {
            assert!(
                imports(&text)
                    .iter()
                    .all(|i| ["collective", "control", "error", "radix", "spec"].contains(&i.as_str())),
                "{}",
                path.display()
            );
        }
        assert!(text.starts_with("//!"), "{} does not open with a chapter", path.display());
    }
}

/// True if the non-test part of a file names a schedule's `recvs` other than to define it.
fn asks_what_a_step_waits_for(text: &str) -> bool {
    let code = code(text);
    code.match_indices("recvs").any(|(at, name)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let part = |c: char| c.is_alphanumeric() || c == '_';
        !before.ends_with(part) && !after.starts_with(part) && !before.ends_with("fn ")
    })
}

#[test]
fn only_the_walk_asks_what_a_step_waits_for() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut all, mut inside, mut outside) = (vec![], vec![], vec![]);
    files(&src, &mut all);
    for path in &all {
        let relative = path.strip_prefix(&src).expect("under src").to_string_lossy().replace('\\', "/");
        if relative.contains("tests") || !asks_what_a_step_waits_for(&fs::read_to_string(path).expect("readable")) {
            continue;
        }
        // a schedule made of another one asks that one
        let allowed = ["walk/", "collective/", "workload/"].iter().any(|room| relative.starts_with(room));
        if allowed { &mut inside } else { &mut outside }.push(relative);
    }
    assert!(outside.is_empty(), "ask walk::awaits instead: {outside:?}");
    assert!(inside.iter().any(|file| file.starts_with("walk/")), "the walk does not ask: {inside:?}");
}

#[test]
fn asking_is_seen_however_it_is_written() {
    for asks in ["schedule.recvs(0, 0, 1)", "job.schedule\n    .recvs(r, l, s)", "ranks.map(Schedule::recvs)"] {
        assert!(asks_what_a_step_waits_for(asks), "{asks}");
        assert!(asks_what_a_step_waits_for(&format!("#[cfg(test)]\nmod tests;\n{asks}")), "{asks}");
    }
    for does_not in
        ["// as s.recvs(..) says", "fn recvs(&self) -> Recv {", "let recvs_left = 0;", "walk::awaits(s, 0, 0, 1)"]
    {
        assert!(!asks_what_a_step_waits_for(does_not), "{does_not}");
    }
    assert!(!asks_what_a_step_waits_for("#[cfg(test)]\nmod tests {\n    s.recvs(0, 0, 1)\n}"));
}

#[test]
fn only_the_port_service_sends() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join("engine");
    let (mut all, mut sending) = (vec![], vec![]);
    files(&engine, &mut all);
    for path in &all {
        let code = code(&fs::read_to_string(path).expect("readable"));
        // room that a packet takes, and counters of what left
        let counts = ["available -=", "stats.packets +=", "stats.wire +=", "stats.busy +=", "stall +=", "queue_max ="];
        if counts.iter().any(|count| code.contains(count)) {
            sending.push(path.strip_prefix(&engine).expect("under engine").to_string_lossy().replace('\\', "/"));
        }
    }
    assert_eq!(sending, ["port.rs"], "departures are defined in port.rs alone");
}
