//! What is free, from samples of the kernel's files. The module stands alone, so it is tested without an interpreter.

#[path = "../src/memory.rs"]
mod memory;

use std::collections::BTreeMap;
use std::path::Path;

const MEMINFO: (&str, &str) =
    ("/proc/meminfo", "MemTotal:       16384 kB\nMemFree:         1024 kB\nMemAvailable:    8192 kB\n");
const MIB: u64 = 1 << 20;

fn free(files: &[(&str, &str)]) -> Option<u64> {
    let files: BTreeMap<&Path, &str> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
    memory::free(&|path| files.get(path).map(|text| (*text).to_string()))
}

#[test]
fn the_machine_alone() {
    assert_eq!(free(&[MEMINFO]), Some(8 * MIB));
    assert_eq!(free(&[]), None);
}

#[test]
fn the_least_of_unified_groups_counts() {
    let group = ("/proc/self/cgroup", "0::/pod/box\n");
    let parent = [("/sys/fs/cgroup/pod/memory.max", "6291456\n"), ("/sys/fs/cgroup/pod/memory.current", "2097152\n")];
    let own = [("/sys/fs/cgroup/pod/box/memory.max", "max\n"), ("/sys/fs/cgroup/pod/box/memory.current", "1048576\n")];
    assert_eq!(free(&[MEMINFO, group, own[0], own[1]]), Some(8 * MIB));
    assert_eq!(free(&[MEMINFO, group, own[0], own[1], parent[0], parent[1]]), Some(4 * MIB));
    // caches that would be dropped are free
    let stat = ("/sys/fs/cgroup/pod/memory.stat", "anon 7\nactive_file 9\ninactive_file 1048576\n");
    assert_eq!(free(&[MEMINFO, group, parent[0], parent[1], stat]), Some(5 * MIB));
    // a container that sees its own group as the root, under the host's name
    let root = [("/sys/fs/cgroup/memory.max", "3145728"), ("/sys/fs/cgroup/memory.current", "1048576")];
    assert_eq!(free(&[MEMINFO, group, root[0], root[1]]), Some(2 * MIB));
    // more in use than the limit
    let full = [("/sys/fs/cgroup/pod/box/memory.max", "5"), ("/sys/fs/cgroup/pod/box/memory.current", "7")];
    assert_eq!(free(&[MEMINFO, group, full[0], full[1]]), Some(0));
}

#[test]
fn old_groups_count_too() {
    let groups = ("/proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n");
    let limit = ("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "4194304\n");
    let usage = ("/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "2097152\n");
    let stat = ("/sys/fs/cgroup/memory/a/b/memory.stat", "inactive_file 9\ntotal_inactive_file 1048576\n");
    let none = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    let root = ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "2097152\n");
    assert_eq!(free(&[MEMINFO, groups, limit, usage, none, root]), Some(2 * MIB));
    assert_eq!(free(&[MEMINFO, groups, limit, usage, stat]), Some(3 * MIB));
    assert_eq!(free(&[MEMINFO, groups, none, root]), Some(8 * MIB));
}

#[test]
fn the_process_has_limits_of_its_own() {
    let limits = |address: &str, data: &str| {
        format!(
            "Limit  Soft Limit  Hard Limit  Units\nMax data size  {data}  unlimited  bytes\nMax address space  {address}  unlimited  bytes\n"
        )
    };
    let status = ("/proc/self/status", "Name:\tx\nVmSize:\t  102400 kB\nVmData:\t  51200 kB\n");
    let with =
        |limits: &str| free(&[("/proc/meminfo", "MemAvailable: 8388608 kB"), ("/proc/self/limits", limits), status]);
    // 1 GiB of address space, of which 100 MiB are in use and 128 MiB are kept back
    assert_eq!(with(&limits("1073741824", "unlimited")), Some((1024 - 100 - 128) * MIB));
    assert_eq!(with(&limits("1073741824", "536870912")), Some((512 - 50 - 128) * MIB));
    assert_eq!(with(&limits("1048576", "unlimited")), Some(0));
    assert_eq!(with(&limits("unlimited", "unlimited")), Some(8192 * MIB));
    assert_eq!(with("Max address space"), Some(8192 * MIB));
    assert!(memory::exhausted().is_none_or(|left| left < memory::LAST));
}

#[test]
fn odd_files_are_passed_over() {
    let group = ("/proc/self/cgroup", "\n:\n::\n0::\n0::/../..//x\nmemory\n1:memory\n7:memory:\n");
    let odd = [
        ("/sys/fs/cgroup/memory.max", "-1"),
        ("/sys/fs/cgroup/x/memory.max", "99999999999999999999999"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", ""),
    ];
    assert_eq!(free(&[MEMINFO, group, odd[0], odd[1], odd[2]]), Some(8 * MIB));
    for text in
        ["", "MemAvailable:", "MemAvailable: 12 MB", "MemAvailable: x kB", "MemAvailable: 99999999999999999999 kB"]
    {
        assert_eq!(free(&[("/proc/meminfo", text)]), None, "{text}");
    }
    assert_eq!(free(&[("/proc/meminfo", "MemAvailable: 18446744073709551615 kB")]), None);
}

#[test]
fn this_machine_has_some() {
    if Path::new("/proc/meminfo").exists() {
        assert!(memory::allowed().is_some());
    }
}
