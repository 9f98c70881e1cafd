//! The console in Chromium, found by what a screen reader would hear.
//!
//! `ORTOO_SCREENSHOTS=DIR` keeps a picture of every page that is visited.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use harness::{Phone, Server};
use sample::people::id_number;
use thirtyfour::prelude::*;

/// 阿日哈夏图嘎查 of 别力古台镇.
const GACHA: &str = "152522100200";
const WOMAN: &str = "其其格";

/// ChromeDriver on a port that the system picks, stopped when dropped.
struct Chrome {
    process: Child,
    port: u16,
    profile: tempfile::TempDir,
}

impl Chrome {
    /// None where the runner has said that this machine has no browser.
    fn start() -> Option<Self> {
        if std::env::var("ORTOO_TEST_SKIP").is_ok_and(|skip| skip.contains("browser")) {
            return None;
        }
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its browsers are of its group and end with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver: {error} (apt install chromium chromium-driver)")
            });
        let mut reader = BufReader::new(process.stdout.take().unwrap());
        let mut port = None;
        let mut line = String::new();
        while port.is_none() && reader.read_line(&mut line).unwrap() > 0 {
            let said = line.trim_end().trim_end_matches('.');
            let named = said.rsplit("on port ").next();
            // It also says that it was asked for port 0.
            port = named
                .and_then(|port| port.parse().ok())
                .filter(|port| *port > 0);
            line.clear();
        }
        std::thread::spawn(move || drop(std::io::copy(&mut reader, &mut std::io::sink())));
        Some(Self {
            process,
            port: port.expect("chromedriver names its port"),
            profile: tempfile::tempdir().unwrap(),
        })
    }

    async fn browser(&self) -> WebDriver {
        // The driver's HTTP client asks for a provider even where there is no TLS; another test may
        // have been first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut wishes = DesiredCapabilities::chrome();
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        for arg in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1366,768",
            &profile,
        ] {
            wishes.add_arg(arg).unwrap();
        }
        let address = format!("http://127.0.0.1:{}", self.port);
        WebDriver::new(address, wishes).await.unwrap()
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        drop(Command::new("kill").args(["-9", "--", &group]).status());
        drop(self.process.wait());
    }
}

/// Somebody who looks at pages.
struct Visitor {
    driver: WebDriver,
    pictures: Option<PathBuf>,
}

impl Visitor {
    async fn heading(&self) -> String {
        let heading = self.driver.find(By::Tag("h1")).await.unwrap();
        heading.text().await.unwrap()
    }

    /// Clicks on what leads to another page, and is there afterwards.
    ///
    /// The driver may say that it has clicked before the browser has begun to leave (where a file
    /// goes with a form, usually): who looks at once would look at the old page.
    async fn click(&self, element: &WebElement) -> WebDriverResult<()> {
        let page = self.driver.find(By::Tag("html")).await?;
        element.click().await?;
        page.wait_until().stale().await
    }

    /// Follows the first link of the page's main part with this text.
    async fn follow(&self, text: &str) {
        let links = self.driver.find_all(By::Css("main a")).await.unwrap();
        for link in links {
            if link.text().await.unwrap().trim() == text {
                return self.click(&link).await.unwrap();
            }
        }
        panic!("no link {text} on {}", self.driver.source().await.unwrap());
    }

    async fn text(&self) -> String {
        let main = self.driver.find(By::Tag("main")).await.unwrap();
        main.text().await.unwrap()
    }

    /// Looks at the page: every text can be read against its ground (WCAG AA), nothing is wider
    /// than the screen, and there is a picture of it for who wants one.
    async fn look(&self, name: &str) {
        let found = self.driver.execute(LOOK, vec![]).await.unwrap();
        let troubles: Vec<String> = found.convert().unwrap();
        assert_eq!(troubles, Vec::<String>::new(), "{name}");
        if let Some(pictures) = &self.pictures {
            let picture = pictures.join(format!("{name}.png"));
            self.driver.screenshot(&picture).await.unwrap();
        }
    }
}

