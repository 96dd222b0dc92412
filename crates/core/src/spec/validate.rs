//! Range checks: the one place where a specification is looked at with suspicion.
//!
//! **Invariant.** A [`RunSpec`] that passes has every field in range and every sum that the simulation forms from it within
//! its integer; nothing behind this module checks again. Whether the numbers of a network *fit together* (a radix, a span)
//! is decided by [`crate::fabric::Fabric::new`], whether an algorithm fits the ranks by
//! [`crate::collective::build`].
//!
//! **Cost.** O(networks + protocols), plus a sort of the placement if one is given.
//!
//! **Limits.** The last network may span fewer accelerators than the machine has: what is unreachable is an error only
//! for a collective that needs it.

use super::{
    Collective, DeviceSpec, LibrarySpec, MAX_LANES, MAX_THREADS, NetworkSpec, ProtocolSpec, RunSpec, StackSpec,
    SystemSpec,
};
use crate::error::{Error, Result};
use crate::units::Fs;

/// One second: no single latency may reach it.
const SECOND: Fs = 1_000_000_000_000_000;
/// Largest packet on the wire, so that sizes fit 16 bits.
const MAX_PACKET: u64 = 65_535;
/// Largest chunk of a pipeline.
const MAX_CHUNK: u64 = 1 << 40;

/// Checks every field of a specification.
///
/// # Errors
/// [`Error::Spec`] with the dotted path of the field, its value and what would be valid; [`Error::Overflow`] for
/// quantities that are valid one by one but whose product does not fit.
pub fn validate(spec: &RunSpec) -> Result<()> {
    validate_system(&spec.system)?;
    if spec.bytes == 0 && spec.collective != Collective::Barrier {
        return Err(Error::spec("bytes", 0, "at least 1 (only a barrier has no data)"));
    }
    within("element_bytes", spec.element_bytes.into(), 1, 16)?;
    let ranks = spec.ranks.unwrap_or(spec.system.accelerators);
    within("ranks", ranks.into(), 1, spec.system.accelerators.into())?;
    placement(spec, ranks)?;
    if spec.root >= ranks {
        return Err(Error::spec("root", spec.root, format!("a rank: 0 to {}", ranks - 1)));
    }
    if let Some(lanes) = spec.lanes {
        within("lanes", lanes.into(), 1, MAX_LANES.into())?;
    }
    for &size in spec.levels.iter().flatten() {
        within("levels", size.into(), 1, u32::MAX.into())?;
    }
    if let Some(chunks) = spec.chunks {
        within("chunks", chunks.into(), 1, MAX_LANES.into())?;
    }
    validate_stack(&spec.stack, &spec.system)?;
    options(spec.threads, spec.time_limit_fs, spec.memory_limit)?;
    traffic(spec, ranks)
}

/// Checks what a run of many operations has in common with one of one collective.
pub(super) fn ranges(
    system: &SystemSpec,
    stack: &StackSpec,
    threads: u32,
    time_limit: Option<Fs>,
    memory_limit: Option<u64>,
) -> Result<()> {
    validate_system(system)?;
    validate_stack(stack, system)?;
    options(threads, time_limit, memory_limit)
}

fn options(threads: u32, time_limit: Option<Fs>, memory_limit: Option<u64>) -> Result<()> {
    within("threads", threads.into(), 0, MAX_THREADS.into())?;
    if time_limit == Some(0) {
        return Err(Error::spec("time_limit_fs", 0, "at least 1, or none"));
    }
    if memory_limit == Some(0) {
        return Err(Error::spec("memory_limit", 0, "at least 1 byte, or none"));
    }
    Ok(())
}

/// Checks a machine alone.
///
/// # Errors
/// As [`validate`].
pub fn validate_system(system: &SystemSpec) -> Result<()> {
    if system.accelerators == 0 || system.accelerators >= 1 << 31 {
        return Err(Error::spec("system.accelerators", system.accelerators, "1 to 2147483647"));
    }
    device(&system.device)?;
    if system.networks.is_empty() {
        return Err(Error::spec("system.networks", "[]", "at least one network"));
    }
    for (i, net) in system.networks.iter().enumerate() {
        network(&format!("system.networks[{i}]"), net, system.accelerators)?;
        if system.networks[..i].iter().any(|other| other.name == net.name) {
            return Err(Error::spec(
                format!("system.networks[{i}].name"),
                format!("{:?}", net.name),
                "a name of its own",
            ));
        }
    }
    Ok(())
}

fn device(device: &DeviceSpec) -> Result<()> {
    let rates = [("hbm_rate", device.hbm_rate), ("copy_rate", device.copy_rate), ("reduce_rate", device.reduce_rate)];
    for (name, rate) in rates {
        if rate.is_some_and(|r| r.0 == 0) {
            return Err(Error::spec(format!("system.device.{name}"), 0, "more than 0 bit/s, or none for no limit"));
        }
    }
    Ok(())
}

