use super::waiting_request;
use crate::lab::Lab;
use crate::lab::world::PASSWORD;

#[tokio::test]
async fn a_person_of_two_clinics_chooses_among_hers_alone() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let juniper = lab.clinic("Juniper Health").await;
    let borealis = lab.clinic("Borealis Care").await;
    let foreign = lab.clinic("Cascade Clinic").await;
    lab.join(&ada, juniper.id, &["patient"]).await;
    lab.join(&ada, borealis.id, &["clinician", "clinic_admin"])
        .await;
    let browser = lab.browser();
    let flow = waiting_request(&lab, &browser, None).await;
    let path = format!("/sign-in/clinic?flow={flow}");
    // Nobody is asked before she has signed in.
    browser.get(&path).await.goes_to("/sign-in");
    let page = browser.get(&format!("/sign-in?flow={flow}")).await;
    let answer = browser.sign_in_at(page, &ada.login, PASSWORD).await;
    answer.goes_to("/authorize/resume");
    // Nor before she has proved all that she has (LOGIN-10).
    let asked = browser.get(&path).await.goes_to("/sign-in/code");
    let page = browser.get(&asked).await;
    let code = lab.code();
    let sent = browser.submit(&page, "code-form", &[("code", &code)]).await;
    sent.goes_to("/authorize/resume");

    let page = browser.get(&path).await.page("Choose your clinic");
    for shown in [
        juniper.name.as_str(),
        &borealis.name,
        "Clinic admin and clinician",
        &ada.login,
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    assert!(!page.body.contains(&foreign.name), "{}", page.body);
    for not_hers in [foreign.slug.as_str(), "no-such-clinic", ""] {
        let answer = browser
            .submit(&page, "clinic-form", &[("organization", not_hers)])
            .await;
        answer.shows(404, "Something went wrong");
    }
    let choice = [("organization", borealis.slug.as_str())];
    let answer = browser.submit(&page, "clinic-form", &choice).await;
    assert_eq!(
        answer.goes_to("/authorize/resume"),
        format!("/authorize/resume?flow={flow}")
    );
    let stored: serde_json::Value =
        sqlx::query_scalar("select request from identity.interaction where interaction_id = $1")
            .bind(flow)
            .fetch_one(&mut lab.database.superuser().await)
            .await
            .unwrap();
    assert_eq!(stored["tenant"], borealis.id.to_string());
    assert_eq!(stored["has_chosen"], true);
}

#[tokio::test]
async fn ended_memberships_and_suspended_clinics_are_not_offered() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let mut clinics = Vec::new();
    for name in ["Juniper Health", "Borealis Care", "Cascade Clinic"] {
        let clinic = lab.clinic(name).await;
        lab.join(&ada, clinic.id, &["patient"]).await;
        clinics.push(clinic);
    }
    let mut boss = lab.database.superuser().await;
    sqlx::query("update identity.membership set status = 'ended' where tenant_id = $1")
        .bind(clinics[1].id)
        .execute(&mut boss)
        .await
        .unwrap();
    sqlx::query("update tenancy.tenant set status = 'suspended' where tenant_id = $1")
        .bind(clinics[2].id)
        .execute(&mut boss)
        .await
        .unwrap();
    let browser = lab.signed_in(&ada).await;
    let flow = waiting_request(&lab, &browser, None).await;
    let page = browser.get(&format!("/sign-in/clinic?flow={flow}")).await;
    let page = page.page("Choose your clinic");
    assert!(page.body.contains("Juniper Health"));
    assert!(
        !page.body.contains("Borealis") && !page.body.contains("Cascade"),
        "{}",
        page.body
    );
    for gone in &clinics[1..] {
        let choice = [("organization", gone.slug.as_str())];
        let answer = browser.submit(&page, "clinic-form", &choice).await;
        answer.shows(404, "Something went wrong");
    }
}
