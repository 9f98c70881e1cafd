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
const MIGRATIONS: [(i64, &str, &str); 1] = [migration!(1, "schema")];

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
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed = |(number, name, _): &(i64, &str, &str)| format!("{number:04}_{name}.sql");
        assert_eq!(files, MIGRATIONS.iter().map(listed).collect::<Vec<_>>());
    }

    #[test]
    fn keys_of_what_belongs_to_a_unit_lead_with_the_unit() {
        // Who shows a number is asked of all units at once.
        let global = ["identity_number"];
        for (_, _, text) in MIGRATIONS {
            for table in text.split("CREATE TABLE ").skip(1) {
                let name = table.split_whitespace().next().unwrap();
                let of_unit = table.contains("    unit TEXT NOT NULL");
                if of_unit && !global.contains(&name) {
                    assert!(table.contains("    PRIMARY KEY (unit"), "{name}");
                }
                assert!(!table.contains("    space TEXT"), "{name}");
            }
        }
    }
}