fn network(path: &str, net: &NetworkSpec, accelerators: u32) -> Result<()> {
    let at = |field: &str| format!("{path}.{field}");
    if net.name.trim().is_empty() {
        return Err(Error::spec(at("name"), format!("{:?}", net.name), "a name"));
    }
    within(&at("span"), net.span.into(), 1, accelerators.into())?;
    within(&at("payload"), net.payload.into(), 1, MAX_PACKET)?;
    let packet = u64::from(net.payload) + u64::from(net.overhead);
    if packet > MAX_PACKET {
        return Err(Error::spec(at("overhead"), net.overhead, format!("payload + overhead at most {MAX_PACKET}")));
    }
    if net.buffer.is_some_and(|b| b < packet) {
        let least = format!("at least a full packet ({packet} bytes), or none for unlimited queues");
        return Err(Error::spec(at("buffer"), net.buffer.unwrap_or(0), least));
    }
    for (i, link) in net.links.iter().enumerate() {
        if link.rate.0 == 0 {
            return Err(Error::spec(at(&format!("links[{i}].rate")), 0, "more than 0 bit/s"));
        }
        // A link's latency is the engine's time window: zero would leave it no time to look ahead.
        within(&at(&format!("links[{i}].latency_fs")), link.latency_fs, 1, SECOND - 1)?;
    }
    for (i, switch) in net.switches.iter().enumerate() {
        within(&at(&format!("switches[{i}].latency_fs")), switch.latency_fs, 0, SECOND - 1)?;
    }
    within(&at("transport.latency_fs"), net.transport.latency_fs, 0, SECOND - 1)?;
    within(&at("transport.per_message_fs"), net.transport.per_message_fs, 0, SECOND - 1)?;
    Ok(())
}

fn validate_stack(stack: &StackSpec, system: &SystemSpec) -> Result<()> {
    if stack.protocols.is_empty() {
        return Err(Error::spec("stack.protocols", "[]", "at least one protocol"));
    }
    for (i, p) in stack.protocols.iter().enumerate() {
        let path = format!("stack.protocols[{i}]");
        if p.name.is_empty() || p.name == "auto" || stack.protocols[..i].iter().any(|other| other.name == p.name) {
            return Err(Error::spec(
                format!("{path}.name"),
                format!("{:?}", p.name),
                "a name of its own, not \"auto\"",
            ));
        }
        protocol(&path, p, system)?;
    }
    if stack.protocol != "auto" && stack.protocols.iter().all(|p| p.name != stack.protocol) {
        let names: Vec<_> = stack.protocols.iter().map(|p| p.name.as_str()).collect();
        let expected = format!("auto or one of {}", names.join(", "));
        return Err(Error::spec("stack.protocol", format!("{:?}", stack.protocol), expected));
    }
    stack.library.as_deref().map_or(Ok(()), |library| validate_library(library, stack, system))
}

