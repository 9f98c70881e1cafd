//! The console's guard: served requests and their headers.

use super::*;

#[tokio::test]
async fn every_page_is_there_in_both_languages_and_leads_to_the_other() {
    let office = Office::filled().await;
    for (language, other, lang) in [("zh", "en", "zh-CN"), ("en", "zh", "en")] {
        for address in addresses(&office, language).await {
            let html = office.page(&address).await;
            assert!(
                html.contains(&format!("<html lang=\"{lang}\">")),
                "{address}"
            );
            assert!(html.contains(&format!("href=\"/{other}/")), "{address}");
            for part in [
                "<h1>",
                "<main id=\"main\"",
                "class=\"skip\"",
                "<nav aria-label=",
            ] {
                assert!(html.contains(part), "{address}: {part}");
            }
            assert_eq!(html.matches("<h1>").count(), 1, "{address}");
            // A text that nobody wrote shows as its name.
            assert!(!html.contains("console-"), "{address}: {html}");
        }
    }
}

#[tokio::test]
async fn an_installation_without_a_record_has_every_page_and_says_so() {
    let office = Office::empty().await;
    for address in ["/zh/", "/zh/registers", "/zh/freshness", "/zh/conflicts"] {
        office.page(address).await;
    }
    let register = format!("/zh/register/screening?org={GACHA}");
    assert!(office.page(&register).await.contains("还没有数据"));
    assert!(
        office
            .page("/zh/conflicts")
            .await
            .contains("没有待裁定的内容")
    );
}

#[tokio::test]
async fn the_first_address_leads_to_the_chinese_overview() {
    let page = Office::empty().await.get("/").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(page.headers["location"], "/zh/");
}

#[tokio::test]
async fn another_hosts_name_is_refused() {
    let office = Office::filled().await;
    let hosts = [
        "evil.example",
        "evil.example:8711",
        "127.0.0.1",
        "127.0.0.1:8712",
        "127.0.0.1:8711.evil.example",
        "",
    ];
    for host in hosts {
        let request = Request::get("/zh/")
            .header("host", host)
            .body(Body::empty());
        let page = office.ask(request).await;
        assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!page.html.contains("152522100"), "{host}");
    }
    let none = office.ask(Request::get("/zh/").body(Body::empty())).await;
    assert_eq!(none.status, StatusCode::MISDIRECTED_REQUEST);
    let absolute = Request::get("http://evil.example/zh/").header("host", HOST);
    let page = office.ask(absolute.body(Body::empty())).await;
    assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST);
    for host in ["127.0.0.1:8711", "localhost:8711", "[::1]:8711"] {
        let request = Request::get("/zh/")
            .header("host", host)
            .body(Body::empty());
        assert_eq!(office.ask(request).await.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn every_answer_forbids_scripts_framing_and_keeping() {
    let office = Office::filled().await;
    let mut all = addresses(&office, "zh").await;
    all.extend(["/", "/zh/nowhere", "/zh/record/nothing"].map(str::to_owned));
    for address in all {
        let page = office.get(&address).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{address}: {policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["cache-control"], "no-store", "{address}");
        assert!(page.headers.get("set-cookie").is_none());
        let lower = page.html.to_lowercase();
        for banned in [
            "<script",
            "style=",
            "<style",
            "javascript:",
            " onclick",
            " onload",
        ] {
            assert!(!lower.contains(banned), "{address}: {banned}");
        }
    }
}

#[tokio::test]
async fn nothing_but_a_search_and_a_bundle_is_posted_and_nothing_else_is_served() {
    let office = Office::filled().await;
    let register = format!("/zh/register/screening?org={GACHA}");
    for address in addresses(&office, "zh").await {
        let page = office.search(&address, "filter=x").await;
        let expected = match address.split(['/', '?']).nth(2) {
            Some("register") => StatusCode::OK,
            // Not without the pass of its form.
            Some("bundles") => StatusCode::FORBIDDEN,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        assert_eq!(page.status, expected, "{address}");
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::builder()
            .method(method)
            .uri(&register)
            .header("host", HOST);
        let page = office.ask(request.body(Body::empty())).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    let long = format!("filter={}", "x".repeat(10_000));
    let page = office.search(&register, &long).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    // The phones' routes are on another listener.
    for path in ["/healthz", "/v1/network", "/v1/exchange"] {
        assert_eq!(
            office.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_the_plan_does_not_have_is_a_page_that_is_not_there() {
    let office = Office::filled().await;
    let addresses = [
        "/zh/?org=999999".to_owned(),
        "/zh/?year=1999".to_owned(),
        "/zh/?year=x".to_owned(),
        "/zh/indicator/health.nothing".to_owned(),
        format!("/zh/indicator/{RATE}?org=1525221009"),
        format!("/zh/indicator/{RATE}?org={GACHA}&part=all"),
        format!("/zh/indicator/{RATE}?org={GACHA}&page=2"),
        "/zh/register/nothing".to_owned(),
        format!("/zh/register/screening?org={GACHA}&page=2"),
        format!("/zh/register/screening?org={GACHA}&page=0"),
        format!("/zh/register/screening?org={GACHA}&page=99999999999999999999"),
        "/zh/conflicts?org=1".to_owned(),
        "/mn/".to_owned(),
        "/zh/nowhere".to_owned(),
        "/assets/other.css".to_owned(),
    ];
    for address in addresses {
        let page = office.get(&address).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{address}");
        assert!(page.html.contains("没有这一页"), "{address}: {}", page.html);
    }
    let english = office.get("/en/nowhere").await;
    assert!(english.html.contains("There is no such page"));
}

#[tokio::test]
async fn the_style_sheet_may_be_kept_under_the_name_of_its_content() {
    let office = Office::empty().await;
    let html = office.page("/zh/").await;
    let address = html.split("rel=\"stylesheet\" href=\"").nth(1).unwrap();
    let address = address.split('"').next().unwrap();
    let sheet = office.get(address).await;
    assert_eq!(sheet.status, StatusCode::OK);
    assert_eq!(sheet.headers["content-type"], "text/css; charset=utf-8");
    assert!(
        sheet.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let tag = sheet.headers["etag"].to_str().unwrap().trim_matches('"');
    assert!(address.contains(tag));
    // Nothing is fetched from elsewhere.
    assert!(!sheet.html.contains("url(") && !sheet.html.contains("@import"));
}

#[tokio::test]
async fn a_store_that_fails_is_a_page_that_says_nothing_is_lost() {
    let office = Office::filled().await;
    office
        .station
        .tamper("UPDATE record SET state = x'00'")
        .await;
    let page = office
        .get(&format!("/zh/register/screening?org={GACHA}"))
        .await;
    assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.html.contains("没有丢失任何内容"));
    assert_eq!(page.headers["cache-control"], "no-store");
}
