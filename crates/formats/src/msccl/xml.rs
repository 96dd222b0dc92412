//! The XML of MSCCL: `algo`, `gpu`, `tb` and `step` or, in the newer form, `op`.
//!
//! **Model.** Steps of the older form have `srcbuf`, `srcoff`, `dstbuf` and `dstoff`; those of the newer one `buf` and `off`, or the former
//! with an underscore. The newer form leaves out a `cnt` of 1, dependencies that there are not, and `nchunksperloop`: it is the largest
//! number of chunks of an input or output. **Invariant.** Nothing is allocated that an element does not stand for. **Limits.** Document
//! types are refused, other elements too. So are local copies and reductions that name one place only, as the newer form has them.

use std::io::BufRead;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::MAX_RANKS;

use super::{Algorithm, Block, Buffer, Gpu, KINDS, Step};
use crate::input::shortened;

/// Counts the lines that were read.
struct Lines<R> {
    input: R,
    line: u32,
}

impl<R: BufRead> std::io::Read for Lines<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(into)?;
        self.line += into[..count].iter().filter(|&&byte| byte == b'\n').count() as u32;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Lines<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if let Ok(bytes) = self.input.fill_buf() {
            self.line += bytes[..count.min(bytes.len())].iter().filter(|&&byte| byte == b'\n').count() as u32;
        }
        self.input.consume(count);
    }
}

/// An element's attributes.
struct Element {
    line: u32,
    name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    fn new(start: &BytesStart, line: u32) -> Result<Self> {
        let name = start.name().as_ref().to_string();
        let mut attributes = vec![];
        for attribute in start.attributes() {
            let attribute = attribute
                .map_err(|error| Error::spec(format!("line {line}: {name}"), error, "attributes as name=\"value\""))?;
            attributes.push((attribute.key.as_ref().to_string(), attribute.value.into_owned()));
        }
        Ok(Self { line, name, attributes })
    }

    fn wrong(&self, what: &str, value: impl ToString, expected: impl Into<String>) -> Error {
        Error::spec(format!("line {}: {}: {what}", self.line, self.name), value, expected)
    }

    /// The first of these attributes that there is.
    fn text(&self, names: &[&str]) -> Result<&str> {
        let found = names.iter().find_map(|name| self.attributes.iter().find(|(known, _)| known == name));
        found.map(|(_, value)| value.as_str()).ok_or_else(|| self.wrong(names[0], "missing", "an attribute of it"))
    }

    fn number<T: std::str::FromStr>(&self, names: &[&str]) -> Result<T> {
        let text = self.text(names)?;
        let valid = || self.wrong(names[0], format!("{:?}", shortened(text)), "a whole number");
        text.trim().parse().map_err(|_| valid())
    }

    /// A number that may be left out.
    fn number_or<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T> {
        if self.text(&[name]).is_err() {
            return Ok(default);
        }
        self.number(&[name])
    }

    /// A number, or -1 for none.
    fn peer(&self, name: &str) -> Result<Option<u32>> {
        match self.number::<i64>(&[name])? {
            -1 => Ok(None),
            number => u32::try_from(number).map(Some).map_err(|_| self.wrong(name, number, "a gpu, or -1")),
        }
    }

    fn buffer(&self, names: &[&str], offsets: &[&str]) -> Result<(Buffer, u32)> {
        let buffer = match self.text(names)? {
            "i" | "input" => Buffer::Input,
            "o" | "output" => Buffer::Output,
            "s" | "scratch" => Buffer::Scratch,
            other => return Err(self.wrong(names[0], format!("{:?}", shortened(other)), "i, o or s")),
        };
        // steps without a place have -1
        let offset: i64 = self.number(offsets)?;
        let offset = u32::try_from(offset.max(0)).map_err(|_| self.wrong(offsets[0], offset, "fewer chunks"))?;
        Ok((buffer, offset))
    }
}

