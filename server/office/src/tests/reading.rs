//! Contents of the pages, and the links between them.

use node::testing::{MINE, NOON, Phone};

use super::*;

/// From an indicator down to who wrote what, by the texts of the links.
#[tokio::test]
async fn a_figure_is_followed_down_to_the_records_behind_it_and_to_who_wrote_them() {
    let office = Office::filled().await;
    let overview = office.page("/zh/").await;
    assert!(overview.contains("33.3%"), "{overview}");
    assert!(overview.contains("≥ 70%"));
    assert!(overview.contains("−36.7 个百分点"));
    let banner = office
        .page(&link(&overview, "适龄妇女宫颈癌人群筛查率"))
        .await;
    let sumu = office.page(&link(&banner, SUMU)).await;
    let gacha = office.page(&link(&sumu, GACHA)).await;
    assert!(gacha.contains("计入分子，合计 1。"));
    let rest = office.page(&link(&gacha, "未达到 2")).await;
    assert!(rest.contains("琪琪格") && rest.contains("乌云") && !rest.contains("其其格<"));
    let record = office.page(&link(&gacha, "其其格")).await;
    assert!(record.contains("<h1>其其格</h1>"));
    for said in ["身份信息", "两癌筛查", "女性", "宫颈癌筛查有效"] {
        assert!(record.contains(said), "{said}: {record}");
    }
    let history = record.split("id=\"history\"").nth(1).unwrap();
    assert!(history.contains("身份信息 · 姓名"), "{history}");
    let device = sync_core::id::DeviceId::of_key(
        &sync_core::seal::SigningKey::from_bytes(&[1; 32])
            .public()
            .bytes,
    );
    assert!(history.contains(&device.to_string()[..8]));
    // Noon UTC+8 of the day on which it was written.
    assert!(history.contains(&date_and_minute(NOON)), "{history}");
}

fn date_and_minute(seconds: i64) -> String {
    let date = sync_core::date::date_in_china(seconds);
    let of_day = (seconds + 8 * 3600) % 86_400;
    format!("{date} {:02}:{:02}", of_day / 3600, of_day % 3600 / 60)
}

#[tokio::test]
async fn the_sum_of_the_records_behind_a_figure_is_the_figure_also_where_one_counts_for_several() {
    let office = Office::filled().await;
    let page = office
        .page(&format!("/zh/indicator/{WATER}?org={GACHA}&year=2026"))
        .await;
    // Of the first household's four people three use tap water; the second was never looked at.
    assert!(
        page.contains("75.0%") && page.contains("计入分子，合计 3。"),
        "{page}"
    );
    assert!(page.contains("若未知全部为否 37.5%"));
    let unknown = office.page(&link(&page, "未知 4")).await;
    assert!(unknown.contains("苏和") && !unknown.contains(">巴特尔</a>"));
    assert!(unknown.contains("因内容缺少而未知，合计 4。"));
}

#[tokio::test]
async fn an_indicator_quotes_the_plan_and_explains_its_rule() {
    let office = Office::filled().await;
    let page = office
        .page(&format!("/zh/indicator/{RATE}?org={GACHA}&year=2026"))
        .await;
    assert!(page.contains("<mark>适龄妇女宫颈癌人群筛查率达到70％以上</mark>"));
    assert!(
        page.contains("<code>woman &#38;&#38; resident &#38;&#38; screening_age</code>"),
        "{page}"
    );
    assert!(page.contains("宫颈癌筛查工作方案"));
    assert!(page.contains("2026-12-31"));
    let english = office
        .page(&format!("/en/indicator/{RATE}?org={GACHA}&year=2026"))
        .await;
    assert!(english.contains("Cervical cancer screening rate"));
}

#[tokio::test]
async fn a_year_without_figures_shows_dashes_and_no_verdict() {
    let office = Office::empty().await;
    office.station.app.count_figures().await.unwrap();
    let overview = office.page("/zh/?year=2024").await;
    assert!(
        overview.contains("—") && !overview.contains("达标"),
        "{overview}"
    );
}

