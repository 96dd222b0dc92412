//! Memory that a run may take if the caller sets no limit: 80 % of what is free.
//!
//! **Model.** Free is the least of three numbers. What the kernel calls available. What the process's control group, or one
//! of those around it, still allows: in a container the machine's own number promises memory that nobody may have. What
//! the process's own limits of address space and data (`ulimit -v`, `ulimit -d`) leave, less a [`RESERVE`] for the stacks
//! and heaps of threads. File caches that the kernel would drop count as free in the first two. **Limits.** Where nothing can be read (no Linux), there is no
//! limit; a file that makes no sense is passed over.

use std::path::{Path, PathBuf};

/// Where control groups are mounted, by version: the unified tree (alone, or beside the old one), and the old one's memory.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const OLD: &str = "/sys/fs/cgroup/memory";

/// Bytes of address space that are left for stacks and heaps of threads, and for the interpreter.
const RESERVE: u64 = 128 << 20;
/// A run is stopped where less than this is left of the process's own limits.
pub(crate) const LAST: u64 = 48 << 20;
/// Limits of the process, and what they are held against.
const OWN: [(&str, &str); 2] = [("Max address space", "VmSize:"), ("Max data size", "VmData:")];

/// Bytes that a run may take: 80 % of what is free.
pub(crate) fn allowed() -> Option<u64> {
    free(&|path| std::fs::read_to_string(path).ok()).map(|bytes| bytes / 5 * 4)
}

/// Bytes that are free, from the texts of the kernel's files.
pub(crate) fn free(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| available(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let own = left(read).map(|bytes| bytes.saturating_sub(RESERVE));
    machine.into_iter().chain(groups.lines().flat_map(|line| group(line, read))).chain(own).min()
}

/// Bytes left of the process's own limits, if that is nearly nothing: the next allocation may fail.
pub(crate) fn exhausted() -> Option<u64> {
    left(&|path| std::fs::read_to_string(path).ok()).filter(|&bytes| bytes < LAST)
}

/// Bytes that the process's own limits leave, if it has any.
fn left(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let limits = read(Path::new("/proc/self/limits"))?;
    let most = |name: &str| {
        // the soft limit comes first; "unlimited" is no number
        limits.lines().find_map(|l| l.strip_prefix(name))?.split_whitespace().next()?.parse::<u64>().ok()
    };
    if OWN.iter().all(|(name, _)| most(name).is_none()) {
        return None;
    }
    let status = read(Path::new("/proc/self/status"))?;
    let used = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    OWN.iter().filter_map(|(limit, size)| Some(most(limit)?.saturating_sub(used(size)?))).min()
}

/// `MemAvailable` of `/proc/meminfo`.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What each group from the process's own up to the root allows; a line of `/proc/self/cgroup` is `id:controllers:path`.
fn group(line: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<u64> {
    let mut parts = line.splitn(3, ':');
    let (Some(id), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return vec![];
    };
    let (roots, limit, usage, cache): (&[&str], _, _, _) = if controllers.split(',').any(|c| c == "memory") {
        (&[OLD], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
    } else if id == "0" && controllers.is_empty() {
        (&UNIFIED, "memory.max", "memory.current", "inactive_file ")
    } else {
        return vec![];
    };
    let below = path.trim_start_matches('/');
    let left = |folder: PathBuf| {
        let number = |file| read(&folder.join(file))?.trim().parse::<u64>().ok();
        // "max" is no number: no limit here
        let most: u64 = number(limit)?;
        let stat = read(&folder.join("memory.stat")).unwrap_or_default();
        let droppable = stat.lines().find_map(|l| l.strip_prefix(cache)?.trim().parse::<u64>().ok()).unwrap_or(0);
        Some(most.saturating_sub(number(usage)?.saturating_sub(droppable)))
    };
    // inside a container the path may be the host's, of which only the root can be seen
    let folders = |root: &&str| Path::new(root).join(below).ancestors().map(Path::to_path_buf).collect::<Vec<_>>();
    let inside = |folder: &PathBuf| roots.iter().any(|root| folder.starts_with(root));
    roots.iter().flat_map(folders).filter(inside).filter_map(left).collect()
}
