//! Work that arrives while the same is being done, and is then done together.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::crowd::{Crowd, Trust};
use super::error::{StoreError, chain};
use crate::config::half_the_cores;

/// So many pieces are done together at most.
const MOST: usize = 32;
/// However many cores there are: more bundles at a time would only be smaller.
const MOST_LANES: usize = 4;

/// Whom to tell what comes of a piece. Dropped: it was not done, or nobody knows.
#[derive(Debug)]
pub(crate) struct Teller<O>(oneshot::Sender<(O, oneshot::Receiver<()>)>);

impl<O> Teller<O> {
    /// Says what the answer will be when it is settled. Who asked gets it ready meanwhile.
    pub(crate) fn foretell(self, answer: O) -> Foretold {
        let (settle, settled) = oneshot::channel();
        // Who asked may have gone away.
        let _ = self.0.send((answer, settled));
        Foretold(settle)
    }
}

/// What is done together, each piece with whom to tell.
pub(crate) type Pieces<I, O> = Vec<(I, Teller<O>)>;

/// The first piece of each `key`, and whom to tell of the others.
pub(crate) fn firsts<I, O, K: Eq + Hash>(
    mut pieces: Pieces<I, O>,
    key: impl Fn(&I) -> K,
) -> (Pieces<I, O>, Vec<Teller<O>>) {
    let mut seen = HashSet::new();
    let again = pieces.extract_if(.., |(piece, _)| !seen.insert(key(piece)));
    let others = again.map(|(_, tell)| tell).collect();
    (pieces, others)
}

/// An answer that counts when it is settled. Dropped: nobody knows whether it does.
#[derive(Debug)]
pub(crate) struct Foretold(oneshot::Sender<()>);

impl Foretold {
    /// It counts.
    pub(crate) fn settle(self) {
        let _ = self.0.send(());
    }
}

/// A line of pieces of work, and the lanes that serve it.
#[derive(Debug)]
pub(crate) struct Gathered<I, O> {
    line: Mutex<Line<I, O>>,
    lanes: usize,
    /// If those who are answered come again to this same line.
    crowd: Option<Crowd>,
    turns: AtomicU64,
    done: AtomicU64,
    slower: AtomicU64,
}

/// What has been done so far, since the process began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    /// Bundles.
    pub(crate) turns: u64,
    /// Pieces that were done in them.
    pub(crate) done: u64,
    /// Pieces that were not, or nobody knows.
    pub(crate) slower: u64,
}

#[derive(Debug)]
struct Line<I, O> {
    waiting: VecDeque<(I, Teller<O>)>,
    lanes_open: usize,
}

impl<I, O> Default for Gathered<I, O> {
    /// As many bundles at a time as half the cores, and not more than [`MOST_LANES`].
    fn default() -> Self {
        let waiting = VecDeque::new();
        Self {
            line: Mutex::new(Line {
                waiting,
                lanes_open: 0,
            }),
            lanes: half_the_cores().min(MOST_LANES),
            crowd: None,
            turns: AtomicU64::new(0),
            done: AtomicU64::new(0),
            slower: AtomicU64::new(0),
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> Gathered<I, O> {
    /// The same, of those who come again: after a bundle some milliseconds may pass until they
    /// stand in line.
    pub(crate) fn returning() -> Self {
        Self {
            crowd: Some(Crowd::default()),
            ..Self::default()
        }
    }

    /// Has `piece` done by `work`, together with what waits beside it. What is foretold of it is
    /// made ready by `prepare` while the work goes on, and given when it is settled. `None`: it was
    /// not done, or nobody knows.
    ///
    /// `work` gives a future of its own, the bundle's end (a commit that waits for the disk): the
    /// lane begins its next bundle meanwhile, and one at most is ending behind it.
    ///
    /// It is done in tasks of its own: who asked may go away meanwhile.
    pub(crate) async fn done<W, F, E, T>(
        self: &Arc<Self>,
        piece: I,
        work: W,
        prepare: impl FnOnce(O) -> T,
    ) -> Option<T>
    where
        W: Fn(Pieces<I, O>) -> F + Send + 'static,
        F: Future<Output = Result<E, StoreError>> + Send + 'static,
        E: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        if self.stand_in_line(piece, Teller(tell)) {
            let lane = Lane {
                of: Arc::clone(self),
                is_closed: false,
            };
            tokio::spawn(lane.serve(work));
        }
        let done = settled(told, prepare).await;
        let count = if done.is_some() {
            &self.done
        } else {
            &self.slower
        };
        count.fetch_add(1, Ordering::Relaxed);
        done
    }

    /// What has been done so far.
    pub(crate) fn tally(&self) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            turns: read(&self.turns),
            done: read(&self.done),
            slower: read(&self.slower),
        }
    }

