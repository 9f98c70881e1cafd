//! Long lists in pages.

use super::page_error::PageError;

/// Rows of one page: a register's fits on two printed sheets.
pub(super) const ROWS_MAX: usize = 50;

/// Which part of a list is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// The page, from 1.
    pub(super) page: usize,
    /// How many pages there are; an empty list has one.
    pub(super) pages: usize,
    /// How many rows there are in all.
    pub(super) total: usize,
}

impl Paging {
    /// The page of a list of `total` rows; one behind the end is not there.
    pub(super) fn of(page: usize, total: usize) -> Result<Self, PageError> {
        let pages = total.div_ceil(ROWS_MAX).max(1);
        match (1..=pages).contains(&page) {
            true => Ok(Self { page, pages, total }),
            false => Err(PageError::NotFound),
        }
    }

    /// The rows of the page.
    pub(super) fn rows<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let from = (self.page - 1) * ROWS_MAX;
        let to = (from + ROWS_MAX).min(all.len());
        all.get(from..to).unwrap_or_default()
    }

    /// The page before.
    pub(super) fn previous(&self) -> Option<usize> {
        (self.page > 1).then(|| self.page - 1)
    }

    /// The page after.
    pub(super) fn next(&self) -> Option<usize> {
        (self.page < self.pages).then(|| self.page + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_on_one_page() {
        let all: Vec<usize> = (0..ROWS_MAX * 2 + 1).collect();
        let mut seen = Vec::new();
        for page in 1..=3 {
            let paging = Paging::of(page, all.len()).unwrap();
            assert_eq!(paging.pages, 3);
            seen.extend_from_slice(paging.rows(&all));
        }
        assert_eq!(seen, all);
        let first = Paging::of(1, all.len()).unwrap();
        assert_eq!((first.previous(), first.next()), (None, Some(2)));
        let last = Paging::of(3, all.len()).unwrap();
        assert_eq!((last.previous(), last.next()), (Some(2), None));
    }

    #[test]
    fn a_page_behind_the_end_is_not_there_and_an_empty_list_has_one_page() {
        assert!(Paging::of(2, ROWS_MAX).is_err() && Paging::of(0, 5).is_err());
        assert!(Paging::of(1, 0).unwrap().rows::<u8>(&[]).is_empty());
    }
}
