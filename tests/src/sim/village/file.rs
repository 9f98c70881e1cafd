//! The village's files beside the database: a journal and a backup.

use ortoo_server::formats::{Head, Part, Record, Table};

use super::*;

impl Village {
    /// A file that begins a journal, one that goes on and ends in the middle of a record, and a
    /// backup.
    pub(super) fn keep_files(&mut self) {
        let of = |kind: &'static str| {
            let things = self.recorded.iter().filter(move |thing| thing.kind == kind);
            things.map(|thing| thing.bytes.clone())
        };
        let entries: Vec<Record> = of("network")
            .chain(of("control"))
            .map(Record::Control)
            .collect();
        let batches: Vec<Record> = of("batch").map(Record::Batch).collect();

        let begins = self.journal(1, &[&entries[..3], &batches[..2]].concat());
        let mut goes_on = self.journal(2, &batches[2..5]);
        goes_on.truncate(goes_on.len() - 100);
        let backup = self.backup();
        self.keep("journal", "begins", begins);
        self.keep("journal", "goes-on-and-is-torn", goes_on);
        self.keep("backup", "three-parts", backup);
    }

    fn journal(&self, number: u64, records: &[Record]) -> Vec<u8> {
        let head = Head {
            network: self.network(),
            number,
            begun: self.now,
            whole: number == 1,
        };
        let mut file = head.to_bytes();
        records.iter().for_each(|record| record.put(&mut file));
        file
    }

    /// The parts are whatever stands in the server's files: a few bytes are enough here.
    fn backup(&self) -> Vec<u8> {
        let parts: [(&str, &[u8]); 3] = [
            ("ortoo.db", b"SQLite format 3\0 and so on"),
            ("node.key", &NODE),
            ("seal-24313.key", &[9; 32]),
        ];
        let part = |(name, mut bytes): (&str, &[u8])| Part::of(name, &mut bytes);
        let table = Table {
            network: self.network(),
            incarnation: Incarnation([6; 8]),
            time: self.now,
            parts: parts
                .into_iter()
                .map(part)
                .collect::<Result<_, _>>()
                .expect("they are in memory"),
        };
        let mut file = Vec::new();
        table.write(&mut file).expect("it is in memory");
        parts
            .iter()
            .for_each(|(_, bytes)| file.extend_from_slice(bytes));
        file
    }
}
