//! How often a link may be asked for. Pure.

use time::Duration;
use uuid::Uuid;

use crate::identity::throttle::Pace;
use crate::identity::throttle::policy::WhenFull;
use crate::secret::{KeyedDigest, Keys};

/// Links for one address in [`WINDOW`], whoever asks (DOS-11).
const AN_ADDRESS: u32 = 5;
/// Links that one network may ask for in [`WINDOW`], for whatever addresses.
const A_NETWORK: u32 = 30;
const WINDOW: Duration = Duration::HOUR;

/// The counters of one request, in the order they are asked. An address that is nobody's has the
/// same.
pub(super) fn paces(keys: &Keys, login_locator: Uuid, network: &KeyedDigest) -> Vec<Pace> {
    let pace = |name, of: &[u8], limit| Pace {
        bucket: keys.digest(name, of, &[]),
        limit,
        window: WINDOW,
        name,
        when_full: WhenFull::Wait,
        is_own: false,
    };
    vec![
        pace("recovery_network", network.as_bytes(), A_NETWORK),
        pace("recovery_address", login_locator.as_bytes(), AN_ADDRESS),
    ]
}
