//! Which send belongs to which receive.
//!
//! **Model.** Of one source, destination and tag, the `k`-th send and the `k`-th receive belong together, both counted by the numbers of
//! the actions in their ranks. **Cost.** A sort of what each rank receives; 4 bytes per send besides.
//!
//! **Invariant.** After it, `mate` of each send and receive is the number of the other one in its rank, and both have the same size.

use super::{Act, Explicit};
use crate::collective::Schedule;
use crate::control::Control;
use crate::error::{Error, Result};

/// An end of a message: the rank at the other end, tag, and number of the action in its own rank.
type End = (u32, u32, u32);

pub(super) fn pair(program: &mut Explicit, lines: &[u32], control: &Control) -> Result<()> {
    let ranks = program.ranks();
    // sends by destination: counted, then dealt out
    let mut first = vec![0u32; ranks as usize + 1];
    for action in program.actions.iter().filter(|action| action.act == Act::Send) {
        first[action.peer as usize + 1] += 1;
    }
    for rank in 0..ranks as usize {
        first[rank + 1] += first[rank];
    }
    let mut sends = vec![(0u32, 0u32); first[ranks as usize] as usize];
    let mut next = first.clone();
    for rank in 0..ranks {
        control.check()?;
        for (number, action) in (0u32..).zip(program.of(rank)).filter(|(_, action)| action.act == Act::Send) {
            let at = &mut next[action.peer as usize];
            sends[*at as usize] = (rank, number);
            *at += 1;
        }
    }
    let (mut theirs, mut mine): (Vec<End>, Vec<End>) = (vec![], vec![]);
    for rank in 0..ranks {
        control.check()?;
        let to_here = &sends[first[rank as usize] as usize..first[rank as usize + 1] as usize];
        theirs.clear();
        theirs.extend(to_here.iter().map(|&(source, number)| (source, program.tag(source, number), number)));
        mine.clear();
        let receives = (0u32..).zip(program.of(rank)).filter(|(_, action)| action.act.receives());
        mine.extend(receives.map(|(number, action)| (action.peer, program.tag(rank, number), number)));
        theirs.sort_unstable();
        mine.sort_unstable();
        for i in 0..theirs.len().max(mine.len()) {
            join(program, rank, theirs.get(i), mine.get(i), lines)?;
        }
    }
    Ok(())
}

/// Joins a send to a rank with a receive of it, if they belong together.
fn join(program: &mut Explicit, rank: u32, send: Option<&End>, receive: Option<&End>, lines: &[u32]) -> Result<()> {
    let wrong = |program: &Explicit, (rank, action): (u32, u32), value: String, expected: &str| {
        Err(Error::spec(place(program, lines, rank, action), value, expected))
    };
    let key = |end: Option<&End>| end.map(|&(peer, tag, _)| (peer, tag));
    let (sent, received) = (key(send), key(receive));
    if sent != received {
        // the smaller of the two has no counterpart
        if let Some(&(source, _, number)) = send.filter(|_| received.is_none() || sent < received) {
            let given = format!("no receive on rank {rank} is left for it");
            return wrong(program, (source, number), given, "as many receives as sends of the same ranks and tag");
        }
        if let Some(&(source, _, number)) = receive {
            let given = format!("no send of rank {source} is left for it");
            return wrong(program, (rank, number), given, "as many sends as receives of the same ranks and tag");
        }
    }
    let (Some(&(source, _, send)), Some(&(_, _, receive))) = (send, receive) else {
        return Ok(());
    };
    let bytes = |rank, number| program.get(rank, number).amount;
    if bytes(source, send) != bytes(rank, receive) {
        let given =
            format!("the receive that belongs to it has {} B: {}", bytes(rank, receive), program.name(rank, receive));
        return wrong(program, (source, send), given, "the same size at both ends");
    }
    let (from, to) = (program.range(source).start + send as usize, program.range(rank).start + receive as usize);
    program.actions[from].mate = receive;
    program.actions[to].mate = send;
    Ok(())
}

/// An action in words, with its line.
pub(super) fn place(program: &Explicit, lines: &[u32], rank: u32, action: u32) -> String {
    let line = lines.get(program.range(rank).start + action as usize);
    let line = line.map_or(String::new(), |line| format!("line {line}: "));
    format!("{line}{}", program.name(rank, action))
}
