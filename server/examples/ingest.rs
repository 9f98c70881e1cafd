//! Measures durable ingest: phones of different villages that each bring batches of 20 edits, one
//! request per batch, as fast as they are answered.
//!
//! `cargo run --release -p ortoo-server --example ingest -- PHONES BATCHES RECORDS`

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use ortoo_server::{App, CodeWish, Options};
use plan::Package;
use plan::unit::{Level, Unit};
use sync_core::batch::{Batch, Entry, Header};
use sync_core::control::ControlPosition;
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::feed::{Tip, Vector};
use sync_core::id::{ActorId, AuthorId, Class, DeviceId, Incarnation, RecordId, Space, Subject};
use sync_core::record::RecordState;
use sync_core::seal::SigningKey;
use sync_core::value::{Key, Value};
use sync_core::wire::{Answer, Request, SpaceClaim, base_digest};

const EDITS: usize = 20;
const TIME: i64 = 1_795_000_000;

fn main() -> Result<(), Failed> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>());
    let mut next = |default| args.next().unwrap_or(Ok(default));
    let (phones, batches, records) = (next(1)?, next(50)?, next(600)?);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure(phones, batches, records))
}

/// One phone with its batches made before the clock runs.
struct Phone {
    key: SigningKey,
    space: Space,
    nonce: [u8; 16],
    incarnation: Incarnation,
    control: ControlPosition,
    batches: Vec<Batch>,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn unit(number: usize) -> String {
    format!("1525221{number:05}")
}

async fn measure(phones: usize, batches: usize, records: usize) -> Result<(), Failed> {
    let dir = std::env::temp_dir().join(format!("ortoo-ingest-{}", std::process::id()));
    let mut package = Package::builtin();
    package.version += 1;
    let gacha = |n| Unit {
        code: unit(n),
        level: Level::Gacha,
        name: unit(n),
        cadres: true,
    };
    package.units = (0..phones).map(gacha).collect();
    let options = Options {
        sample: true,
        package,
        ..Options::default()
    };
    let app = App::open(&dir, options).await?;
    app.remember_address("https://127.0.0.1").await?;
    let mut made = Vec::new();
    for number in 0..phones {
        made.push(Phone::enrolled(&app, number, batches, records).await?);
    }
    let merging = merging(&made);
    let started = Instant::now();
    let tasks: Vec<_> = made
        .into_iter()
        .map(|phone| {
            let app = app.clone();
            tokio::spawn(async move { phone.bring(&app).await })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let took = started.elapsed().as_secs_f64();
    let edits = phones * batches * EDITS;
    writeln!(
        std::io::stdout(),
        "{phones} phones x {batches} batches x {EDITS} edits over {records} records: {edits} edits \
         in {took:.2} s = {:.0} edits/s; merging alone {:.2} s",
        edits as f64 / took,
        merging,
    )?;
    let verified = app.verify().await?;
    assert!(verified.batches == (phones * batches) as u64 && verified.differences.is_empty());
    app.close().await;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Seconds that the core takes to make the same records in memory.
fn merging(phones: &[Phone]) -> f64 {
    let started = Instant::now();
    for phone in phones {
        let mut states: BTreeMap<RecordId, Vec<u8>> = BTreeMap::new();
        for batch in &phone.batches {
            for entry in &batch.entries {
                let stored = states.entry(entry.record).or_default();
                let before = RecordState::from_cbor(stored).unwrap_or_default();
                let arrived = [(batch.header.device, entry.change.as_slice())];
                let Ok(next) = before.add(&arrived, || Ok::<_, std::convert::Infallible>(vec![]));
                *stored = next.to_cbor();
            }
        }
    }
    started.elapsed().as_secs_f64()
}

impl Phone {
    async fn enrolled(
        app: &App,
        number: usize,
        batches: usize,
        records: usize,
    ) -> Result<Self, Failed> {
        let seed = u8::try_from(number + 1)?;
        let key = SigningKey::from_bytes(&[seed; 32]);
        let space = Space::new(&unit(number), Class::General)?;
        let wish = CodeWish {
            spaces: vec![space.to_string()],
            ..CodeWish::default()
        };
        let enrol = EnrolRequest {
            code: app.enrol_code(&wish).await?.code,
            signing_key: key.public().bytes,
            sealing_key: [seed; 32],
        };
        let answer = app
            .enrol(enrol.encode(app.network(), &|m| key.sign(m)))
            .await?;
        let answer = EnrolAnswer::decode(&answer)?;
        let mut control = sync_core::control::Control::new(app.network());
        for entry in &answer.control {
            control
                .check(entry)?
                .into_iter()
                .for_each(|entry| control.apply(entry));
        }
        let batches = Self::batches(app, &key, seed, &space, batches, records)?;
        let (nonce, incarnation) = (answer.nonce, answer.incarnation);
        Ok(Self {
            key,
            space,
            nonce,
            incarnation,
            control: control.position(),
            batches,
        })
    }

    /// A register that is filled in and then gone through again and again.
    fn batches(
        app: &App,
        key: &SigningKey,
        seed: u8,
        space: &Space,
        count: usize,
        records: usize,
    ) -> Result<Vec<Batch>, Failed> {
        let device = DeviceId::of_key(&key.public().bytes);
        let actor = ActorId::new(device, [seed; 8]);
        let fields = ["name", "phone", "sex", "remark", "birth_date"];
        let mut states: BTreeMap<RecordId, RecordState> = BTreeMap::new();
        let mut batches: Vec<Batch> = Vec::new();
        for number in 0..count {
            let mut entries = Vec::new();
            for edit in number * EDITS..(number + 1) * EDITS {
                let mut random = [seed; 10];
                random[..4].copy_from_slice(&((edit % records) as u32).to_be_bytes());
                let record = RecordId::draw(Subject::Person, 1, random);
                let round = edit / records;
                // The first time the whole form, after that one field.
                let written = if round == 0 {
                    &fields[..]
                } else {
                    &fields[round % 5..][..1]
                };
                let mut puts = Vec::new();
                for field in written {
                    let value = format!("{field} {edit}");
                    puts.push((Key::single("identity", field)?, Value::from(value.as_str())));
                }
                let state = states.entry(record).or_default();
                let heads = state.heads().to_vec();
                let made = state.write(actor, &heads, &puts, TIME)?;
                let (change, next) = made.ok_or("nothing written")?;
                *state = next;
                entries.push(Entry { record, change });
            }
            let header = Header {
                space: space.clone(),
                device,
                author: AuthorId([seed; 8]),
                seq: u32::try_from(number + 1)?,
                prev: batches.last().map(|batch| batch.hash).into_iter().collect(),
                dictionary: 1,
                time: TIME,
            };
            let sign = |message: &[u8]| key.sign(message);
            batches.push(Batch::sign(
                app.network(),
                header,
                entries,
                [seed; 16],
                &sign,
            ));
        }
        Ok(batches)
    }

    /// Brings one batch after the other.
    async fn bring(self, app: &App) -> Result<(), Failed> {
        let device = DeviceId::of_key(&self.key.public().bytes);
        let mut base = (0, Vector::default());
        for batch in &self.batches {
            let bases = BTreeMap::from([(self.space.clone(), base.clone())]);
            let request = Request {
                device,
                nonce: self.nonce,
                control: self.control,
                base: base_digest(Some(self.incarnation), &bases),
                spaces: vec![SpaceClaim {
                    space: self.space.clone(),
                    counter: base.0,
                    changes: vec![],
                    ladders: vec![],
                }],
                batches: vec![batch.bytes().to_vec()],
                budget: 65_536,
            };
            let request = request.encode(app.network(), &|m| self.key.sign(m));
            let answer = Answer::decode(&app.exchange(request).await?)?;
            if answer.reset || !answer.refused.is_empty() || !answer.batches.is_empty() {
                return Err("the server says something unexpected".into());
            }
            base.0 = answer.spaces.first().map_or(base.0, |state| state.counter);
            base.1.set(device, [Tip::of(&batch.node())]);
        }
        Ok(())
    }
}