/// Every text that stands out too little from its ground, and a page that is wider than the screen.
const LOOK: &str = r"
const rgba = text => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = ([r, g, b]) => [r, g, b]
    .map(c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
const ground = element => {
    for (let at = element; at; at = at.parentElement) {
        const colour = rgba(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
};
const troubles = [];
for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(style.color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) {
        troubles.push(`${element.textContent.trim().slice(0, 20)}: ${ratio.toFixed(2)}`);
    }
}
if (document.documentElement.scrollWidth > window.innerWidth) troubles.push('wider than the screen');
return troubles;
";

/// A household and a woman who was screened, with her number.
fn record(phone: &Phone) -> String {
    let home = phone.add(
        "household",
        &[
            "household.household_no=0001",
            "household.head_name=巴特尔",
            "household.head_sex=1",
            "household.area_type=1",
            "household.residence_status=1",
            "household.resident_population=4",
            "household.resident_female=2",
            "household.main_camp=1",
            "household.phone=10012345678",
        ],
    );
    let number = id_number("19800520", 124);
    let (home, id_no) = (
        format!("residence.household={home}"),
        format!("identity.id_no={number}"),
    );
    let woman = phone.add(
        "person",
        &[
            &format!("identity.name={WOMAN}"),
            "identity.sex=2",
            "identity.id_type=01",
            &id_no,
            "identity.birth_date=1980-05-20",
            "residence.since=2015-03-01",
            "residence.status=1",
            "residence.info_source=01",
            &home,
        ],
    );
    let screening = [
        "item",
        &woman,
        "screening",
        "--set",
        "cancer=C",
        "--set",
        "round=2026",
        "--set",
        "on_target_list=true",
        "--set",
        "screened_on=2026-03-10",
        "--set",
        "cervical_method=HPV",
        "--set",
        "proof=1",
        "--set",
        "info_source=01",
    ];
    phone.ok(&screening);
    phone.sync();
    number
}

/// Has somebody look at pages in a browser; nothing where there is none.
fn visit<F>(journey: impl FnOnce(Rc<Visitor>) -> F)
where
    F: Future<Output = WebDriverResult<()>>,
{
    let Some(chrome) = Chrome::start() else {
        return;
    };
    // Two threads: a driver that is dropped in mid-way ends its session on the other.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let driver = chrome.browser().await;
        let pictures = std::env::var_os("ORTOO_SCREENSHOTS").map(PathBuf::from);
        let visitor = Rc::new(Visitor { driver, pictures });
        let walked = journey(Rc::clone(&visitor)).await;
        // The session ends before the driver does, whatever came of it.
        visitor.driver.clone().quit().await.unwrap();
        walked.unwrap();
    });
}

#[test]
fn the_office_gets_from_the_overview_to_who_wrote_what_of_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("banner"));
    let phone = Phone::enrolled(dir.path().join("a"), &server, GACHA);
    let number = record(&phone);
    visit(|visitor| async move { journey(&visitor, &server, &number).await });
}

