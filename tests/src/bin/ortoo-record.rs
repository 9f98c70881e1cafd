//! `ortoo-record`: plays the village's stories and writes what they say, for the tests that read it.

#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::process::ExitCode;

use ortoo_tests::fuzz::corpus;
use ortoo_tests::golden;
use ortoo_tests::sim::village::{busy, small, wipe_report};

fn main() -> ExitCode {
    let busy = busy();
    let written = corpus::write(&busy).and_then(|corpus| {
        let (_, mut recorded) = small();
        recorded.extend(wipe_report());
        // The small plan has nothing to count.
        let shares = busy.iter().filter(|thing| thing.kind == "contribution");
        recorded.extend(shares.take(2).cloned());
        Ok((corpus, golden::write_new(&recorded)?))
    });
    match written {
        Ok((corpus, golden)) => {
            println!("corpus: {corpus} files written again");
            println!("golden: {} new, {} kept", golden.new.len(), golden.kept);
            golden.new.iter().for_each(|name| println!("  {name}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
