//! The targets by name, for the fuzzer's programs.

mod targets;

/// Gives `data` to the target of that name.
pub fn run(name: &str, data: &[u8]) {
    let found = targets::ALL.iter().find(|(known, _)| *known == name);
    found.expect("a target of that name").1(data);
}
