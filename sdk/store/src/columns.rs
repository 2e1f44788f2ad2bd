//! Columns of an answer, whichever connection gave it: the one that writes, or one of those that read.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, ValueRef};

use crate::failure::Failure;

/// A row of an answer.
pub(crate) trait Columns {
    fn is_null(&self, index: usize) -> Result<bool, Failure>;
    fn integer(&self, index: usize) -> Result<i64, Failure>;
    fn text(&self, index: usize) -> Result<&str, Failure>;
}

impl Columns for SqliteRow {
    fn is_null(&self, index: usize) -> Result<bool, Failure> {
        Ok(self.try_get_raw(index)?.is_null())
    }

    fn integer(&self, index: usize) -> Result<i64, Failure> {
        Ok(self.try_get(index)?)
    }

    fn text(&self, index: usize) -> Result<&str, Failure> {
        Ok(self.try_get(index)?)
    }
}

impl Columns for rusqlite::Row<'_> {
    fn is_null(&self, index: usize) -> Result<bool, Failure> {
        Ok(self.get_ref(index)? == rusqlite::types::ValueRef::Null)
    }

    fn integer(&self, index: usize) -> Result<i64, Failure> {
        Ok(self.get_ref(index)?.as_i64().map_err(rusqlite::Error::from)?)
    }

    fn text(&self, index: usize) -> Result<&str, Failure> {
        Ok(self.get_ref(index)?.as_str().map_err(rusqlite::Error::from)?)
    }
}

/// What a column is read as.
pub(crate) trait Column<'r>: Sized {
    fn read(row: &'r impl Columns, index: usize) -> Result<Self, Failure>;
}

impl<'r> Column<'r> for i64 {
    fn read(row: &'r impl Columns, index: usize) -> Result<Self, Failure> {
        row.integer(index)
    }
}

impl<'r> Column<'r> for bool {
    fn read(row: &'r impl Columns, index: usize) -> Result<Self, Failure> {
        Ok(row.integer(index)? != 0)
    }
}

impl<'r> Column<'r> for &'r str {
    fn read(row: &'r impl Columns, index: usize) -> Result<Self, Failure> {
        row.text(index)
    }
}

impl<'r> Column<'r> for String {
    fn read(row: &'r impl Columns, index: usize) -> Result<Self, Failure> {
        Ok(row.text(index)?.to_owned())
    }
}

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
    fn read(row: &'r impl Columns, index: usize) -> Result<Self, Failure> {
        if row.is_null(index)? { Ok(None) } else { T::read(row, index).map(Some) }
    }
}
