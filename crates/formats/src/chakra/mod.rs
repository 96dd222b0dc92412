//! Chakra execution traces: a graph of nodes per rank, one file each.
//!
//! **Model.** A computation takes `duration_micros` on its stream: processors of hosts (`is_cpu_op`) are stream 1, devices stream 0. Memory nodes
//! wait as long. Sends and receives take the ranks, sizes and tags of their attributes. A collective is expanded into the sends and receives of
//! an algorithm on the ranks of its group ([`expand`], [`groups`]). A collective node of the host without a kind is the call that launches
//! one, and a computation. Data and control dependencies are alike. In a trace of PyTorch, whose nodes have an `rf_id`, a control dependency
//! names the caller and orders nothing.
//!
//! **Invariant.** An error names rank and node. Memory is bounded by the bytes of the files, unpacked at most [`UNPACKED`] each.
//!
//! **Limits.** Times are whole microseconds, as the format has them; start times are not used. Collectives of some dimensions
//! (`involved_dim`) are refused: the trace does not say how large each is. So are computations that state operations instead of a time.

mod expand;
mod groups;
mod wire;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};

use expand::Collectives;
use groups::Members;
use wire::Node;

/// Bytes of one file, unpacked.
const UNPACKED: u64 = 1 << 28;
/// Femtoseconds of a microsecond.
const MICROSECOND: u64 = 1_000_000_000;
/// First bytes of what gzip has packed.
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// Kinds of nodes.
const METADATA: i32 = 1;
const LOAD: i32 = 2;
const STORE: i32 = 3;
const COMPUTE: i32 = 4;
const SEND: i32 = 5;
const RECEIVE: i32 = 6;
const COLLECTIVE: i32 = 7;

/// The part of a name before the rank, if it is that of a trace: `name.3.et` or `name.3.et.gz`.
fn parts(path: &Path) -> Option<(String, u32)> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".et")?;
    let (prefix, rank) = name.rsplit_once('.')?;
    Some((prefix.to_string(), rank.parse().ok()?))
}

/// True for a trace of a rank, or a folder of them.
pub(crate) fn is_trace(path: &Path) -> bool {
    parts(path).is_some() || path.is_dir()
}

/// The traces of a folder by rank; those of one name, if it is given.
fn files(folder: &Path, prefix: Option<&str>) -> Result<BTreeMap<u32, PathBuf>> {
    let wrong = |value: String, expected: &str| Error::spec("traces", value, expected);
    let entries = folder
        .read_dir()
        .map_err(|error| wrong(folder.display().to_string(), &format!("a folder that can be read ({error})")))?;
    let (mut found, mut names) = (BTreeMap::new(), Vec::<String>::new());
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some((name, rank)) = parts(&path).filter(|(name, _)| prefix.is_none_or(|prefix| prefix == name)) else {
            continue;
        };
        if !names.contains(&name) {
            names.push(name);
        }
        if let Some(other) = found.insert(rank, path.clone()).filter(|_| names.len() == 1) {
            let both = format!("{} and {}", other.display(), path.display());
            return Err(wrong(both, "one file per rank"));
        }
    }
    if names.len() > 1 {
        names.sort_unstable();
        return Err(wrong(
            format!("of {}", names.join(", ")),
            "traces of one name in a folder; or name one of the files",
        ));
    }
    Ok(found)
}

/// Reads the traces of all ranks: a folder, or the file of any rank beside which the others lie.
///
/// # Errors
/// [`Error::Spec`] that names file, rank and node; [`Error::Overflow`] for files that are too large; those of [`Draft`].
pub fn read(path: &Path, control: &Control) -> Result<Explicit> {
    let (folder, found) = match parts(path) {
        Some((prefix, _)) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            (folder, files(folder, Some(&prefix))?)
        }
        None if path.is_dir() => (path, files(path, None)?),
        None => {
            return Err(Error::spec("trace", path.display(), "name.RANK.et, or name.RANK.et.gz, or a folder of such"));
        }
    };
    if found.is_empty() {
        return Err(Error::spec(
            "traces",
            "a folder without any",
            "files of the names name.RANK.et or name.RANK.et.gz",
        ));
    }
    if let Some(missing) = (0..found.len() as u32).find(|rank| !found.contains_key(rank)) {
        let given = format!("{} files, none of them of rank {missing}", found.len());
        return Err(Error::spec("traces", given, "a file for each rank, from 0 on"));
    }
    let mut traces = Vec::with_capacity(found.len());
    for (rank, path) in &found {
        control.check()?;
        traces.push(nodes(*rank, &unpacked(path)?)?);
    }
    let name = found.values().next().and_then(|path| parts(path)).map(|(name, _)| name).unwrap_or_default();
    // JSON that lies beside traces without groups is none of theirs
    let named = |node: &Node| node.is_collective() && node.text("pg_name").is_some_and(|group| !group.is_empty());
    let groups = match traces.iter().flatten().any(named) {
        true => groups::beside(folder, &name, traces.len() as u32)?,
        false => Members::new(),
    };
    compile(&traces, &groups, control)
}

