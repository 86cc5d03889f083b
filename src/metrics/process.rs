//! The process itself, under the names that Prometheus's own client libraries use.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::series::{COUNTER, GAUGE};

/// The kernel's clock ticks a second, as it tells them to programs (`man 2 times`).
const TICKS: f64 = 100.0;

/// Reads `/proc` when it is asked.
#[derive(Debug)]
pub(super) struct Process;

/// What `/proc` says of this process.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    cpu_seconds: f64,
    resident_bytes: u64,
    started_at: f64,
    open_files: u64,
    most_files: u64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(now) = read() else {
            return Ok(());
        };
        let cpu = ConstCounter::new(now.cpu_seconds);
        let seconds = Some(&Unit::Seconds);
        let (name, help) = ("process_cpu", "CPU time, user and system.");
        cpu.encode(encoder.encode_descriptor(name, help, seconds, COUNTER)?)?;
        let gauges = [
            (
                "process_start_time",
                "When the process began, in Unix time.",
                Some(&Unit::Seconds),
                now.started_at,
            ),
            (
                "process_resident_memory",
                "Memory that is in RAM.",
                Some(&Unit::Bytes),
                float(now.resident_bytes),
            ),
            (
                "process_open_fds",
                "Open files.",
                None,
                float(now.open_files),
            ),
            (
                "process_max_fds",
                "Most open files.",
                None,
                float(now.most_files),
            ),
        ];
        for (name, help, unit, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, GAUGE)?)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^53")]
const fn float(n: u64) -> f64 {
    n as f64
}

fn read() -> Option<Reading> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let open_files = fs::read_dir("/proc/self/fd").ok()?.count();
    let (cpu, began) = times(&stat)?;
    let boot_time: f64 = field(&boot, "btime ")?.parse().ok()?;
    let resident: u64 = field(&status, "VmRSS:")?.parse().ok()?;
    Some(Reading {
        cpu_seconds: cpu / TICKS,
        resident_bytes: resident * 1024,
        started_at: boot_time + began / TICKS,
        open_files: u64::try_from(open_files).ok()?,
        most_files: field(&limits, "Max open files")
            .and_then(|n| n.parse().ok())
            .unwrap_or_default(),
    })
}

/// CPU ticks, and ticks from boot to start. The name in the second field may hold anything.
fn times(stat: &str) -> Option<(f64, f64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((number(11)? + number(12)?, number(19)?))
}

/// The first word after the line's beginning.
fn field<'a>(text: &'a str, begins: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(begins))?;
    line.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_can_be_read() {
        let now = read().unwrap();
        assert!(now.resident_bytes > 1 << 20 && now.open_files >= 3);
        assert!(now.started_at > 1.7e9 && now.most_files >= now.open_files);
    }

    #[test]
    fn a_name_with_a_parenthesis_moves_no_field() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 700 300 0 0 20 0 5 0 12345 0";
        assert_eq!(times(&format!("7 (a) b) {rest}")), Some((1000.0, 12345.0)));
    }
}
