//! Work that arrives while the same is being done, and is then done together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::error::{StoreError, chain};
use crate::config::half_the_cores;

/// So many pieces are done together at most.
const MOST: usize = 32;
/// However many cores there are: more bundles at a time would only be smaller.
const MOST_LANES: usize = 4;

type Asked<O> = oneshot::Sender<Option<O>>;

/// A line of pieces of work, and the lanes that serve it.
#[derive(Debug)]
pub(crate) struct Gathered<I, O> {
    line: Mutex<Line<I, O>>,
    lanes: usize,
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
    waiting: VecDeque<(I, Asked<O>)>,
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
            turns: AtomicU64::new(0),
            done: AtomicU64::new(0),
            slower: AtomicU64::new(0),
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> Gathered<I, O> {
    /// Has `piece` done by `work`, together with what waits beside it; `work` gives one answer for
    /// each piece, in their order. `None`: it was not done, or nobody knows.
    ///
    /// The answers come by a future of their own, the bundle's end (a commit that waits for the
    /// disk): the lane begins its next bundle meanwhile, and one at most is ending behind it.
    ///
    /// It is done in tasks of its own: who asked may go away meanwhile.
    pub(crate) async fn done<W, F, E>(self: &Arc<Self>, piece: I, work: W) -> Option<O>
    where
        W: Fn(Vec<I>) -> F + Send + 'static,
        F: Future<Output = Result<E, StoreError>> + Send + 'static,
        E: Future<Output = Result<Vec<Option<O>>, StoreError>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        if self.stand_in_line(piece, tell) {
            let lane = Lane {
                of: Arc::clone(self),
                is_closed: false,
            };
            tokio::spawn(lane.serve(work));
        }
        let told = told.await.ok().flatten();
        let count = if told.is_some() {
            &self.done
        } else {
            &self.slower
        };
        count.fetch_add(1, Ordering::Relaxed);
        told
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
        let line = self.line.lock().expect("no panic happens under this lock");
        !line.waiting.is_empty()
    }

    /// Whether another lane must be opened for it.
    fn stand_in_line(&self, piece: I, tell: Asked<O>) -> bool {
        let mut line = self.line.lock().expect("no panic happens under this lock");
        line.waiting.push_back((piece, tell));
        let opens = line.lanes_open < self.lanes;
        line.lanes_open += usize::from(opens);
        opens
    }
}

/// Tells all what came of theirs. After an error nobody is told: each asks for himself, by the
/// slower way.
fn tell<O>(asked: Vec<Asked<O>>, answers: Result<Vec<Option<O>>, StoreError>) {
    match answers {
        Ok(answers) => {
            for (tell, answer) in asked.into_iter().zip(answers) {
                // Who asked may have gone away.
                let _ = tell.send(answer);
            }
        }
        Err(error) => {
            let detail = chain(&error);
            tracing::warn!(%detail, "what came together was not done together");
        }
    }
}

/// An open lane; it closes when nothing waits, and however else its task ends.
struct Lane<I: Send + 'static, O: Send + 'static> {
    of: Arc<Gathered<I, O>>,
    is_closed: bool,
}

impl<I: Send + 'static, O: Send + 'static> Lane<I, O> {
    async fn serve<W, F, E>(mut self, work: W)
    where
        W: Fn(Vec<I>) -> F,
        F: Future<Output = Result<E, StoreError>>,
        E: Future<Output = Result<Vec<Option<O>>, StoreError>> + Send + 'static,
    {
        let mut ending: Option<JoinHandle<()>> = None;
        while let Some((pieces, asked)) = self.next() {
            self.of.turns.fetch_add(1, Ordering::Relaxed);
            let done = work(pieces).await;
            if let Some(ending) = ending.take() {
                // A panic there was that bundle's own.
                let _ = ending.await;
            }
            match done {
                Ok(end) => ending = Some(tokio::spawn(async { tell(asked, end.await) })),
                Err(error) => tell(asked, Err(error)),
            }
        }
    }

    fn next(&mut self) -> Option<(Vec<I>, Vec<Asked<O>>)> {
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
        Some(line.waiting.drain(..most).unzip())
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
