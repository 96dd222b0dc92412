//! Process groups: which ranks a collective is of.
//!
//! **Model.** `pg_name` of a collective names a group. Its ranks come from the trace or from a file beside it. In the trace, PyTorch's metadata
//! nodes (`process_group:init`) list `pg_name` and `ranks` of each group as JSON; a list without ranks is all of them. Beside the trace,
//! `name.json` or `comm_group.json` maps names to lists of ranks, as ASTRA-sim's communicator groups do. The trace comes first. Without a name,
//! or with the name `0` that nothing describes, a collective is of all ranks.
//!
//! **Invariant.** The members of a group are different ranks, and the rank that names the group is one of them. **Limits.** A name may stand for
//! different groups on different ranks. `involved_dim` that leaves out a dimension is refused: the sizes of dimensions are not in the trace.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;
use supernode_core::error::{Error, Result};

use super::wire::Node;
use super::{METADATA, wrong};
use crate::input::shortened;

/// Bytes of a file of groups.
const LARGEST: u64 = 1 << 26;

/// Members of groups by their names.
pub(super) type Members = BTreeMap<String, Rc<Vec<u32>>>;

/// A group as PyTorch's metadata has it.
#[derive(Deserialize)]
struct Described {
    pg_name: String,
    ranks: Vec<u32>,
}

/// Reads the file of groups beside traces of this name, if there is one.
///
/// # Errors
/// [`Error::Spec`] that names the file and the group.
pub(super) fn beside(folder: &Path, name: &str, ranks: u32) -> Result<Members> {
    let paths = [folder.join(format!("{name}.json")), folder.join("comm_group.json")];
    let Some(path) = paths.iter().find(|path| path.is_file()) else { return Ok(Members::new()) };
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let problem = |what: String| Error::spec(&file, what, "a JSON object of groups: {\"1\": [0, 1]}");
    let size = path.metadata().map_err(|error| problem(error.to_string()))?.len();
    if size > LARGEST {
        return Err(Error::Overflow { what: file, value: format!("{size} bytes"), limit: LARGEST.to_string() });
    }
    let text = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    let lists: BTreeMap<String, Vec<u32>> =
        serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
    lists.into_iter().map(|(name, list)| members(&file, &name, list, ranks).map(|list| (name, list))).collect()
}

/// The groups that the metadata of a trace describes.
///
/// # Errors
/// [`Error::Spec`] that names the node and the group.
pub(super) fn described(rank: u32, nodes: &[Node], ranks: u32) -> Result<Members> {
    let mut found = Members::new();
    for node in nodes.iter().filter(|node| node.kind == METADATA && node.name.contains("process_group:init")) {
        // the text is a list of one text: ['[{...}]']
        let text = node.inputs().trim().trim_start_matches(['[', '\'', '"']).trim_end_matches([']', '\'', '"']);
        let text = format!("[{text}]").replace("\\\"", "\"");
        let all: Vec<Described> = serde_json::from_str(&text).map_err(|error| {
            wrong(rank, node, "inputs", error, "the process groups as a JSON list of pg_name and ranks")
        })?;
        let place = format!("rank {rank}, node {} {:?}", node.id, shortened(&node.name));
        for Described { pg_name, ranks: list } in all {
            let list = if list.is_empty() { (0..ranks).collect() } else { list };
            let list = members(&place, &pg_name, list, ranks)?;
            found.insert(pg_name, list);
        }
    }
    Ok(found)
}

fn members(place: &str, name: &str, list: Vec<u32>, ranks: u32) -> Result<Rc<Vec<u32>>> {
    let field = format!("{place}: group {:?}", shortened(name));
    let mut sorted = list.clone();
    sorted.sort_unstable();
    if let Some(stray) = sorted.iter().find(|&&rank| rank >= ranks) {
        return Err(Error::spec(field, stray, format!("ranks from 0 to {}", ranks - 1)));
    }
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::spec(field, format!("{} twice", twice[0]), "each rank once"));
    }
    match list.is_empty() {
        true => Err(Error::spec(field, "no rank", "at least one")),
        false => Ok(Rc::new(list)),
    }
}

/// The members of the group of a collective of a rank.
///
/// # Errors
/// [`Error::Spec`] for a group that nothing describes, one without the rank, or dimensions that are left out.
pub(super) fn of(rank: u32, node: &Node, groups: &[&Members], all: &Rc<Vec<u32>>) -> Result<Rc<Vec<u32>>> {
    if let Some(dimensions) = node.truths("involved_dim")
        && (dimensions.is_empty() || dimensions.contains(&false))
    {
        let given = format!("{dimensions:?}");
        return Err(wrong(rank, node, "involved_dim", given, "all of them: the trace does not say how large each is"));
    }
    let name = node.text("pg_name").unwrap_or_default();
    match groups.iter().find_map(|groups| groups.get(name)) {
        Some(members) if members.contains(&rank) => Ok(members.clone()),
        Some(_) => Err(wrong(rank, node, "pg_name", shortened(name), "a group that the rank is in")),
        None if name.is_empty() || name == "0" => Ok(all.clone()),
        None => {
            let expected =
                "a group that the trace describes (process_group:init), or name.json or comm_group.json beside it";
            Err(wrong(rank, node, "pg_name", shortened(name), expected))
        }
    }
}
