//! GOAL as text: `num_ranks N`, and for each rank `rank r { ... }`.
//!
//! **Model.** `[label:] send 10b to 1 [tag t] [cpu c] [nic n]`, `recv 10b from 1 ...`, `calc 100 ...`, `a requires b`, `a irequires b`.
//! Statements end where they end; line breaks mean nothing. A label belongs to its rank, and may be used before it stands.
//!
//! **Cost.** One pass; memory for one line and the labels of one rank. **Limits.** Ranks stand in ascending order, each once at most.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::io::{BufRead, Write};

use supernode_core::collective::Schedule;
use supernode_core::control::Control;
use supernode_core::error::Result;
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};

use super::{NANOSECOND, WILDCARD, nanoseconds};
use crate::input::{Words, shortened};

/// Statements between two looks at whether reading was stopped.
const POLL: u32 = 1 << 12;

/// Operations of a rank by label.
type Labels = hashbrown::HashMap<Box<str>, u32, BuildHasherDefault<DefaultHasher>>;

/// Reads a program.
///
/// # Errors
/// [`supernode_core::error::Error::Spec`] that names the line, and those of [`Draft`].
pub fn read(input: impl BufRead, control: &Control) -> Result<Explicit> {
    let mut words = Words::new(input, b"{}:", b";");
    words.expect("num_ranks")?;
    let ranks: u64 = words.number("num_ranks", "")?;
    let mut draft = Draft::new(ranks)?;
    let mut labels = Labels::default();
    while let Some(word) = words.next()? {
        if word != "rank" {
            let word = shortened(word);
            return Err(words.wrong("word", format!("{word:?}"), "\"rank\", or the end of the file"));
        }
        let rank: u64 = words.number("rank", "")?;
        draft.line(words.line());
        draft.rank(rank)?;
        words.expect("{")?;
        rank_of(&mut words, &mut draft, &mut labels, control)?;
    }
    draft.compile(control)
}

/// Reads the statements of a rank and the end of it.
fn rank_of<R: BufRead>(words: &mut Words<R>, draft: &mut Draft, labels: &mut Labels, control: &Control) -> Result<()> {
    labels.clear();
    // dependencies on labels that stand further on: label, label, whether on its beginning, line
    let mut later: Vec<(Box<str>, Box<str>, bool, u32)> = vec![];
    let (mut first, mut second, mut count) = (String::new(), String::new(), 0u32);
    loop {
        if count.is_multiple_of(POLL) {
            control.check()?;
        }
        count += 1;
        let Some(word) = words.next()? else {
            return Err(words.wrong("rank", "the end of the file", "a } at its end"));
        };
        if word == "}" {
            break;
        }
        first.clear();
        first.push_str(word);
        draft.line(words.line());
        if words.take(":")? {
            if labels.insert(first.as_str().into(), draft.at().1).is_some() {
                return Err(words.wrong("label", format!("{:?}", shortened(&first)), "a label of its own"));
            }
            second.clear();
            second.push_str(words.next()?.unwrap_or("the end of the file"));
            operation(words, draft, &second, &first)?;
        } else if matches!(first.as_str(), "send" | "recv" | "calc") {
            operation(words, draft, &first, "")?;
        } else {
            let on_begin = match words.next()? {
                Some("requires") => false,
                Some("irequires") => true,
                found => {
                    let found = found.map_or_else(|| "the end of the file".into(), shortened);
                    let valid = format!(
                        "requires or irequires behind {:?}; or a statement: send, recv, calc",
                        shortened(&first)
                    );
                    return Err(words.wrong("word", format!("{found:?}"), valid));
                }
            };
            second.clear();
            second.push_str(words.next()?.unwrap_or_default());
            match (labels.get(first.as_str()), labels.get(second.as_str())) {
                (Some(&after), Some(&before)) => draft.after(after.into(), before.into(), on_begin)?,
                _ => later.push((first.as_str().into(), second.as_str().into(), on_begin, words.line())),
            }
        }
    }
    for (after, before, on_begin, line) in later {
        draft.line(line);
        let find = |label: &str| {
            labels.get(label).copied().map(u64::from).ok_or_else(|| {
                draft.wrong("label", format!("{:?}", shortened(label)), "a label of an operation of this rank")
            })
        };
        let (after, before) = (find(&after)?, find(&before)?);
        draft.after(after, before, on_begin)?;
    }
    Ok(())
}

