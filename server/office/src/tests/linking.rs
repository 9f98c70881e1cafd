//! Two records of one woman at the office: what ties or parts them, and what somebody must settle.

use sync_core::link::{self, Statement};

use super::*;

/// Says something of two records as the phone does: into the smaller one.
async fn say(office: &Office, cadre: &mut Cadre, other: u8, said: Statement) {
    let key = link::state_key(person(other)).unwrap();
    let puts = [(key.as_str(), Value::from(said.key()))];
    cadre.writes(&office.station, person(1), &puts).await;
}

/// What the section with this heading says.
fn section<'a>(html: &'a str, heading: &str) -> &'a str {
    let after = html.split(heading).nth(1);
    let after = after.unwrap_or_else(|| panic!("no {heading}: {html}"));
    after.split("<h2").next().unwrap()
}

/// The office with another record under the first woman's number and the given name.
async fn recorded_twice(name: &str) -> (Office, Cadre) {
    let office = Office::filled().await;
    let mut other = Cadre::of(&office.station, 4, &space("general")).await;
    let mut puts = woman(&id_number(1), "2020-01", household(1));
    puts[0] = ("identity.name", text(name));
    other.writes(&office.station, person(9), &puts).await;
    (office, other)
}

const REGISTER: &str = "/zh/register/screening?org=152522100200";

#[tokio::test]
async fn two_records_under_one_number_are_one_row_and_each_says_why() {
    let (office, _) = recorded_twice("其其格").await;
    assert!(office.page(REGISTER).await.contains("共 3 条"));
    let first = office.record(REGISTER, "其其格").await;
    assert!(first.contains("同一人的其他记录"), "{first}");
    assert!(section(&first, "同一人的其他记录").contains("证件号码相同"));
    let second = office
        .page(&link(section(&first, "同一人的其他记录"), "其其格"))
        .await;
    assert!(section(&second, "同一人的其他记录").contains("证件号码相同"));
    // They agree in who they are: nothing waits.
    assert!(
        office
            .page("/zh/conflicts")
            .await
            .contains("没有待裁定的内容")
    );
}

#[tokio::test]
async fn names_that_differ_in_a_group_wait_and_stand_side_by_side() {
    let (office, _) = recorded_twice("琪琪格玛").await;
    let waits = office.page("/zh/conflicts").await;
    for said in ["身份信息 · 姓名", "其其格", "琪琪格玛"] {
        assert!(waits.contains(said), "{said}: {waits}");
    }
    let register = office.page(REGISTER).await;
    assert_eq!(register.matches("待裁定</span>").count(), 1, "{register}");
    // Nothing of one is shown as the other's: the figure's row is under the smaller record's name.
    let record = office.record(REGISTER, "其其格").await;
    assert!(record.contains("<h1>其其格</h1>") && record.contains("待裁定"));
}

#[tokio::test]
async fn records_that_somebody_said_are_one_leave_the_register_as_one_and_say_who_tied_them() {
    let office = Office::filled().await;
    let mut cadre = Cadre::of(&office.station, 4, &space("general")).await;
    assert!(office.page(REGISTER).await.contains("共 3 条"));
    say(&office, &mut cadre, 2, Statement::Same).await;
    assert!(office.page(REGISTER).await.contains("共 2 条"));
    let record = office.record(REGISTER, "其其格").await;
    let tied = section(&record, "同一人的其他记录");
    assert!(tied.contains("确认为同一人"), "{tied}");
    // Their names differ: somebody has to confirm it in spite of that.
    assert!(
        office
            .page("/zh/conflicts")
            .await
            .contains("身份信息 · 姓名")
    );
    let history = section(&record, "id=\"history\"");
    assert!(history.contains("确认为同一人"), "{history}");

    say(&office, &mut cadre, 2, Statement::NotSame).await;
    assert!(office.page(REGISTER).await.contains("共 3 条"));
    let record = office.record(REGISTER, "其其格").await;
    assert!(!record.contains("同一人的其他记录"), "{record}");
    let parted = section(&record, "已确认不是同一人的记录");
    assert!(parted.contains("琪琪格"), "{parted}");
    assert!(
        office
            .page("/zh/conflicts")
            .await
            .contains("没有待裁定的内容")
    );
    assert_eq!(
        office.station.app.verify_cells().await.unwrap().differences,
        []
    );
}

#[tokio::test]
async fn a_number_does_not_tie_whom_somebody_parted() {
    let (office, mut cadre) = recorded_twice("其其格玛").await;
    say(&office, &mut cadre, 9, Statement::NotSame).await;
    assert!(office.page(REGISTER).await.contains("共 4 条"));
    assert!(
        office
            .page("/zh/conflicts")
            .await
            .contains("没有待裁定的内容")
    );
    let record = office.record(REGISTER, "其其格").await;
    assert!(section(&record, "已确认不是同一人的记录").contains("其其格玛"));
}
