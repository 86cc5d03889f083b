//! How many may be told at once: in all, and of one client's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::ids::ClientId;

/// Places in one process. A client that takes all of its own leaves the others theirs.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Of those who have one.
    by_client: HashMap<ClientId, usize>,
}

/// One of them; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Taking {
    of: Arc<Places>,
    client: ClientId,
}

impl Places {
    pub(super) fn new(most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_each,
            taken: Mutex::default(),
        })
    }

    /// A place for one of that client's, if there is one.
    pub(super) fn take(self: &Arc<Self>, client: &ClientId) -> Option<Taking> {
        let mut taken = self.taken();
        let own = taken.by_client.get(client).copied().unwrap_or_default();
        if taken.all >= self.most || own >= self.most_each {
            return None;
        }
        taken.all += 1;
        taken.by_client.insert(client.clone(), own + 1);
        Some(Taking {
            of: Arc::clone(self),
            client: client.clone(),
        })
    }

    /// How many are taken.
    pub(super) fn count(&self) -> usize {
        self.taken().all
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().expect("no panic happens under this lock")
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        taken.all -= 1;
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_takes_what_is_anothers_and_all_of_them_no_more_than_there_is() {
        let places = Places::new(5, 2);
        let [one, two, three] = ["one", "two", "three"].map(|name| ClientId::parse(name).unwrap());
        let mut held = Vec::new();
        for (client, is_taken) in [
            (&one, true),
            (&one, true),
            (&one, false),
            (&two, true),
            (&two, true),
            (&two, false),
            (&three, true),
            (&three, false),
        ] {
            let taking = places.take(client);
            assert_eq!(taking.is_some(), is_taken, "{client}");
            held.extend(taking);
        }
        assert_eq!(places.count(), 5);
        held.remove(0);
        assert!(places.take(&two).is_none(), "it is another's");
        assert!(places.take(&one).is_some(), "and free at once, and again");
        assert!(places.take(&three).is_some());
        drop(held);
        assert_eq!(places.count(), 0);
        assert!(places.taken().by_client.is_empty(), "nobody is remembered");
    }
}
