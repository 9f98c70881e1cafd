//! Real processes: a server and phones as a user runs them, in temporary directories.
//!
//! Nothing here reaches past the command lines' public contract. Servers listen on a loopback port
//! that the system picks and are stopped by process id when dropped.

mod process;
pub mod proxy;

pub use process::{forget_peak, memory_kib, processor_time};

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The secret of every phone here; sample servers take a PIN alone.
pub const PIN: &str = "246810";

/// How long a server may take to listen on a busy machine.
const START_SECONDS_MAX: u64 = 60;

/// A built program of this workspace.
pub fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    // target/debug/deps/all-… for a test, target/debug/ortoo-demo for the demo.
    let dir = exe.ancestors().skip(1).find(|dir| dir.join(name).is_file());
    match dir {
        Some(dir) => dir.join(name),
        None => panic!("{name} is not built: run `cargo build --workspace` or `cargo xtask test`"),
    }
}

/// What a finished command said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    fn of(command: &mut Command) -> Self {
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The JSON of standard output; panics unless the command succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The `error` object of standard error; panics unless the exit code is `code`.
    pub fn error(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        let line = self
            .err
            .lines()
            .rev()
            .find(|line| line.starts_with('{'))
            .unwrap_or_default();
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", self.err));
        value["error"].clone()
    }
}

/// A running server.
pub struct Server {
    /// Its data directory.
    pub data: PathBuf,
    /// Its base address.
    pub url: String,
    /// The network's id.
    pub network: String,
    /// The address of the office's console, without a slash at its end.
    pub console: String,
    child: Child,
    options: Vec<String>,
}

impl Server {
    /// Starts a sample server on a free port.
    pub fn sample(data: &Path) -> Self {
        Self::start(data, &["--sample"], "127.0.0.1:0")
    }

    /// Starts a server with these options of `serve` on this address.
    pub fn start(data: &Path, options: &[&str], listen: &str) -> Self {
        Self::start_saying(data, options, listen, Stdio::inherit())
    }

    /// The same with its standard error somewhere else.
    pub fn start_saying(data: &Path, options: &[&str], listen: &str, stderr: Stdio) -> Self {
        let mut child = Command::new(program("ortoo-server"))
            .arg("--data")
            .arg(data)
            .args(["--json", "serve", "--listen", listen])
            .args(options)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("ortoo-server: {error}"));
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut reader = BufReader::new(stdout);
            drop(reader.read_line(&mut line));
            // Whatever it prints later must not block it.
            std::thread::spawn(move || drop(std::io::copy(&mut reader, &mut std::io::sink())));
        }
        let first: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the server's first line: {error}: {line:?}"));
        let text = |key: &str| first[key].as_str().unwrap_or_default().to_owned();
        let server = Self {
            data: data.to_owned(),
            url: text("url"),
            network: text("network"),
            console: text("console").trim_end_matches('/').to_owned(),
            child,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        };
        server.wait_until_it_listens();
        server
    }

    fn wait_until_it_listens(&self) {
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while TcpStream::connect(self.address()).is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            std::thread::yield_now();
        }
    }

    /// The socket address.
    pub fn address(&self) -> SocketAddr {
        let host = self.url.split("://").nth(1).unwrap_or_default();
        host.parse()
            .unwrap_or_else(|error| panic!("{}: {error}", self.url))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, then the same data on the same address again.
    pub fn kill_and_restart(&mut self) {
        self.stop();
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let address = self.address().to_string();
        let data = self.data.clone();
        let next = Self::start(&data, &options, &address);
        // The old handle has no process left to stop.
        *self = next;
    }

    /// `kill -9`, for good.
    pub fn stop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Runs another verb of `ortoo-server` on the same data.
    pub fn run(&self, args: &[&str]) -> Said {
        run_server(&self.data, args)
    }

    /// A new enrolment link for this space, or unit.
    pub fn link(&self, space: &str) -> String {
        let said = self.run(&["enrol-code", "--space", space]);
        said.json()["link"].as_str().unwrap_or_default().to_owned()
    }

    /// Leaves the process running.
    pub fn leave_running(self) -> u32 {
        let pid = self.pid();
        std::mem::forget(self);
        pid
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a verb of `ortoo-server` on a data directory.
pub fn run_server(data: &Path, args: &[&str]) -> Said {
    Said::of(server_command(data, args).env("LANG", "C"))
}

/// A verb of `ortoo-server` on a data directory, ready to run, with `--json`.
pub fn server_command(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program("ortoo-server"));
    command.arg("--data").arg(data).arg("--json").args(args);
    command
}

/// A phone: a store directory of `ortoo-field`.
#[derive(Clone, Debug)]
pub struct Phone {
    /// The store's directory.
    pub dir: PathBuf,
}

impl Phone {
    /// A phone whose store is at `dir`, enrolled or not.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// A new phone enrolled for a space or unit.
    pub fn enrolled(dir: impl Into<PathBuf>, server: &Server, space: &str) -> Self {
        let phone = Self::at(dir);
        phone.run(&["enrol", &server.link(space)]).json();
        phone
    }

    /// The command, ready to run, with `--json`.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("ortoo-field"));
        command.arg("--dir").arg(&self.dir).arg("--json").args(args);
        command
            .env("ORTOO_PIN", PIN)
            .env("LANG", "C")
            .env_remove("LC_ALL");
        command
    }

    /// Runs a verb to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        Said::of(&mut self.command(args))
    }

    /// Runs a verb that must succeed.
    pub fn ok(&self, args: &[&str]) -> Value {
        self.run(args).json()
    }

    /// `add`: the new record's id.
    pub fn add(&self, subject: &str, sets: &[&str]) -> String {
        let mut args = vec!["add", subject];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        self.ok(&args)["id"].as_str().unwrap_or_default().to_owned()
    }

    /// `edit`.
    pub fn edit(&self, id: &str, sets: &[&str]) {
        let mut args = vec!["edit", id];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        self.ok(&args);
    }

    /// `sync`.
    pub fn sync(&self) -> Value {
        self.ok(&["sync"])
    }

    /// One field of `show`.
    pub fn field(&self, id: &str, key: &str) -> Value {
        self.ok(&["show", id])["fields"][key].clone()
    }
}

/// Every file below `dir`, with its bytes.
pub fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.clone(), std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    found
}

/// Whether `needle` stands anywhere in `bytes`.
pub fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}