pub(super) fn read(input: impl BufRead, control: &Control) -> Result<Algorithm> {
    let mut reader = Reader::from_reader(Lines { input, line: 1 });
    let (mut bytes, mut algorithm, mut ranks) = (vec![], None::<Algorithm>, 0u32);
    loop {
        control.check()?;
        bytes.clear();
        let line = reader.get_ref().line;
        let event = reader.read_event_into(&mut bytes);
        let event = event.map_err(|error| Error::spec(format!("line {line}"), error, "XML that is well-formed"))?;
        let start = match &event {
            Event::Start(start) | Event::Empty(start) => start,
            Event::DocType(_) => {
                return Err(Error::spec(format!("line {line}"), "a document type", "XML without document types"));
            }
            Event::Eof => break,
            _ => continue,
        };
        let element = Element::new(start, line)?;
        match (element.name.as_str(), &mut algorithm) {
            ("algo", None) => {
                ranks = element.number(&["ngpus"])?;
                if !(1..=MAX_RANKS).contains(&ranks) {
                    return Err(element.wrong("ngpus", ranks, format!("1 to {MAX_RANKS}")));
                }
                let chunks = element.number_or("nchunksperloop", u32::MAX)?;
                if chunks == 0 {
                    return Err(element.wrong("nchunksperloop", 0, "at least 1"));
                }
                algorithm = Some(Algorithm {
                    name: shortened(element.text(&["name"]).unwrap_or("algo")),
                    collective: element.text(&["coll"])?.to_ascii_lowercase().replace(['_', '-'], ""),
                    chunks,
                    in_place: element.text(&["inplace"]).is_ok_and(|text| text.trim() == "1"),
                    gpus: vec![],
                });
            }
            ("gpu", Some(algorithm)) => algorithm.gpus.push(gpu(&element)?),
            ("tb", Some(Algorithm { gpus, .. })) if !gpus.is_empty() => {
                if let Some(gpu) = gpus.last_mut() {
                    gpu.blocks.push(block(&element)?);
                }
            }
            ("step" | "op", Some(Algorithm { gpus, .. })) => {
                let Some(block) = gpus.last_mut().and_then(|gpu| gpu.blocks.last_mut()) else {
                    return Err(element.wrong("place", "outside of a tb", "inside of one"));
                };
                let step = step(&element, block.steps.len() as u32)?;
                block.steps.push(step);
            }
            (name, _) => {
                let expected = "algo, and in it gpu, tb and step or op";
                return Err(Error::spec(format!("line {line}: element"), format!("{:?}", shortened(name)), expected));
            }
        }
    }
    let mut algorithm = algorithm.ok_or_else(|| Error::spec("file", "no algo", "an element algo"))?;
    algorithm.gpus.sort_by_key(|gpu| gpu.id);
    for (number, gpu) in (0u32..).zip(&mut algorithm.gpus) {
        if gpu.id != number {
            return Err(Error::spec("gpu ids", gpu.id, format!("each of 0 to {} once", ranks - 1)));
        }
        gpu.blocks.sort_by_key(|block| block.id);
        if let Some(twice) = gpu.blocks.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Error::spec(format!("gpu {number}: tb id"), twice[0].id, "an id of its own"));
        }
    }
    if algorithm.chunks == u32::MAX {
        let largest = algorithm.gpus.iter().flat_map(|gpu| &gpu.chunks[..2]).max();
        algorithm.chunks = largest.copied().unwrap_or(0).max(1);
    }
    match algorithm.gpus.len() {
        count if count == ranks as usize => Ok(algorithm),
        count => Err(Error::spec("ngpus", ranks, format!("{count}, the gpus that there are"))),
    }
}

fn gpu(element: &Element) -> Result<Gpu> {
    let chunks = [element.number(&["i_chunks"])?, element.number(&["o_chunks"])?, element.number(&["s_chunks"])?];
    Ok(Gpu { id: element.number(&["id"])?, chunks, blocks: vec![] })
}

fn block(element: &Element) -> Result<Block> {
    let (send, receive) = (element.peer("send")?, element.peer("recv")?);
    Ok(Block { id: element.number(&["id"])?, send, receive, channel: element.number(&["chan"])?, steps: vec![] })
}

fn step(element: &Element, number: u32) -> Result<Step> {
    let given: u32 = element.number(&["s", "step"])?;
    if given != number {
        return Err(element.wrong("number", given, format!("{number}: steps are numbered from 0, in order")));
    }
    let name = element.text(&["type"])?;
    let Some(&kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        return Err(element.wrong("type", format!("{:?}", shortened(name)), format!("one of {}", names.join(", "))));
    };
    let (depid, deps): (i64, i64) = (element.number_or("depid", -1)?, element.number_or("deps", -1)?);
    let after = match (u32::try_from(depid), u32::try_from(deps)) {
        (Ok(depid), Ok(deps)) => Some((depid, deps)),
        _ if depid == -1 => None,
        _ => {
            return Err(element.wrong(
                "depid, deps",
                format!("{depid}, {deps}"),
                "a threadblock and a step, or -1, -1",
            ));
        }
    };
    let (source, target, count) = if kind.name == "nop" {
        ((Buffer::Input, 0), (Buffer::Input, 0), 0)
    } else {
        // a local step has two places; one that receives or sends has one here, and the other on another rank
        let names = if kind.receives || kind.sends { 3 } else { 2 };
        (
            element.buffer(&["srcbuf", "src_buf", "buf"][..names], &["srcoff", "src_off", "off"][..names])?,
            element.buffer(&["dstbuf", "dst_buf", "buf"], &["dstoff", "dst_off", "off"])?,
            element.number_or("cnt", 1)?,
        )
    };
    Ok(Step { line: element.line, kind, source, target, count, after })
}
