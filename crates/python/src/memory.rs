//! Memory that a run may take if the caller sets no limit: 80 % of what is free.
//!
//! **Model.** Free is what the kernel calls available, or what the process's control group, or one of those around it,
//! still allows, whichever is least: in a container the machine's own number promises memory that nobody may have. File
//! caches that the kernel would drop count as free in both. **Limits.** Where nothing can be read (no Linux), there is no
//! limit; a file that makes no sense is passed over.

use std::path::{Path, PathBuf};

/// Where control groups are mounted, by version: the unified tree (alone, or beside the old one), and the old one's memory.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const OLD: &str = "/sys/fs/cgroup/memory";

/// Bytes that a run may take: 80 % of what is free.
pub(crate) fn allowed() -> Option<u64> {
    free(&|path| std::fs::read_to_string(path).ok()).map(|bytes| bytes / 5 * 4)
}

/// Bytes that are free, from the texts of the kernel's files.
pub(crate) fn free(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| available(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    machine.into_iter().chain(groups.lines().flat_map(|line| group(line, read))).min()
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
