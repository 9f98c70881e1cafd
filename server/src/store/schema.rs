//! Migrations of the schema, compiled in.
//!
//! A list by hand in place of `sqlx::migrate!`: that macro builds the database a second time, for
//! the compiler.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Why the schema can't be brought up to date.
pub(super) type MigrateError = sqlx::migrate::MigrateError;

/// The text of a migration's file beside the crate.
macro_rules! migration {
    ($number:literal, $name:literal) => {
        (
            $number,
            $name,
            include_str!(concat!(
                "../../../migrations/sqlite/000",
                $number,
                "_",
                $name,
                ".sql"
            )),
        )
    };
}

/// Number, name and text of each migration, in order.
const MIGRATIONS: [(i64, &str, &str); 7] = [
    migration!(1, "first"),
    migration!(2, "figures"),
    migration!(3, "contact"),
    migration!(6, "links"),
    migration!(7, "restores"),
    migration!(8, "control"),
    migration!(9, "erasure"),
];

/// All migrations, as sqlx runs them.
pub(super) fn migrator() -> Migrator {
    let read = |(number, name, text): (i64, &'static str, &'static str)| {
        let simple = MigrationType::Simple;
        let text = text.into_sql_str();
        Migration::new(number, Cow::Borrowed(name), simple, text, false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/sqlite");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed = |(number, name, _): &(i64, &str, &str)| format!("{number:04}_{name}.sql");
        assert_eq!(files, MIGRATIONS.iter().map(listed).collect::<Vec<_>>());
    }
}