fn validate_library(library: &LibrarySpec, stack: &StackSpec, system: &SystemSpec) -> Result<()> {
    within("stack.library.inside", library.inside.into(), 0, system.networks.len() as u64)?;
    let rules = &library.rules;
    let sends = rules.sends.iter().flat_map(|sends| [&sends.short, &sends.long]);
    let ranked = rules.ring.protocols.iter().chain(&rules.tree.protocols).chain([&rules.nvls.protocol]);
    match ranked.chain(sends).find(|name| stack.protocols.iter().all(|p| p.name != **name)) {
        Some(stray) => {
            let names: Vec<_> = stack.protocols.iter().map(|p| p.name.as_str()).collect();
            Err(Error::spec("stack.library", format!("protocol {stray:?}"), format!("one of {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

fn protocol(path: &str, p: &ProtocolSpec, system: &SystemSpec) -> Result<()> {
    let at = |field: &str| format!("{path}.{field}");
    within(&at("launch_fs"), p.launch_fs, 0, SECOND - 1)?;
    if p.step_fs.len() != system.networks.len() {
        let expected = format!("one entry for each of the {} networks", system.networks.len());
        return Err(Error::spec(at("step_fs"), format!("{:?}", p.step_fs), expected));
    }
    for (i, &step) in p.step_fs.iter().enumerate() {
        within(&at(&format!("step_fs[{i}]")), step, 0, SECOND - 1)?;
    }
    if !p.hop_fs.is_empty() && p.hop_fs.len() != system.networks.len() {
        let expected = format!("no entry, or one for each of the {} networks", system.networks.len());
        return Err(Error::spec(at("hop_fs"), format!("{:?}", p.hop_fs), expected));
    }
    for (i, &hop) in p.hop_fs.iter().enumerate() {
        within(&at(&format!("hop_fs[{i}]")), hop, 0, SECOND - 1)?;
    }
    if let Some(chunk) = p.chunk {
        within(&at("chunk"), chunk, 1, MAX_CHUNK)?;
    }
    if let Some(channels) = p.channels {
        within(&at("channels"), channels.into(), 1, 1 << 16)?;
    }
    if let Some(pipeline) = &p.pipeline {
        let at = |field: &str| at(&format!("pipeline.{field}"));
        within(&at("channels"), pipeline.channels.into(), 1, 1 << 16)?;
        within(&at("heads"), pipeline.heads.into(), 1, u32::MAX.into())?;
        within(&at("stages"), pipeline.stages.into(), 1, 1 << 10)?;
        within(&at("chunk"), pipeline.chunk, 1, MAX_CHUNK)?;
        within(&at("stage_fs"), pipeline.stage_fs, 0, SECOND - 1)?;
        within(&at("message_fs"), pipeline.message_fs, 0, SECOND - 1)?;
        within(&at("lone[0]"), pipeline.lone[0].into(), 1, u32::MAX.into())?;
        within(&at("lone[1]"), pipeline.lone[1].into(), 1, u32::MAX.into())?;
        for (i, rung) in pipeline.shrink.iter().enumerate() {
            within(&at(&format!("shrink[{i}].chunk")), rung.chunk, 1, MAX_CHUNK)?;
        }
    }
    if p.wire_den == 0 || p.wire_num < p.wire_den {
        let given = format!("{}/{}", p.wire_num, p.wire_den);
        return Err(Error::spec(at("wire_num / wire_den"), given, "a ratio of at least 1 with a positive denominator"));
    }
    if !p.wires.is_empty() && p.wires.len() != system.networks.len() {
        let expected = format!("no entry, or one for each of {} networks", system.networks.len());
        return Err(Error::spec(at("wires"), format!("{:?}", p.wires), expected));
    }
    if let Some((num, den)) = p.wires.iter().find(|(num, den)| *den == 0 || num < den) {
        let expected = "ratios of at least 1 with positive denominators";
        return Err(Error::spec(at("wires"), format!("{num}/{den}"), expected));
    }
    for (i, net) in system.networks.iter().enumerate() {
        let (num, den) = p.wire(i);
        let wire = (u64::from(net.payload) * u64::from(num)).div_ceil(den.into()) + u64::from(net.overhead);
        if wire > MAX_PACKET {
            let expected = format!("at most {MAX_PACKET} bytes of a full packet of system.networks[{i}] on the wire");
            let field = if p.wires.is_empty() { "wire_num / wire_den" } else { "wires" };
            return Err(Error::spec(at(field), format!("{num}/{den}: {wire} bytes"), expected));
        }
        // The buffer must hold a packet as this protocol makes it.
        if net.buffer.is_some_and(|b| b < wire) {
            let least = format!("at least a full packet of protocol {} ({wire} bytes)", p.name);
            return Err(Error::spec(format!("system.networks[{i}].buffer"), net.buffer.unwrap_or(0), least));
        }
    }
    Ok(())
}

fn placement(spec: &RunSpec, ranks: u32) -> Result<()> {
    let Some(placement) = &spec.placement else {
        return Ok(());
    };
    if placement.len() as u64 != u64::from(ranks) {
        let given = format!("{} entries", placement.len());
        return Err(Error::spec("placement", given, format!("one accelerator for each of the {ranks} ranks")));
    }
    if let Some(rank) = placement.iter().position(|&a| a >= spec.system.accelerators) {
        let valid = format!("an accelerator: 0 to {}", spec.system.accelerators - 1);
        return Err(Error::spec(format!("placement[{rank}]"), placement[rank], valid));
    }
    let mut sorted = placement.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::spec("placement", pair[0], "every accelerator at most once")),
        None => Ok(()),
    }
}

/// Bytes that all ranks together may move must fit 63 bits, with room for reads, writes and protocol expansion.
fn traffic(spec: &RunSpec, ranks: u32) -> Result<()> {
    let total = u128::from(spec.bytes) * u128::from(ranks) * 8;
    if total > i64::MAX as u128 {
        return Err(Error::Overflow {
            what: "bytes of a collective over all ranks".into(),
            value: format!("8 x {} bytes x {ranks} ranks", spec.bytes),
            limit: i64::MAX.to_string(),
        });
    }
    Ok(())
}

pub(super) fn within(field: &str, value: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(Error::spec(field, value, format!("{least} to {most}"))) }
}

#[cfg(test)]
mod tests;
