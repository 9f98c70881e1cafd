//! Secrecy of the pages: what none shows and no address names.

use node::testing::package;

use super::*;

/// Every page with its address, in both languages.
async fn all_pages(office: &Office) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for language in ["zh", "en"] {
        for address in addresses(office, language).await {
            pages.push((address.clone(), office.page(&address).await));
        }
    }
    pages
}

#[tokio::test]
async fn no_page_shows_a_whole_number_that_names_somebody() {
    let office = Office::filled().await;
    let mut cadre = Cadre::of(&office.station, 4, &space("general")).await;
    let wrong = "999999198505200";
    let puts = [
        ("identity.name", text("名字 99999919850520992X")),
        ("identity.aliases", text("电话10055556666，又100-7777-8888")),
        ("identity.sex", text("2")),
        ("identity.id_no", text(wrong)),
        ("residence#r.since", text("2020-01")),
        ("consent#c.given_on", text("10099990000")),
        ("residence#r.status", text("1")),
        ("residence#r.remark", text("99999919850520992X")),
    ];
    cadre.writes(&office.station, person(8), &puts).await;
    let register = format!("/zh/register/screening?org={GACHA}");
    let typed = office.record(&register, "名字 ****************2X").await;
    let mut pages = all_pages(&office).await;
    pages.push(("the record".into(), typed));
    let numbers = [
        id_number(1),
        id_number(2),
        "10012345678".into(),
        "10087654321".into(),
        "99999919850520992X".into(),
        "10055556666".into(),
        "100-7777-8888".into(),
        "10099990000".into(),
        wrong.into(),
    ];
    for (address, html) in pages {
        for number in &numbers {
            assert!(!html.contains(number.as_str()), "{address} shows {number}");
        }
    }
}

#[tokio::test]
async fn no_address_names_a_record_or_a_person() {
    let office = Office::filled().await;
    let ids = [person(1), person(2), household(1)].map(|record| record.to_string());
    for (address, html) in all_pages(&office).await {
        let links = html
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        for link in links.chain([address.as_str()]) {
            assert!(link.is_ascii(), "{link}");
            for id in &ids {
                assert!(
                    !link.contains(id.as_str()) && !link.contains(&id[1..]),
                    "{link}"
                );
            }
        }
        for id in &ids {
            assert!(!html.contains(id.as_str()), "{address} shows {id}");
        }
        // Browsers keep titles as they keep addresses.
        let title = html.split("<title>").nth(1).unwrap();
        let title = title.split("</title>").next().unwrap();
        for name in ["其其格", "琪琪格", "巴特尔"] {
            assert!(!title.contains(name), "{address}: {title}");
        }
    }
}

#[tokio::test]
async fn markup_that_was_typed_into_any_text_stays_text() {
    let office = Office::filled().await;
    let station = &office.station;
    let attack = "\"'><img src=x onerror=alert(1)>{{7*7}}";
    let mut cadre = Cadre::of(station, 4, &space("general")).await;
    let package = package(1);
    // Into every text, date and code of every section that the class holds.
    for (subject, record) in [("person", person(7)), ("household", household(7))] {
        let sections = &package.subject(subject).unwrap().sections;
        for section in sections.iter().filter(|section| section.class == "general") {
            let item = match section.repeating {
                plan::dictionary::Repeating::No => String::new(),
                _ => "#x".to_owned(),
            };
            let puts: Vec<(String, Value)> = section
                .fields
                .iter()
                .map(|field| (format!("{}{item}.{}", section.key, field.key), text(attack)))
                .collect();
            let puts: Vec<(&str, Value)> = puts
                .iter()
                .map(|(key, value)| (key.as_str(), value.clone()))
                .collect();
            cadre.writes(station, record, &puts).await;
        }
    }
    // Such a household stands in the register, where what it says can't be told from the plan's codes.
    let register = format!("/zh/register/water_toilet?org={GACHA}");
    let list = office.page(&register).await;
    let label = "&#34;&#39;&#62;&#60;img src=x onerror=alert(1)&#62;{{7*7}}";
    assert!(list.contains(label), "{list}");
    let record = office.record(&register, label).await;
    assert!(record.matches(label).count() > 10, "{record}");
    let found = office
        .search(
            &register,
            "filter=%22%3E%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E",
        )
        .await;
    for html in [list, record, found.html, office.page("/zh/conflicts").await] {
        assert!(!html.contains("<img") && !html.contains("49}"), "{html}");
    }
}

#[tokio::test]
async fn results_of_examinations_and_protected_data_show_on_no_page() {
    let office = Office::filled().await;
    let station = &office.station;
    let planted = "CLINICAL-SECRET";
    let mut clinic = Cadre::of(station, 4, &space("health")).await;
    let result = [
        ("screening_result#C-2026.cancer", text("C")),
        ("screening_result#C-2026.round", text("2026")),
        ("screening_result#C-2026.pathology", text(planted)),
        ("screening_result#C-2026.remark", text(planted)),
        ("identity.name", text(planted)),
    ];
    clinic.writes(station, person(1), &result).await;
    let mut officer = Cadre::of(station, 5, &space("protected")).await;
    let rights = [
        ("protection.rights_violated", text(planted)),
        ("protection.remark", text(planted)),
    ];
    officer.writes(station, person(1), &rights).await;
    // A device of the village that writes what it must not: the key shows in no space but its own.
    let mut cadre = Cadre::of(station, 6, &space("general")).await;
    cadre.writes(station, person(1), &result[..4]).await;
    let mut twice = Cadre::of(station, 7, &space("health")).await;
    twice
        .writes(
            station,
            person(1),
            &[("screening_result#C-2026.pathology", text("CLINICAL-OTHER"))],
        )
        .await;
    for (address, html) in all_pages(&office).await {
        assert!(!html.contains("CLINICAL"), "{address}: {html}");
        assert!(
            !html.contains("病理") && !html.contains("Pathology"),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_records_address_of_an_earlier_process_asks_to_open_it_again() {
    let office = Office::filled().await;
    let register = format!("/zh/register/screening?org={GACHA}");
    let address = link(&office.page(&register).await, "其其格");
    office.page(&address).await;
    let later = Office::of(office.station.restarted().await);
    for stale in [
        address.as_str(),
        "/zh/record/",
        "/zh/record/AAAA",
        "/zh/record/%00",
    ] {
        let page = later.get(stale).await;
        assert!(
            matches!(page.status, StatusCode::GONE | StatusCode::NOT_FOUND),
            "{stale}"
        );
        assert!(!page.html.contains("其其格"));
    }
    let page = later.get(&address).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert!(page.html.contains("请从台账重新打开该记录"));
}