fn operation<R: BufRead>(words: &mut Words<R>, draft: &mut Draft, kind: &str, label: &str) -> Result<()> {
    let mut action = Action::default();
    match kind {
        "send" | "recv" => {
            action.act = if kind == "send" { Act::Send } else { Act::Receive };
            action.amount = words.number("size", "b")?;
            words.expect(if kind == "send" { "to" } else { "from" })?;
            if let Some(any @ ("-1" | "*")) = words.peek()? {
                let any = any.to_string();
                return Err(words.wrong(&format!("{kind}: rank"), any, WILDCARD));
            }
            action.peer = words.number("rank", "")?;
        }
        "calc" => {
            let time: u64 = words.number("calc", "")?;
            action.amount = time.saturating_mul(NANOSECOND);
        }
        other => {
            let other = shortened(other);
            return Err(words.wrong("operation", format!("{other:?}"), "send, recv or calc"));
        }
    }
    let mut tag = 0;
    loop {
        match words.peek()? {
            Some("tag") => {
                words.next()?;
                if words.peek()? == Some("-1") {
                    return Err(words.wrong(&format!("{kind}: tag"), "-1", WILDCARD));
                }
                tag = words.number("tag", "")?;
            }
            Some("cpu") => {
                words.next()?;
                action.stream = words.number("cpu", "")?;
            }
            Some("nic") => {
                words.next()?;
                action.nic = words.number("nic", "")?;
            }
            _ => break,
        }
    }
    draft.push(action, tag, label)?;
    Ok(())
}

/// Writes a program.
///
/// # Errors
/// Those of the output.
pub fn write(program: &Explicit, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "num_ranks {}", program.ranks())?;
    for rank in 0..program.ranks() {
        let named = names(program, rank);
        let name = |number: u32| if named { program.label(rank, number).into() } else { format!("l{}", number + 1) };
        writeln!(out, "\nrank {rank} {{")?;
        for (number, action) in (0u32..).zip(program.of(rank)) {
            write!(out, "{}: ", name(number))?;
            match action.act {
                Act::Send => write!(out, "send {}b to {}", action.amount, action.peer)?,
                Act::Receive | Act::Reduce => write!(out, "recv {}b from {}", action.amount, action.peer)?,
                Act::Compute | Act::Delay => write!(out, "calc {}", nanoseconds(action.amount))?,
            }
            let tag = program.tag(rank, number);
            for (what, value) in [("tag", tag), ("cpu", action.stream.into()), ("nic", action.nic.into())] {
                if value > 0 {
                    write!(out, " {what} {value}")?;
                }
            }
            writeln!(out)?;
        }
        for number in 0..program.of(rank).len() as u32 {
            for dependent in program.dependents(rank, number) {
                let word = if dependent.on_begin() { "irequires" } else { "requires" };
                writeln!(out, "{} {word} {}", name(dependent.action()), name(number))?;
            }
        }
        writeln!(out, "}}")?;
    }
    Ok(())
}

/// Whether all operations of a rank have labels that the text can hold, each one of its own.
fn names(program: &Explicit, rank: u32) -> bool {
    if !program.labelled() {
        return false;
    }
    let plain = |label: &&str| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !label.is_empty() && label.chars().all(word) && !matches!(*label, "send" | "recv" | "calc" | "rank")
    };
    let mut labels: Vec<&str> = (0..program.of(rank).len() as u32).map(|n| program.label(rank, n)).collect();
    labels.sort_unstable();
    labels.iter().all(plain) && labels.windows(2).all(|pair| pair[0] != pair[1])
}