#[tokio::test]
async fn figures_that_were_never_counted_say_so() {
    let office = Office::empty().await;
    office.fill().await;
    office.station.tamper("DELETE FROM generation").await;
    assert!(office.page("/zh/").await.contains("正在按新方案计算数字"));
    let page = office.get(&format!("/zh/indicator/{RATE}")).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_register_shows_titles_marks_what_is_overdue_and_links_each_record() {
    let office = Office::filled().await;
    let register = office
        .page(&format!("/zh/register/screening?org={GACHA}"))
        .await;
    assert!(register.contains("共 3 条") && register.contains("周岁"));
    assert!(
        register.contains("<td class=\"overdue\">2020-05-20 <span class=\"flag\">已到期</span>"),
        "{register}"
    );
    assert!(register.contains("2029-05-06"), "{register}");
    let households = office
        .page(&format!("/zh/register/water_toilet?org={GACHA}"))
        .await;
    assert!(households.contains("0101") && households.contains(">巴特尔</a>"));
    let picker = office.page("/zh/register/screening").await;
    assert_eq!(
        link(&picker, GACHA),
        format!("/zh/register/screening?org={GACHA}")
    );
    assert!(!picker.contains(MINE));
}

#[tokio::test]
async fn a_search_finds_text_that_is_shown_and_whole_numbers_and_stands_in_no_address() {
    let office = Office::filled().await;
    let register = format!("/zh/register/screening?org={GACHA}");
    let number = id_number(2);
    let searches = [
        ("filter=%E7%90%AA%E7%90%AA%E6%A0%BC", 1),
        ("filter=2026-05-06", 1),
        (&format!("filter={number}"), 1),
        (&format!("filter={}", number.to_lowercase()), 1),
        ("filter=10012345678", 3),
        ("filter=1001234", 0),
        (&format!("filter={}", &number[..12]), 0),
        ("filter=nobody", 0),
        ("", 3),
    ];
    for (form, expected) in searches {
        let page = office.search(&register, form).await;
        assert_eq!(page.status, StatusCode::OK);
        let found = page.html.matches("<th scope=\"row\">").count();
        assert_eq!(found, expected, "{form}: {}", page.html);
    }
    let page = office.search(&register, "filter=%E7%90%AA").await;
    let addresses = page
        .html
        .split("href=\"")
        .skip(1)
        .chain(page.html.split("action=\"").skip(1));
    for address in addresses {
        let address = address.split('"').next().unwrap();
        assert!(
            !address.contains("%E7%90%AA") && !address.contains('琪'),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_long_register_comes_in_pages_also_of_what_was_found() {
    let office = Office::empty().await;
    let mut cadre = Cadre::of(&office.station, 1, &space("general")).await;
    for n in 1..=120 {
        cadre
            .writes(
                &office.station,
                household(n),
                &home(&format!("{n:04}"), &format!("户{n:03}")),
            )
            .await;
    }
    let address = format!("/zh/register/water_toilet?org={GACHA}");
    let mut seen = 0;
    let mut next = Some(address.clone());
    while let Some(address) = next {
        let html = office.page(&address).await;
        seen += html.matches("<th scope=\"row\">").count();
        next = html.contains("rel=\"next\"").then(|| link(&html, "下一页"));
    }
    assert_eq!(seen, 120);
    let found = office
        .search(&address, "filter=%E6%88%B7&page=3")
        .await
        .html;
    assert_eq!(found.matches("<th scope=\"row\">").count(), 20);
    assert!(found.contains("name=\"page\" value=\"2\"") && !found.contains("value=\"4\""));
}

#[tokio::test]
async fn values_written_apart_stand_side_by_side_and_lead_to_the_record() {
    let office = Office::filled().await;
    let station = &office.station;
    let mut other = Cadre::of(station, 4, &space("general")).await;
    other
        .writes(station, person(1), &[("identity.name", text("其其格玛"))])
        .await;
    let conflicts = office.page("/zh/conflicts").await;
    assert!(
        conflicts.contains("其其格玛") && conflicts.contains("身份信息 · 姓名"),
        "{conflicts}"
    );
    let unit = conflicts.split("class=\"waiting\"").nth(1).unwrap();
    let label = unit
        .split("</a>")
        .next()
        .unwrap()
        .rsplit('>')
        .next()
        .unwrap();
    let record = office.record("/zh/conflicts", label).await;
    assert!(record.contains("待裁定") && record.contains("其其格玛") && record.contains("其其格"));
    let register = office
        .page(&format!("/zh/register/screening?org={GACHA}"))
        .await;
    assert_eq!(register.matches("待裁定</span>").count(), 1, "{register}");
}

#[tokio::test]
async fn a_person_leads_to_her_household_and_back() {
    let office = Office::filled().await;
    let register = format!("/zh/register/screening?org={GACHA}");
    let person = office.record(&register, "其其格").await;
    let home = office.page(&link(&person, "巴特尔")).await;
    assert!(home.contains("登记在本户的人员") && home.contains("饮水观测"));
    assert!(
        office
            .page(&link(&home, "乌云"))
            .await
            .contains("<h1>乌云</h1>")
    );
}

#[tokio::test]
async fn two_records_of_one_person_name_each_other() {
    let office = Office::filled().await;
    let mut other = Cadre::of(&office.station, 4, &space("general")).await;
    let mut puts = woman(&id_number(1), "2020-01", household(1));
    puts[0] = ("identity.name", text("另写"));
    other.writes(&office.station, person(9), &puts).await;
    let register = format!("/zh/register/screening?org={GACHA}");
    let html = office.page(&register).await;
    assert!(html.contains("共 3 条"));
    let record = office.record(&register, "其其格").await;
    assert!(record.contains("同一人的其他记录"), "{record}");
}

#[tokio::test]
async fn who_was_not_heard_of_for_more_than_fourteen_days_is_marked() {
    let office = Office::filled().await;
    let fresh = office.page("/zh/freshness").await;
    assert!(fresh.contains(&date_and_minute(NOON)), "{fresh}");
    // The other 嘎查 has no phone at all.
    assert!(fresh.contains("共 2 个单位，其中 1 个"));
    assert!(fresh.contains("没有手机") && !fresh.contains("天没有联系</span>"));
    office.station.pass(15 * 86_400);
    let late = office.page("/zh/freshness").await;
    assert!(late.contains("已 15 天没有联系") && late.contains("共 2 个单位，其中 2 个"));
    let mut back = Phone::enrolled(&office.station, 1, &space("general")).await;
    back.exchange(&office.station, &[]).await;
    assert!(office.page("/zh/freshness").await.contains("其中 1 个"));
}
