use proptest::prelude::*;

use super::*;
use crate::id::Class;

fn request(batches: Vec<Vec<u8>>) -> Request {
    let tip = Tip {
        seq: 7,
        hash: Short([3; 16]),
    };
    Request {
        device: DeviceId([1; 8]),
        nonce: [2; 16],
        control: ControlPosition {
            count: 4,
            digest: Some(Short([9; 16])),
        },
        base: Short([5; 16]),
        spaces: vec![SpaceClaim {
            space: Space::new("152522100200", Class::General).unwrap(),
            counter: 300,
            changes: vec![(DeviceId([8; 8]), vec![tip])],
            locators: vec![],
        }],
        batches,
        refer: None,
        budget: 65_536,
        receipts: false,
        shown: Vec::new(),
        renewal: None,
        wipe_report: None,
    }
}

#[test]
fn messages_read_back_as_they_were_written() {
    let network = NetworkId([1; 32]);
    let request = request(vec![vec![0; 900], vec![1, 2, 3]]);
    let packed = request.encode(network, &|_| [4; 64]);
    assert!(packed.len() < 400, "{}", packed.len());
    let (read, signed) = Request::decode(network, &packed).unwrap();
    assert_eq!(read, request);
    assert_eq!(signed.signature, [4; 64]);

    let mut answer = Answer::at(1_700_000_000);
    answer.reset = true;
    answer.incarnation = Some(Incarnation([6; 8]));
    answer.batches = vec![vec![1; 50]];
    answer.refused = vec![RejectedBatch {
        index: 1,
        code: "batch_signature".into(),
    }];
    assert_eq!(
        Answer::decode(network, &answer.encode(network)).unwrap(),
        answer
    );
}

#[test]
fn what_is_claimed_or_named_twice_is_refused_before_anybody_looks_it_up() {
    let network = NetworkId([1; 32]);
    let read = |request: &Request| {
        let packed = request.encode(network, &|_| [4; 64]);
        Request::decode(network, &packed).map(drop)
    };
    let whole = request(Vec::new());
    assert_eq!(read(&whole), Ok(()));
    let twice = |change: &dyn Fn(&mut Request)| {
        let mut request = whole.clone();
        change(&mut request);
        read(&request).unwrap_err()
    };
    let feed = (DeviceId([9; 8]), Vec::new());
    let two = || vec![feed.clone(), feed.clone()];
    assert_eq!(
        twice(&|it| it.spaces = vec![it.spaces[0].clone(); 2]),
        BadMessage::Shape
    );
    assert_eq!(twice(&|it| it.spaces[0].changes = two()), BadMessage::Shape);
    assert_eq!(
        twice(&|it| it.spaces[0].locators = two()),
        BadMessage::Shape
    );
}

#[test]
fn another_version_is_named_as_such() {
    let bytes = pack(&cbor::encode(&(2u16, 0i64)));
    assert_eq!(
        Answer::decode(NetworkId([0; 32]), &bytes),
        Err(BadMessage::Version)
    );
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let at_limit = pack(&vec![0; MESSAGE_BYTES_MAX]);
    assert_eq!(unpack(&at_limit).unwrap().len(), MESSAGE_BYTES_MAX);
    let over = pack(&vec![0; MESSAGE_BYTES_MAX + 1]);
    assert!(over.len() < 10_000);
    assert_eq!(unpack(&over), Err(BadMessage::TooLarge));
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let stored = [&[0u8], bytes.as_slice()].concat();
        let _ = Answer::decode(NetworkId([0; 32]), &stored);
        let _ = Request::decode(NetworkId([0; 32]), &stored);
        let _ = Answer::decode(NetworkId([0; 32]), &bytes);
    }

    #[test]
    fn a_changed_message_never_panics(at in 0usize..400, bit in 0u8..8) {
        let body = unpack(&request(vec![vec![7; 40]]).encode(NetworkId([1; 32]), &|_| [4; 64])).unwrap();
        let mut bytes = [&[0u8], body.as_slice()].concat();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let _ = Request::decode(NetworkId([1; 32]), &bytes);
    }
}