    /// Whether somebody stands in line for the next bundle.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting() > 0
    }

    fn waiting(&self) -> usize {
        let line = self.line.lock().expect("no panic happens under this lock");
        line.waiting.len()
    }

    /// Whether another lane must be opened for it.
    fn stand_in_line(&self, piece: I, tell: Teller<O>) -> bool {
        let mut line = self.line.lock().expect("no panic happens under this lock");
        line.waiting.push_back((piece, tell));
        let is_served = self.crowd.as_ref().is_some_and(|crowd| {
            crowd.joined(line.waiting.len());
            crowd.is_awaited()
        });
        let opens = line.lanes_open < self.lanes && !is_served;
        line.lanes_open += usize::from(opens);
        opens
    }
}

/// What was foretold, made ready and then settled.
async fn settled<O, T>(
    told: oneshot::Receiver<(O, oneshot::Receiver<()>)>,
    prepare: impl FnOnce(O) -> T,
) -> Option<T> {
    let (answer, settled) = told.await.ok()?;
    let prepared = prepare(answer);
    settled.await.ok()?;
    Some(prepared)
}

/// Awaits a bundle's end.
async fn ended(end: impl Future<Output = Result<(), StoreError>>) {
    if let Err(error) = end.await {
        report(&error);
    }
}

/// After an error nothing more is settled: each asks for himself, by the slower way.
fn report(error: &StoreError) {
    let detail = chain(error);
    tracing::warn!(%detail, "what came together was not done together");
}

/// An open lane; it closes when nothing waits, and however else its task ends.
struct Lane<I: Send + 'static, O: Send + 'static> {
    of: Arc<Gathered<I, O>>,
    is_closed: bool,
}

impl<I: Send + 'static, O: Send + 'static> Lane<I, O> {
    async fn serve<W, F, E>(mut self, work: W)
    where
        W: Fn(Pieces<I, O>) -> F,
        F: Future<Output = Result<E, StoreError>>,
        E: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let mut ending: Option<JoinHandle<()>> = None;
        let mut trust = Trust::default();
        while let Some(pieces) = self.next() {
            self.of.turns.fetch_add(1, Ordering::Relaxed);
            let taken = pieces.len();
            let done = work(pieces).await;
            if let Some(ending) = ending.take() {
                // A panic there was that bundle's own.
                let _ = ending.await;
            }
            match done {
                Ok(end) => ending = Some(tokio::spawn(ended(end))),
                Err(error) => report(&error),
            }
            if let Some(crowd) = &self.of.crowd {
                let all = (taken + self.of.waiting()).min(MOST);
                trust.wait(crowd, all, || self.of.waiting()).await;
            }
        }
    }

    fn next(&mut self) -> Option<Pieces<I, O>> {
        let mut line = self
            .of
            .line
            .lock()
            .expect("no panic happens under this lock");
        if line.waiting.is_empty() {
            // Under the same lock: whoever comes next opens a lane of his own.
            line.lanes_open -= 1;
            self.is_closed = true;
            return None;
        }
        let most = line.waiting.len().min(MOST);
        Some(line.waiting.drain(..most).collect())
    }
}

impl<I: Send + 'static, O: Send + 'static> Drop for Lane<I, O> {
    fn drop(&mut self) {
        if !self.is_closed {
            let mut line = self
                .of
                .line
                .lock()
                .expect("no panic happens under this lock");
            line.lanes_open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settles a piece that is to be committed; ends with an error at another.
    fn end(pieces: Pieces<bool, &'static str>) -> Result<(), StoreError> {
        for (commits, tell) in pieces {
            let foretold = tell.foretell("token");
            if !commits {
                return Err(StoreError::Unavailable(sqlx::Error::WorkerCrashed));
            }
            foretold.settle();
        }
        Ok(())
    }

    /// What ends with an error gave nothing, however ready its answer was.
    #[tokio::test]
    async fn an_answer_counts_when_it_is_settled() {
        let gathered = Arc::new(Gathered::<bool, &str>::default());
        let work = |pieces| async { Ok(async { end(pieces) }) };
        let answered = gathered.done(true, work, str::len).await;
        assert_eq!(answered, Some(5));
        let answered = gathered.done(false, work, str::len).await;
        assert_eq!(answered, None);
        let tally = gathered.tally();
        assert_eq!((tally.turns, tally.done, tally.slower), (2, 1, 1));
    }
}
