//! The console through its router: pages of a station that phones filled.

mod bundling;
mod guarding;
mod linking;
mod reading;
mod secrecy;
mod wording;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use node::testing::{Cadre, GACHA, SUMU, TestServer, household, id_number, person, woman};
use sync_core::value::Value;
use tower::ServiceExt;

use crate::router;

/// The port that the console's listener would have.
const PORT: u16 = 8711;
const HOST: &str = "127.0.0.1:8711";
const RATE: &str = "health.cervical-screening-rate";
const WATER: &str = "environment.pastoral-tap-water-rate";

/// A page as a browser gets it.
struct Page {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

/// A console with a station behind it.
struct Office {
    station: TestServer,
    router: Router,
}

impl Office {
    fn of(station: TestServer) -> Self {
        let router = router(station.app.clone(), PORT).unwrap();
        Self { station, router }
    }

    /// An installation without a record.
    async fn empty() -> Self {
        Self::of(TestServer::sample().await)
    }

    /// Two 嘎查 with women and households; figures are counted.
    async fn filled() -> Self {
        let office = Self::empty().await;
        office.fill().await;
        office.station.app.count_figures().await.unwrap();
        office
    }

    async fn fill(&self) {
        let station = &self.station;
        let mut general = Cadre::of(station, 1, &space("general")).await;
        let mut referral = Cadre::of(station, 2, &space("referral")).await;
        let mut care = Cadre::of(station, 3, &space("care")).await;
        general
            .writes(station, household(1), &home("0101", "巴特尔"))
            .await;
        general
            .writes(station, household(2), &home("0102", "苏和"))
            .await;
        for n in 1..=3 {
            let mut puts = woman(&id_number(n), "2020-01", household(1));
            puts.push((
                "identity.name",
                text(["其其格", "琪琪格", "乌云"][usize::from(n) - 1]),
            ));
            puts.push(("identity.phone", text("10012345678")));
            general.writes(station, person(n), &puts).await;
        }
        let screened = [
            ("screening#C-2026.cancer", text("C")),
            ("screening#C-2026.round", text("2026")),
            ("screening#C-2026.screened_on", text("2026-05-06")),
            ("screening#C-2026.cervical_method", text("TCT")),
        ];
        referral.writes(station, person(1), &screened).await;
        let away = [
            ("spouse_away#a.since", text("2026-01")),
            ("spouse_away#a.reason", text("1")),
        ];
        care.writes(station, person(2), &away).await;
        let water = [
            ("water#w.observed_on", text("2026-06-01")),
            ("water#w.camp", text("1")),
            ("water#w.source", text("01")),
            ("water#w.users", Value::Int(3)),
        ];
        general.writes(station, household(1), &water).await;
    }

    async fn get(&self, path: &str) -> Page {
        self.ask(Request::get(path).header("host", HOST).body(Body::empty()))
            .await
    }

    async fn search(&self, path: &str, form: &str) -> Page {
        self.ask(
            Request::post(path)
                .header("host", HOST)
                .body(Body::from(form.to_owned())),
        )
        .await
    }

    async fn ask(&self, request: axum::http::Result<Request<Body>>) -> Page {
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Page {
            status: head.status,
            headers: head.headers,
            html: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// A page that must be there.
    async fn page(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
        page.html
    }

    /// The record that a page calls `label`.
    async fn record(&self, path: &str, label: &str) -> String {
        let address = link(&self.page(path).await, label);
        self.page(&address).await
    }
}

fn space(class: &str) -> String {
    format!("{GACHA}.{class}")
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn home(number: &str, head: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("household.household_no", text(number)),
        ("household.head_name", text(head)),
        ("household.area_type", text("1")),
        ("household.residence_status", text("1")),
        ("household.resident_population", Value::Int(4)),
        ("household.main_camp", text("1")),
        ("household.phone", text("10087654321")),
    ]
}

/// Where the link with this text leads.
fn link(html: &str, label: &str) -> String {
    let end = format!(">{label}</a>");
    let before = html
        .split(&end)
        .next()
        .filter(|before| before.len() < html.len());
    let before = before.unwrap_or_else(|| panic!("no link {label}: {html}"));
    let href = before
        .rsplit("href=\"")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    href.replace("&#38;", "&")
}

/// The addresses of all pages, by which every test of all pages goes.
async fn addresses(office: &Office, language: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        String::new(),
        format!("?org={SUMU}&year=2026"),
        format!("?org={GACHA}&year=2025"),
        format!("indicator/{RATE}"),
        format!("indicator/{RATE}?org={SUMU}"),
        format!("indicator/{RATE}?org={GACHA}&year=2026"),
        format!("indicator/{WATER}?org={GACHA}&part=unknown"),
        "registers".to_owned(),
        "register/screening".to_owned(),
        format!("register/screening?org={SUMU}"),
        format!("register/screening?org={GACHA}"),
        format!("register/left_behind?org={GACHA}"),
        format!("register/water_toilet?org={GACHA}"),
        "freshness".to_owned(),
        "conflicts".to_owned(),
        format!("conflicts?org={GACHA}"),
        "bundles".to_owned(),
    ]
    .map(|path| format!("/{language}/{path}"))
    .into();
    let register = format!("/{language}/register/screening?org={GACHA}");
    let households = format!("/{language}/register/water_toilet?org={GACHA}");
    for (list, label) in [
        (&register, "其其格"),
        (&register, "琪琪格"),
        (&households, "巴特尔"),
    ] {
        all.push(link(&office.page(list).await, label));
    }
    all
}
