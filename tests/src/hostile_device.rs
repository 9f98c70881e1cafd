//! A device that is enrolled and means ill, over plain HTTP: it signs well whatever it likes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use harness::Server;
use serde_json::Value;
use sync_core::batch::{Batch, Entry, Header};
use sync_core::control::{Control, ControlPosition};
use sync_core::enrol::{EnrolAnswer, EnrolRequest, EnrolmentLink};
use sync_core::feed::Feed;
use sync_core::id::{
    AuthorId, BatchHash, Class, DeviceId, NetworkId, RecordId, Short, Space, Subject,
};
use sync_core::wire::{Request, SpaceClaim};

/// A reply of the server: HTTP status and body.
#[derive(Debug)]
pub struct Reply {
    /// The status; 0 if none came.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The stable code of a problem; empty if there is none.
    pub fn code(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// One request over a connection of its own, which says that its body has `claimed` bytes.
pub fn post(address: SocketAddr, path: &str, body: &[u8], claimed: usize) -> Reply {
    let tcp = TcpStream::connect(address);
    let mut tcp = tcp.unwrap_or_else(|error| panic!("{address}: {error}"));
    let patience = tcp.set_read_timeout(Some(Duration::from_secs(120)));
    patience.unwrap_or_else(|error| panic!("{error}"));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {claimed}\r\nconnection: close\r\n\r\n"
    );
    // The server may refuse by the head alone and close while the body is still being written.
    drop(tcp.write_all(head.as_bytes()));
    drop(tcp.write_all(body));
    let mut bytes = Vec::new();
    drop(tcp.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).and_then(|text| text.parse().ok());
    let mut windows = bytes.windows(4);
    let at = windows.position(|window| window == b"\r\n\r\n");
    Reply {
        status: status.unwrap_or(0),
        body: at.map_or(Vec::new(), |at| bytes[at + 4..].to_vec()),
    }
}

/// A device with a key of its own that says what it likes.
#[derive(Clone)]
pub struct HostileDevice {
    /// Its key.
    pub key: SigningKey,
    /// The installation that it was let into.
    pub network: NetworkId,
    /// In whose name it writes.
    pub author: AuthorId,
    /// The server's nonce for it.
    pub nonce: [u8; 16],
    /// Its feed as far as it went by the rules.
    pub feed: Feed,
    /// Where it writes.
    pub space: Space,
    /// The control entries with which it was let in, the root statement first.
    pub entries: Vec<Vec<u8>>,
    /// The control feed of these.
    pub control: Control,
    /// What was drawn so far: no salt and no record comes twice.
    drawn: u64,
}

impl HostileDevice {
    /// A device with keys of `seed`, enrolled for the general registers of `unit`.
    pub fn enrolled(server: &Server, unit: &str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let link = server.link(unit);
        let link: EnrolmentLink = link.parse().unwrap_or_else(|_| panic!("no link: {link}"));
        let request = EnrolRequest {
            code: link.code,
            signing_key: key.verifying_key().to_bytes(),
            sealing_key: [1; 32],
            strong_secret: true,
        };
        let body = request.encode(link.network, &|message| key.sign(message).to_bytes());
        let reply = post(server.address(), "/v1/enrol", &body, body.len());
        assert_eq!(reply.status, 200, "{}", reply.code());
        let answer = EnrolAnswer::decode(&reply.body);
        let answer = answer.unwrap_or_else(|bad| panic!("{bad}"));
        let space = Space::new(unit, Class::General);
        let mut control = Control::new(link.network);
        for bytes in &answer.control {
            let entry = control.check(bytes);
            let entry = entry.unwrap_or_else(|bad| panic!("{bad}"));
            entry.into_iter().for_each(|entry| control.apply(entry));
        }
        Self {
            key,
            network: link.network,
            author: answer.author,
            nonce: answer.nonce,
            feed: Feed::default(),
            space: space.unwrap_or_else(|_| panic!("no unit: {unit}")),
            entries: answer.control,
            control,
            drawn: u64::from(seed) << 32,
        }
    }

    /// Its id.
    pub fn id(&self) -> DeviceId {
        DeviceId::of_key(&self.key.verifying_key().to_bytes())
    }

    /// Its signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// A number that it has not had yet.
    pub fn number(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    /// A record that nobody has.
    pub fn record(&mut self) -> RecordId {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.number().to_be_bytes());
        RecordId::draw(Subject::Person, 1, random)
    }

    /// The next batch of its feed, with a change of a record that nobody has.
    pub fn batch(&mut self, change: Vec<u8>) -> Vec<u8> {
        let record = self.record();
        self.batch_of(record, vec![change])
    }

    /// The next batch of its feed, with these changes of a record.
    pub fn batch_of(&mut self, record: RecordId, changes: Vec<Vec<u8>>) -> Vec<u8> {
        let entries = changes.into_iter().map(|change| Entry { record, change });
        self.next(entries.collect())
    }

    /// The next batch of its feed.
    pub fn next(&mut self, entries: Vec<Entry>) -> Vec<u8> {
        let (seq, prev) = self.feed.next();
        let batch = self.signed(seq, prev, entries);
        self.feed.insert(batch.node());
        batch.bytes().to_vec()
    }

    /// A batch anywhere in its feed, with a change of a record that nobody has.
    pub fn batch_at(&mut self, seq: u32, prev: Vec<BatchHash>, change: Vec<u8>) -> Batch {
        let record = self.record();
        self.signed(seq, prev, vec![Entry { record, change }])
    }

    /// A batch anywhere in its feed.
    pub fn signed(&mut self, seq: u32, prev: Vec<BatchHash>, entries: Vec<Entry>) -> Batch {
        let mut salt = [0; 16];
        salt[8..].copy_from_slice(&self.number().to_be_bytes());
        let header = Header {
            space: self.space.clone(),
            device: self.id(),
            author: self.author,
            seq,
            prev,
            dictionary: 1,
            time: 0,
        };
        let sign = |message: &[u8]| self.sign(message);
        Batch::sign(self.network, header, entries, salt, &sign)
    }

    /// A request that brings these batches and asks for nothing.
    pub fn request(&self, batches: Vec<Vec<u8>>) -> Vec<u8> {
        self.request_of(vec![claim(&self.space)], batches)
    }

    /// The same with other claims.
    pub fn request_of(&self, spaces: Vec<SpaceClaim>, batches: Vec<Vec<u8>>) -> Vec<u8> {
        self.encode(Request {
            spaces,
            batches,
            ..self.asking()
        })
    }

    /// A request that brings nothing, claims nothing and asks for nothing.
    pub fn asking(&self) -> Request {
        Request {
            device: self.id(),
            nonce: self.nonce,
            control: ControlPosition::default(),
            base: Short([0; 16]),
            spaces: Vec::new(),
            batches: Vec::new(),
            refer: None,
            budget: 0,
            receipts: false,
            shown: Vec::new(),
            renewal: None,
            wipe_report: None,
        }
    }

    /// The signed bytes of a request.
    pub fn encode(&self, request: Request) -> Vec<u8> {
        request.encode(self.network, &|message| self.sign(message))
    }
}

/// A claim of a space by whoever was never there.
pub fn claim(space: &Space) -> SpaceClaim {
    SpaceClaim {
        space: space.clone(),
        counter: 0,
        changes: Vec::new(),
        locators: Vec::new(),
    }
}
