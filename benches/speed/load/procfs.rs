//! CPU time and memory of a process and its descendants, from /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

/// The kernel's unit in these files (`USER_HZ`), on every architecture of ours.
const TICK: Duration = Duration::from_millis(10);

struct Stat {
    parent: u32,
    /// Its own and its reaped children's.
    ticks: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything but ends with the last parenthesis.
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(Stat {
        parent: number(1)?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
    })
}

/// These processes and all below them.
fn tree(roots: &[u32]) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat(pid)?))) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut all = BTreeSet::new();
    let mut left = roots.to_vec();
    while let Some(pid) = left.pop() {
        if all.insert(pid) {
            left.extend(children.get(&pid).into_iter().flatten());
        }
    }
    all
}

/// The CPU time they have had so far.
pub(crate) fn cpu(roots: &[u32]) -> Duration {
    let ticks: u32 = tree(roots)
        .into_iter()
        .filter_map(stat)
        .map(|s| s.ticks)
        .sum();
    TICK * ticks
}

/// The CPU time of this process.
pub(crate) fn own_cpu() -> Duration {
    stat(std::process::id()).map_or(Duration::ZERO, |stat| TICK * stat.ticks)
}

/// The resident memory of one process, MiB.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u32>().ok());
    f64::from(kib.unwrap_or_default()) / 1024.0
}
