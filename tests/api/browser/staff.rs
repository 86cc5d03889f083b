//! Those who look after others, in a real browser (issue 4): support that acts as a patient, who
//! runs the platform, who opens a record in an emergency and who reviews that, and proxies.

use lanyard::audit::log::Logs;
use lanyard::cli::Operator;
use lanyard::ids::{SubjectId, TenantId, VisitId};
use lanyard::impersonation::Rule;
use lanyard::visits::{Visit, VisitKind, VisitState, service};
use time::Duration;

use super::{Town, as_it_is};

impl Town {
    /// Sam is of the platform's support, and may act as members of the clinic; Dana runs the
    /// platform. Lena looks after the clinic's records; Ben is a patient there, but not Mara's; Pat
    /// is one who will act for Ada.
    async fn with_staff() -> Self {
        let mut town = Self::build(as_it_is).await;
        let platform = TenantId::PLATFORM;
        let clinic = town.juniper.id;
        town.arrive("SAM", "Sam Porter", platform, "platform_support")
            .await;
        town.arrive("DANA", "Dana Reed", platform, "super_admin")
            .await;
        town.arrive("LENA", "Lena Ward", clinic, "compliance_lead")
            .await;
        town.arrive("PAT", "Pat Quill", clinic, "patient").await;
        let ben = town.arrive("BEN", "Ben Stone", clinic, "patient").await;
        let doctor = town.arrive("VALE", "Doctor Vale", clinic, "clinician");
        let doctor = doctor.await;
        town.book(ben, doctor).await;
        town.given.push(("ADAS_ID", town.ada.to_string()));
        let app = &town.lab.app;
        Operator::new(&app.db, &app.env, &app.keys)
            .set_impersonation_rule(clinic, Rule::Allowed)
            .await
            .unwrap();
        town.keep_the_logs();
        town
    }

    async fn arrive(
        &mut self,
        word: &'static str,
        name: &str,
        tenant: TenantId,
        role: &str,
    ) -> SubjectId {
        let person = self.lab.person(name).await;
        let subject = self.lab.join(&person, tenant, &[role]).await;
        self.given.push((word, person.login));
        subject
    }

    /// A visit with something written about it, so that the clinic has a data key.
    async fn book(&self, patient: SubjectId, practitioner: SubjectId) {
        let visit = Visit {
            id: VisitId::from_uuid(self.lab.app.env.random_uuid()),
            patient,
            practitioner,
            starts_at: self.lab.now() + Duration::days(1),
            kind: VisitKind::Video,
            state: VisitState::Scheduled,
            reason: Some("A cough that stays".to_owned()),
        };
        service::plant(&self.lab.app, self.juniper.id, &[visit])
            .await
            .unwrap();
    }

    /// What the serving process's jobs do, as often: events get their places, and logs are signed.
    fn keep_the_logs(&self) {
        let app = self.lab.app.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(500));
            loop {
                ticks.tick().await;
                let logs = Logs::of(&app);
                logs.sequence().await.unwrap();
                logs.sign(app.config.audit.key_lifetime).await.unwrap();
            }
        });
    }

    /// What two processes of an API said of themselves, one of which is heard no more.
    async fn plant_verifiers(&self) {
        // The first was heard just now, however long it is until somebody looks.
        for (instance, minutes) in [("visits-1", -10), ("visits-2", 5)] {
            sqlx::query(
                "insert into revocation.standing (tenant_id, client_id, instance, version,
                   keys_age_seconds, position, lag_milliseconds, reported_at)
                 values ($1, 'lanyard-patient', $2, '0.1.0', 12, 7, 120, $3)",
            )
            .bind(TenantId::PLATFORM)
            .bind(instance)
            .bind(self.lab.now() - Duration::minutes(minutes))
            .execute(&mut self.lab.database.superuser().await)
            .await
            .unwrap();
        }
    }
}

/// Design §7: asked, started, handed over, banner, renewal, end; the person looks on and ends one.
#[tokio::test(flavor = "multi_thread")]
async fn support_goes_into_an_app_under_a_banner_that_stays() {
    Town::with_staff().await.play("support", &[]).await;
}

/// docs/decisions/0033: all grants of all clinics, the fleet, the log as it grows, the endings.
#[tokio::test(flavor = "multi_thread")]
async fn who_runs_the_platform_follows_stops_and_ends() {
    let town = Town::with_staff().await;
    town.plant_verifiers().await;
    town.play("platform", &[]).await;
}

/// 45 CFR 164.312(a)(2)(ii), 164.502(g), and the log that shows both as they happen.
#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_and_a_proxy_are_seen_by_those_who_review() {
    Town::with_staff().await.play("care", &[]).await;
}
