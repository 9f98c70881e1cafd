//! Bundles that are handed in at the office.

use node::testing::{Phone, STASH_MAX, record_id};
use sync_core::batch::Batch;
use sync_core::bundle::{Content, unseal};
use sync_core::seal::SealingKey;

use super::*;

const BOUNDARY: &str = "----of-a-browser";

/// What a browser posts of the form with a file in it.
fn form(pass: &str, file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"pass\"\r\n\r\n{pass}\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"bundle\"; filename=\"其其格.bundle\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [
        head.as_bytes(),
        file,
        format!("\r\n--{BOUNDARY}--\r\n").as_bytes(),
    ]
    .concat()
}

/// The pass that stands in the page's form.
fn pass(html: &str) -> String {
    let after = html.split("name=\"pass\" value=\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

impl Office {
    async fn post_form(&self, path: &str, body: Vec<u8>) -> Page {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = Request::post(path)
            .header("host", HOST)
            .header("content-type", kind);
        self.ask(request.body(Body::from(body))).await
    }

    /// Hands in a file as somebody does who opened the page first.
    async fn hand_in(&self, language: &str, file: &[u8]) -> Page {
        let path = format!("/{language}/bundles");
        let pass = pass(&self.page(&path).await);
        self.post_form(&path, form(&pass, file)).await
    }

    /// A bundle of these batches for the server.
    async fn sealed(&self, batches: Vec<Vec<u8>>) -> Vec<u8> {
        let content = Content {
            batches,
            ..Content::default()
        };
        self.station.sealed(&content).await
    }
}

#[tokio::test]
async fn a_bundle_is_taken_and_its_answer_is_there_for_the_phone() {
    let office = Office::filled().await;
    let key = SealingKey::from_bytes(&[9; 32]).unwrap();
    let mut cadre = Phone::new(&office.station, 9, &space("general"));
    cadre.sealing_key = key.public().bytes;
    cadre.enrol(&office.station).await;
    let batch = cadre.batch(1, &[], vec![cadre.entry(9, "娜仁")]);
    let file = office.sealed(vec![batch.bytes().to_vec()]).await;
    let page = office.hand_in("zh", &file).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert!(page.html.contains("有 1 个批次是新的"), "{}", page.html);
    assert!(!page.html.contains("娜仁") && !page.html.contains("没有接收的"));
    let address = link(&page.html, "保存要带回去的回包");
    let reply = office.download(&address).await;
    let opened = unseal(office.station.app.network(), [&key], &reply).unwrap();
    assert!(
        opened
            .contents
            .iter()
            .any(|content| !content.receipts.is_empty())
    );
    // Any number of times, in the other language too.
    let again = office.hand_in("en", &file).await;
    assert!(
        again.html.contains("Nothing in it was new"),
        "{}",
        again.html
    );
    let context = office.station.app.context();
    let mut tx = context.read().await.unwrap().conn;
    let held =
        store::record::states(&mut tx, &space("general").parse().unwrap(), &[record_id(9)]).await;
    assert_eq!(held.unwrap().len(), 1);
}

#[tokio::test]
async fn what_waits_and_what_is_not_taken_is_said_in_words() {
    let office = Office::filled().await;
    let cadre = Phone::enrolled(&office.station, 9, &space("general")).await;
    let first = cadre.batch(1, &[], vec![cadre.entry(9, "娜仁")]);
    let second = cadre.batch(2, &[&first], vec![cadre.entry(10, "乌云")]);
    let stranger = Phone::new(&office.station, 10, &space("general"));
    let strange = stranger.batch(1, &[], vec![stranger.entry(11, "苏和")]);
    let batches = [&second, &strange, &strange].map(|batch| batch.bytes().to_vec());
    let file = office.sealed(batches.to_vec()).await;
    let page = office.hand_in("zh", &file).await.html;
    assert!(page.contains("有 1 个批次要等其他还没有到的批次"), "{page}");
    assert!(page.contains("2 × 写入的设备没有在这里登记"), "{page}");
    let file = office.sealed(vec![first.bytes().to_vec()]).await;
    let page = office.hand_in("zh", &file).await.html;
    assert!(page.contains("有 2 个批次是新的"), "{page}");
    assert!(!page.contains("要等其他"), "{page}");
}

/// So many batches, each on the one before, the first of them on `first`.
fn following(cadre: &Phone, first: &Batch, count: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for record in 10..10 + u8::try_from(count).unwrap() {
        let last = batches.last().unwrap_or(first);
        let entry = cadre.entry(record, "乌云");
        batches.push(cadre.batch(last.header.seq + 1, &[last], vec![entry]));
    }
    batches
}

#[tokio::test]
async fn what_finds_no_room_to_wait_in_is_said_beside_what_waits() {
    let office = Office::filled().await;
    let station = &office.station;
    let cadre = Phone::enrolled(station, 9, &space("general")).await;
    let other = Phone::enrolled(station, 10, &space("general")).await;
    let first = cadre.batch(1, &[], vec![cadre.entry(9, "娜仁")]);
    let mut batches = following(&cadre, &first, STASH_MAX + 1);
    // What they follow comes behind them, and then something that waits for what is nowhere.
    let missing = other.batch(1, &[], vec![other.entry(7, "苏和")]);
    batches.push(first);
    batches.push(other.batch(2, &[&missing], vec![other.entry(8, "苏和")]));
    let bytes = batches.iter().map(|batch| batch.bytes().to_vec());
    let file = office.sealed(bytes.collect()).await;
    let page = office.hand_in("zh", &file).await.html;
    let new = format!("有 {} 个批次是新的", STASH_MAX + 1);
    for said in [
        &new,
        "有 1 个批次要等其他还没有到的批次",
        "1 × 等待前面批次的内容已积压过多",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    // Once it is here what found no room follows it.
    let page = office.hand_in("zh", &file).await.html;
    assert!(page.contains("有 1 个批次是新的"), "{page}");
    assert!(!page.contains("积压过多"), "{page}");
}

#[tokio::test]
async fn what_finds_no_room_at_first_and_comes_once_more_in_the_file_is_not_named() {
    let office = Office::filled().await;
    let cadre = Phone::enrolled(&office.station, 9, &space("general")).await;
    let first = cadre.batch(1, &[], vec![cadre.entry(9, "娜仁")]);
    let follow = following(&cadre, &first, STASH_MAX + 1);
    let file = follow.iter().chain([&first]).chain(follow.last());
    let file = file.map(|batch| batch.bytes().to_vec()).collect();
    let file = office.sealed(file).await;
    let page = office.hand_in("zh", &file).await.html;
    let new = format!("有 {} 个批次是新的", STASH_MAX + 2);
    assert!(page.contains(&new), "{page}");
    assert!(!page.contains("积压过多"), "{page}");
}

#[tokio::test]
async fn what_is_no_bundle_for_the_server_is_refused_on_the_same_page() {
    let office = Office::filled().await;
    let other = SealingKey::from_bytes(&[7; 32]).unwrap().public();
    let for_others = office.station.sealed_to(other, &Content::default());
    for (file, said) in [
        (&b""[..], "没有选择文件"),
        (b"PK\x03\x04 is no bundle", "这不是携带包"),
        (&for_others[..], "该文件不是给本机的"),
    ] {
        let page = office.hand_in("zh", file).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.html.contains(said), "{said}: {}", page.html);
        assert!(page.html.contains("role=\"alert\""));
        assert!(page.html.contains("type=\"file\""), "to try again");
    }
}

#[tokio::test]
async fn a_form_that_was_not_shown_here_brings_nothing_in() {
    let office = Office::filled().await;
    let cadre = Phone::enrolled(&office.station, 9, &space("general")).await;
    let batch = cadre.batch(1, &[], vec![cadre.entry(9, "娜仁")]);
    let file = office.sealed(vec![batch.bytes().to_vec()]).await;
    let stale = pass(&Office::empty().await.page("/zh/bundles").await);
    for pass in ["", "x", &stale] {
        let page = office.post_form("/zh/bundles", form(pass, &file)).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.html.contains("表单已失效"), "{}", page.html);
    }
    for body in [&b"filter=x"[..], &form("", b"")[..40]] {
        let page = office.post_form("/zh/bundles", body.to_vec()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    let plain = office.search("/zh/bundles", "pass=x&bundle=y").await;
    assert_eq!(plain.status, StatusCode::FORBIDDEN);
    let taken = office.hand_in("zh", &file).await.html;
    assert!(
        taken.contains("有 1 个批次是新的"),
        "nothing was in: {taken}"
    );
}

#[tokio::test]
async fn a_file_that_is_too_long_is_not_taken_and_says_what_to_do() {
    let office = Office::empty().await;
    let long = vec![0; sync_core::bundle::BUNDLE_BYTES_MAX + 20_000];
    let page = office.post_form("/en/bundles", long).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.html.contains("--max-bytes"), "{}", page.html);
}

#[tokio::test]
async fn an_answer_is_fetched_under_its_name_only_and_makes_place_for_later_ones() {
    let office = Office::filled().await;
    let cadre = Phone::enrolled(&office.station, 9, &space("general")).await;
    let batch = cadre.batch(1, &[], vec![cadre.entry(9, "娜仁")]);
    let file = office.sealed(vec![batch.bytes().to_vec()]).await;
    let mut addresses = Vec::new();
    for _ in 0..9 {
        let page = office.hand_in("zh", &file).await.html;
        addresses.push(link(&page, "保存要带回去的回包"));
    }
    office.download(&addresses[1]).await;
    office.download(&addresses[8]).await;
    for gone in [addresses[0].as_str(), "/zh/reply/AAAA", "/en/reply/"] {
        let page = office.get(gone).await;
        let known = [StatusCode::GONE, StatusCode::NOT_FOUND];
        assert!(known.contains(&page.status), "{gone}: {}", page.status);
    }
    assert!(office.get(&addresses[0]).await.html.contains("再交入一次"));
}

impl Office {
    /// A file, with the headers that make a browser save it.
    async fn download(&self, address: &str) -> Vec<u8> {
        let request = Request::get(address).header("host", HOST);
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{address}");
        let (head, body) = response.into_parts();
        assert_eq!(head.headers["content-type"], "application/octet-stream");
        let disposition = head.headers["content-disposition"].to_str().unwrap();
        assert!(disposition.starts_with("attachment"), "{disposition}");
        assert_eq!(head.headers["cache-control"], "no-store");
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        assert!(!body.is_empty());
        body
    }
}