/// The bytes of a file, unpacked if they are packed.
fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let io = |error: std::io::Error| Error::spec("trace", path.display(), format!("a file that can be read ({error})"));
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let packed = std::io::BufRead::fill_buf(&mut file).map_err(io)?.starts_with(&GZIP);
    let mut bytes = vec![];
    let most = UNPACKED + 1;
    let read = match packed {
        true => MultiGzDecoder::new(file).take(most).read_to_end(&mut bytes),
        false => file.take(most).read_to_end(&mut bytes),
    };
    read.map_err(io)?;
    if bytes.len() as u64 > UNPACKED {
        let what = format!("trace {}: unpacked bytes", path.display());
        return Err(Error::Overflow { what, value: format!("more than {UNPACKED}"), limit: UNPACKED.to_string() });
    }
    Ok(bytes)
}

/// The nodes of a rank, by their order in the file.
fn nodes(rank: u32, bytes: &[u8]) -> Result<Vec<Node>> {
    wire::messages(bytes).map_err(|problem| {
        Error::spec(format!("rank {rank}: {}", problem.place), problem.what, "a Chakra trace: metadata, then nodes")
    })
}

fn wrong(rank: u32, node: &Node, what: &str, value: impl ToString, expected: impl Into<String>) -> Error {
    Error::spec(
        format!("rank {rank}, node {} {:?}: {what}", node.id, crate::input::shortened(&node.name)),
        value,
        expected,
    )
}

fn compile(traces: &[Vec<Node>], groups: &Members, control: &Control) -> Result<Explicit> {
    let collectives = Collectives::new(traces, groups)?;
    let mut draft = Draft::new(traces.len() as u64)?;
    for (rank, nodes) in (0u32..).zip(traces) {
        control.check()?;
        draft.rank(rank.into())?;
        // first and last action of each node, by its id
        let mut ends: BTreeMap<u64, (Vec<u32>, u32)> = BTreeMap::new();
        let mut instance = 0;
        for node in nodes {
            let stream = u16::from(node.integer("is_cpu_op") == Some(1));
            let label = crate::input::shortened(&node.name);
            let time = node.duration_micros.saturating_mul(MICROSECOND);
            let ended = match node.kind {
                METADATA | LOAD | STORE | COMPUTE | COLLECTIVE if !node.is_collective() => {
                    let operations = node.integer("num_ops").unwrap_or(0);
                    if node.kind == COMPUTE && time == 0 && operations > 0 {
                        let expected = "duration_micros: how fast a device computes is not known";
                        return Err(wrong(rank, node, "num_ops", operations, expected));
                    }
                    let act = if matches!(node.kind, LOAD | STORE) { Act::Delay } else { Act::Compute };
                    let number = draft.push(Action { act, amount: time, stream, ..Action::default() }, 0, &label)?;
                    (vec![number], number)
                }
                SEND | RECEIVE => {
                    let sends = node.kind == SEND;
                    let number = |name: &str| {
                        node.integer(name).ok_or_else(|| wrong(rank, node, name, "missing", "a whole number"))
                    };
                    let peer = number(if sends { "comm_dst" } else { "comm_src" })?;
                    let ranks = traces.len() as u64;
                    let peer = u32::try_from(peer).ok().filter(|&peer| u64::from(peer) < ranks).ok_or_else(|| {
                        let what = if sends { "comm_dst" } else { "comm_src" };
                        wrong(rank, node, what, peer, format!("a rank: 0 to {}", ranks - 1))
                    })?;
                    let tag = node.integer("comm_tag").unwrap_or(0);
                    let tag = u32::try_from(tag)
                        .ok()
                        .filter(|&tag| tag < expand::TAGS)
                        .ok_or_else(|| wrong(rank, node, "comm_tag", tag, format!("0 to {}", expand::TAGS - 1)))?;
                    let act = if sends { Act::Send } else { Act::Receive };
                    let action = Action { act, peer, amount: number("comm_size")?, stream, ..Action::default() };
                    let number = draft.push(action, tag, &label)?;
                    (vec![number], number)
                }
                COLLECTIVE => {
                    instance += 1;
                    collectives.push(&mut draft, (rank, instance - 1), stream, &label)?
                }
                other => return Err(wrong(rank, node, "type", other, "1 to 7")),
            };
            if ends.insert(node.id, ended).is_some() {
                return Err(wrong(rank, node, "id", node.id, "an id of its own"));
            }
        }
        // in a trace of PyTorch a control dependency names the caller, and its converter puts the order into data dependencies
        let calls = nodes.iter().any(|node| node.has("rf_id"));
        for node in nodes {
            let (firsts, _) = &ends[&node.id];
            let control = if calls { &[] } else { &node.ctrl_deps[..] };
            for before in control.iter().chain(&node.data_deps) {
                let Some((_, last)) = ends.get(before) else {
                    return Err(wrong(rank, node, "dependency on node", before, "a node of this rank"));
                };
                firsts.iter().try_for_each(|&first| draft.after(first.into(), (*last).into(), false))?;
            }
        }
    }
    draft.compile(control)
}
