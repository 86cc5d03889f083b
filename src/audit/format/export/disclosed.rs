//! Values that an entry commits to without showing them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};
use serde_json::Value;

use super::{Disclosed, DisclosedLine};

/// Whether a line of salted values is that of the entry before it.
pub(super) fn is_disclosed(index: u64, entry: &[u8], line: &[u8]) -> bool {
    let Ok(line) = serde_json::from_slice::<DisclosedLine>(line) else {
        return false;
    };
    let entry: Value = serde_json::from_slice(entry).unwrap_or_default();
    let fits = |(field, shown): (&String, &Disclosed)| {
        let kept = entry["detail"][field.as_str()]["salted"].as_str();
        kept.is_some() && kept == salted(&shown.salt, &shown.value).as_deref()
    };
    line.disclosed == index && !line.fields.is_empty() && line.fields.iter().all(fits)
}

/// What stands in an entry for a value; none if the salt has not 32 bytes.
fn salted(salt: &str, value: &str) -> Option<String> {
    let salt: [u8; 32] = STANDARD.decode(salt).ok()?.try_into().ok()?;
    let mut context = Context::new(&SHA256);
    context.update(&salt);
    context.update(value.as_bytes());
    Some(STANDARD.encode(context.finish()))
}