#[test]
fn a_traveller_hands_a_bundle_in_at_the_console_and_gets_the_answer_to_take_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("banner"));
    let phone = Phone::enrolled(dir.path().join("a"), &server, GACHA);
    let woman = phone.add("person", &[&format!("identity.name={WOMAN}")]);
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (bag, other) = (file("bag"), file("letter.txt"));
    phone.ok(&["bundle", "export", &bag]);
    std::fs::write(&other, "a letter").unwrap();
    visit(|visitor| async move {
        let driver = &visitor.driver;
        driver
            .goto(&format!("{}/zh/bundles", server.console))
            .await?;
        for (path, role) in [(&other, "alert"), (&bag, "status"), (&bag, "status")] {
            driver.find(By::Id("bundle")).await?.send_keys(path).await?;
            let button = driver.find(By::Css("form.hand-in button")).await?;
            visitor.click(&button).await?;
            let said = driver.find(By::Css(format!("[role={role}]"))).await?;
            assert!(said.is_displayed().await?);
            visitor.look(&format!("bundles-{role}")).await;
        }
        let text = visitor.text().await;
        assert!(
            !text.contains(WOMAN),
            "the page shows nothing of what is in it"
        );
        let shown = server.run(&["show", &woman]).json();
        assert_eq!(shown["fields"]["identity.name"], WOMAN);
        // The browser saves the answer where the test can't see it; the link gives it to whoever asks.
        let link = driver.find(By::Css("[role=status] a[download]")).await?;
        let address = link.attr("href").await?.unwrap_or_default();
        let reply = file("reply");
        std::fs::write(&reply, download(&server.console, &address)).unwrap();
        let heard = phone.ok(&["bundle", "import", &reply]);
        assert!(heard["acknowledged"].as_u64() > Some(0), "{heard}");
        assert_eq!(phone.ok(&["status"])["unsent"], 0);
        Ok(())
    });
}

/// A file of the console.
fn download(console: &str, path: &str) -> Vec<u8> {
    let address = console.split("://").nth(1).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    answer.split_off(end.unwrap() + 4)
}

async fn journey(visitor: &Visitor, server: &Server, number: &str) -> WebDriverResult<()> {
    let driver = &visitor.driver;
    driver
        .goto(&format!("{}/zh/?year=2026", server.console))
        .await?;
    assert!(driver.title().await?.contains("阿巴嘎旗"));
    visitor.look("overview").await;
    assert!(
        visitor.text().await.contains("100.0"),
        "one of one was screened"
    );

    // Who comes by keyboard gets past the menu in one step.
    let first = driver.find(By::Tag("body")).await?;
    first.send_keys("" + Key::Tab).await?;
    let focused = driver.active_element().await?;
    assert_eq!(focused.attr("href").await?.as_deref(), Some("#main"));

    visitor.follow("适龄妇女宫颈癌人群筛查率").await;
    let heading = visitor.heading().await;
    assert!(heading.starts_with("适龄妇女宫颈癌人群筛查率"), "{heading}");
    let text = visitor.text().await;
    assert!(
        text.contains("适龄妇女宫颈癌人群筛查率达到70％以上"),
        "{text}"
    );
    visitor.look("indicator").await;

    visitor.follow("别力古台镇").await;
    visitor.follow("阿日哈夏图嘎查").await;
    let text = visitor.text().await;
    assert!(text.contains(WOMAN), "{text}");
    visitor.look("behind").await;

    visitor.follow(WOMAN).await;
    let text = visitor.text().await;
    assert!(
        text.contains("1980-05-20") && !text.contains(number),
        "{text}"
    );
    let history = driver.find(By::XPath("//h2[contains(., '历史')]")).await?;
    assert!(history.is_displayed().await?);
    let device = driver
        .find(By::XPath("//table[.//th[contains(., '设备')]]//td"))
        .await?;
    assert!(device.is_displayed().await?);
    visitor.look("record").await;
    let address = driver.current_url().await?;
    assert!(!address.as_str().contains(GACHA), "{address}");

    // The same in English, by the link that says so.
    let english = driver.find(By::Css("header a[lang=en]")).await?;
    visitor.click(&english).await?;
    let page = driver.find(By::Tag("html")).await?;
    assert_eq!(page.attr("lang").await?.as_deref(), Some("en"));
    assert!(visitor.text().await.contains("History"));

    for (name, path) in [
        ("register", format!("/zh/register/screening?org={GACHA}")),
        ("freshness", "/zh/freshness".to_owned()),
        ("conflicts", "/zh/conflicts".to_owned()),
    ] {
        driver.goto(&format!("{}{path}", server.console)).await?;
        let text = driver.source().await?;
        assert!(
            !text.contains(number) && !text.contains("10012345678"),
            "{name}"
        );
        visitor.look(name).await;
    }
    Ok(())
}
