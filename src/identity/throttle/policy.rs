//! Which counters an attempt goes through. Pure.

use time::Duration;

use crate::config;
use crate::ids::AccountId;
use crate::secret::{KeyedDigest, Keys};

/// Attempts on one account from all places where its person is not known, before strangers wait
/// for each other: so many times the limit of one network.
const STRANGERS: u32 = 5;
/// The window of that.
const STRANGERS_WINDOW: Duration = Duration::HOUR;
/// From then on one attempt of a stranger in this time.
const STRANGER_WINDOW: Duration = Duration::MINUTE;

/// Where an attempt comes from.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// The digest of the browser's cookie.
    pub browser: &'a KeyedDigest,
    /// The digest of the network.
    pub network: &'a KeyedDigest,
}

/// Whether the account's person has signed in from there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// With this very browser.
    pub browser: bool,
    /// From this network.
    pub network: bool,
}

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Its key in the table.
    pub bucket: KeyedDigest,
    /// At most so many attempts …
    pub limit: u32,
    /// … in this time.
    pub window: Duration,
    /// What the log calls it.
    pub name: &'static str,
    /// What happens when it is full.
    pub when_full: WhenFull,
    /// Whether only attempts on this account from this place are in it.
    pub is_own: bool,
}

/// What a full counter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The attempt waits until the window ends.
    Wait,
    /// The attempt goes on if the next counter lets it.
    AskNext,
    /// Skipped while the counter before it has room; then [`WhenFull::Wait`].
    OnlyIfAsked,
}

/// The counter of one thing that belongs to an account already: `of` it, as strict as for one
/// account from one network.
pub fn own_pace(keys: &Keys, config: &config::Throttle, name: &'static str, of: &[u8]) -> Pace {
    Pace {
        bucket: keys.digest(name, of, &[]),
        limit: config.account_attempts,
        window: config.account_window,
        name,
        when_full: WhenFull::Wait,
        is_own: true,
    }
}

/// The counters of guesses of an account's second factor, in the order they are asked. They are
/// apart from those of its password, which whoever guesses here can empty by signing in. Beyond
/// the limits of one browser and of one network all places together have one.
pub fn factor_paces(
    keys: &Keys,
    config: &config::Throttle,
    account: AccountId,
    spot: Spot<'_>,
) -> Vec<Pace> {
    let account = account.as_uuid();
    let account = account.as_bytes();
    let own = |name, place: &KeyedDigest| Pace {
        bucket: keys.digest(name, account, &[place.as_bytes()]),
        ..own_pace(keys, config, name, account)
    };
    let shared = |name, limit, window, when_full| Pace {
        bucket: keys.digest(name, account, &[]),
        limit,
        window,
        name,
        when_full,
        is_own: false,
    };
    let all = STRANGERS * config.account_attempts;
    vec![
        own("factor_at_browser", spot.browser),
        own("factor_at_network", spot.network),
        shared("factor_all", all, STRANGERS_WINDOW, WhenFull::AskNext),
        shared("factor_one", 1, STRANGER_WINDOW, WhenFull::OnlyIfAsked),
    ]
}

/// The counters for one attempt on the account of `login_locator`, in the order they are asked.
///
/// From a browser of hers: that browser's own. From elsewhere: the network's, and the account's
/// within the network; where she is not known at all, all strangers' together.
pub fn paces(
    keys: &Keys,
    config: &config::Throttle,
    login_locator: uuid::Uuid,
    spot: Spot<'_>,
    known: Known,
) -> Vec<Pace> {
    let account = login_locator.as_bytes();
    let own = |name, place: &KeyedDigest| Pace {
        bucket: keys.digest(name, account, &[place.as_bytes()]),
        limit: config.account_attempts,
        window: config.account_window,
        name,
        when_full: WhenFull::Wait,
        is_own: true,
    };
    if known.browser {
        return vec![own("account_at_browser", spot.browser)];
    }
    let shared = |name, of: &[u8], limit, window, when_full| Pace {
        bucket: keys.digest(name, of, &[]),
        limit,
        window,
        name,
        when_full,
        is_own: false,
    };
    let (limit, window) = (config.network_attempts, config.network_window);
    let mut paces = vec![
        shared(
            "network",
            spot.network.as_bytes(),
            limit,
            window,
            WhenFull::Wait,
        ),
        own("account_at_network", spot.network),
    ];
    if !known.network {
        let all = STRANGERS * config.account_attempts;
        paces.extend([
            shared(
                "strangers",
                account,
                all,
                STRANGERS_WINDOW,
                WhenFull::AskNext,
            ),
            shared(
                "stranger",
                account,
                1,
                STRANGER_WINDOW,
                WhenFull::OnlyIfAsked,
            ),
        ]);
    }
    paces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::keys::{MasterKey, MasterKeys};
    use crate::secret::DataKey;

    fn names(known: Known) -> Vec<&'static str> {
        let master = MasterKeys::only(MasterKey::from_bytes([1; 32]));
        let keys = Keys::of(
            &DataKey::from_bytes([1; 32]),
            1,
            std::sync::Arc::new(master),
        );
        let digest = keys.digest("browser", b"x", &[]);
        let spot = Spot {
            browser: &digest,
            network: &digest,
        };
        let config = Config::default().throttle;
        let paces = paces(&keys, &config, uuid::Uuid::nil(), spot, known);
        paces.into_iter().map(|pace| pace.name).collect()
    }

    /// LOGIN-06.
    #[test]
    fn a_known_browser_has_a_counter_that_strangers_cannot_fill() {
        let known = Known {
            browser: true,
            network: false,
        };
        assert_eq!(names(known), ["account_at_browser"]);
    }

    /// LOGIN-06.
    #[test]
    fn a_known_network_does_not_wait_for_strangers_elsewhere() {
        let known = Known {
            browser: false,
            network: true,
        };
        assert_eq!(names(known), ["network", "account_at_network"]);
    }

    #[test]
    fn a_stranger_goes_through_all_counters() {
        let known = Known {
            browser: false,
            network: false,
        };
        assert_eq!(
            names(known),
            ["network", "account_at_network", "strangers", "stranger"]
        );
    }
}
