//! Pages of what is read from the newest to the oldest.

/// Rows of a page.
const ROWS: usize = 50;
/// What is asked of the database for one: a row more tells whether there is a next page.
pub(crate) const ASKED: i64 = 51;

/// A page, and where the next one begins.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<i64>,
}

impl<T> Page<T> {
    /// Of at most [`ASKED`] rows.
    ///
    /// - `place`: what the next page is before.
    pub(crate) fn of(mut rows: Vec<T>, place: impl Fn(&T) -> i64) -> Self {
        let is_last = rows.len() <= ROWS;
        rows.truncate(ROWS);
        let next = (!is_last).then(|| rows.last().map(place)).flatten();
        Self { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::{ASKED, Page};

    #[test]
    fn a_page_says_where_the_next_one_begins_if_there_is_one() {
        let of = |count: i64| Page::of((0..count).rev().collect(), |&index| index);
        assert_eq!(of(0).next, None);
        let whole = of(ASKED - 1);
        assert_eq!((whole.rows.len(), whole.next), (50, None));
        let more = of(ASKED);
        assert_eq!((more.rows.len(), more.next), (50, Some(1)));
    }
}
