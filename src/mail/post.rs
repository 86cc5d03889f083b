//! How the post stands, as this process last saw it: for operators.

use std::sync::Mutex;

use time::{Duration, OffsetDateTime};

use crate::recovery::model::LIFETIME;

/// Whoever waits for a letter for longer than the link in it is good waits in vain.
pub const LONGEST_WAIT: Duration = LIFETIME;

/// What waits in the outbox, and whether the last way out was open.
#[derive(Debug, Default)]
pub struct Post(Mutex<Seen>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    waiting: i64,
    oldest: Option<OffsetDateTime>,
    is_shut: bool,
}

impl Post {
    fn see(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.lock().expect("no panic happens under this lock"));
    }

    fn seen(&self) -> Seen {
        *self.0.lock().expect("no panic happens under this lock")
    }

    /// So many letters wait, the oldest since then. Where none does, another server may have found
    /// the way open, and nobody misses anything.
    pub(super) fn counted(&self, waiting: i64, oldest: Option<OffsetDateTime>) {
        self.see(|seen| {
            *seen = Seen {
                waiting,
                oldest,
                is_shut: seen.is_shut && waiting > 0,
            };
        });
    }

    /// The relay or the directory took a letter, or takes none.
    pub(super) fn tried(&self, is_open: bool) {
        self.see(|seen| seen.is_shut = !is_open);
    }

    /// How many letters wait, and for how long the oldest has.
    pub fn waiting(&self, now: OffsetDateTime) -> (i64, Duration) {
        let seen = self.seen();
        let age = seen.oldest.map_or(Duration::ZERO, |oldest| now - oldest);
        (seen.waiting, age.max(Duration::ZERO))
    }

    /// Whether letters wait for somebody to look after the way out.
    pub fn stands_still(&self, now: OffsetDateTime) -> bool {
        self.seen().is_shut || self.waiting(now).1 > LONGEST_WAIT
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-03-02 12:00 UTC);

    #[test]
    fn it_stands_still_when_the_oldest_letter_waits_longer_than_its_link_is_good() {
        let post = Post::default();
        post.counted(2, Some(NOON));
        let at_the_edge = NOON + LONGEST_WAIT;
        for (now, expected) in [
            (NOON - Duration::SECOND, false),
            (at_the_edge - Duration::SECOND, false),
            (at_the_edge, false),
            (at_the_edge + Duration::SECOND, true),
        ] {
            assert_eq!(post.stands_still(now), expected, "{now}");
        }
        assert_eq!(post.waiting(NOON - Duration::SECOND), (2, Duration::ZERO));
        post.counted(0, None);
        assert!(!post.stands_still(at_the_edge + Duration::DAY));
    }

    #[test]
    fn it_stands_still_from_what_was_not_taken_to_what_is_taken_or_gone() {
        let post = Post::default();
        for ended in [
            |post: &Post| post.tried(true),
            |post: &Post| post.counted(0, None),
        ] {
            post.tried(false);
            post.counted(1, Some(NOON));
            assert!(post.stands_still(NOON), "counting alone opens no way");
            ended(&post);
            assert!(!post.stands_still(NOON));
        }
    }
}
