//! The policies of the database under attack: any SQL as the role that serves the API, under any
//! context but the right one.

use lanyard::ids::SubjectId;

use super::Ward;
use crate::lab::cluster::tell;
use crate::seal::attacker::{Forge, Said};
use crate::seal::wire::{Answer, Wire};

const LIVE: &str = "clock_timestamp() - interval '1 minute', clock_timestamp() + interval '1 hour'";
const EXPIRED: &str =
    "clock_timestamp() - interval '61 minutes', clock_timestamp() - interval '1 minute'";

/// The API's own login on the ward's database, with a key of its own for contexts.
struct Intruder {
    forge: Forge,
    wire: Wire,
    doctor: Said,
}

impl Intruder {
    /// In the doctor's transaction, in an emergency.
    fn new(ward: &Ward) -> Self {
        let forge = Forge::registered(&ward.lab.database, 7, "1 hour");
        Self {
            forge,
            wire: Wire::login(&ward.lab.database, "lanyard_tenant"),
            doctor: said(ward, "clinician", "emergency", ward.doctor.subject),
        }
    }

    /// Runs one statement under a context, for good.
    fn run(&mut self, said: &Said, sql: &str) -> Answer {
        let context = self.forge.seal(said, 50);
        let begin = format!("begin; set local lanyard.context = '{context}'");
        self.wire.ask_all(&[&begin, sql, "commit"])
    }

    /// Whose visits are seen.
    fn sees(&mut self, said: &Said) -> Vec<String> {
        let answer = self.run(said, "select patient_id from visits.visit order by 1");
        assert_eq!(answer.errors, Vec::new());
        answer
            .rows
            .iter()
            .map(|row| row[0].clone().unwrap())
            .collect()
    }
}

fn said(ward: &Ward, class: &'static str, purpose: &str, subject: SubjectId) -> Said {
    Said {
        class,
        tenant: ward.clinic.id.to_string(),
        subject: subject.to_string(),
        purpose: purpose.to_owned(),
        ..Said::default()
    }
}

/// Plants the doctor's access to the other's patient as the superuser; gives its id.
async fn plant(ward: &Ward, times: &str) -> String {
    let id = ward.lab.app.env.random_uuid().to_string();
    let (tenant, doctor, patient) = (ward.clinic.id, ward.doctor.subject, ward.other.0);
    let mut boss = ward.lab.database.superuser().await;
    tell(
        &mut boss,
        &format!(
            "set session_replication_role = replica;
             insert into visits.emergency_access (tenant_id, access_id, clinician_id, patient_id,
                 reason, why_sealed, opened_at, expires_at)
               values ('{tenant}', '{id}', '{doctor}', '{patient}', 'other',
                 convert_to(repeat('x', 40), 'UTF8'), {times})"
        ),
    )
    .await;
    id
}

#[tokio::test]
async fn an_access_shows_one_patient_to_one_clinician_for_one_purpose() {
    let ward = Ward::in_real_time().await;
    plant(&ward, LIVE).await;
    let mut intruder = Intruder::new(&ward);
    let (own, other) = (ward.own.0.to_string(), ward.other.0.to_string());
    let doctor = intruder.doctor.clone();
    assert_eq!(intruder.sees(&doctor), [other.as_str()]);
    let as_usual = said(&ward, "clinician", "treatment", ward.doctor.subject);
    assert_eq!(intruder.sees(&as_usual), [own.as_str()]);
    let subject = ward.doctor.subject;
    let elsewhere = ward.lab.clinic("Harbor Clinic").await;
    let nothing = [
        said(&ward, "clinician", "payment", subject),
        said(&ward, "clinician", "operations", subject),
        said(&ward, "clinician", "", subject),
        said(&ward, "patient", "emergency", subject),
        said(&ward, "patient", "emergency", ward.other.0),
        said(&ward, "care_team", "emergency", subject),
        said(&ward, "care_team", "payment", subject),
        said(&ward, "auditor", "operations", subject),
        said(&ward, "auditor", "emergency", subject),
        said(&ward, "no_records", "emergency", subject),
        said(&ward, "job", "emergency", subject),
        // A colleague, and the patient, under the right purpose.
        said(&ward, "clinician", "emergency", ward.lead.subject),
        said(&ward, "clinician", "emergency", ward.other.0),
        // In his name, and at another clinic.
        Said {
            actor: ward.lead.subject.to_string(),
            ..doctor.clone()
        },
        Said {
            tenant: elsewhere.id.to_string(),
            ..doctor.clone()
        },
    ];
    for said in &nothing {
        assert_eq!(intruder.sees(said), Vec::<String>::new(), "{said:?}");
    }
}

/// By the database's own clock, whatever the server's says.
#[tokio::test]
async fn what_is_over_shows_nothing() {
    let ward = Ward::in_real_time().await;
    let expired = plant(&ward, EXPIRED).await;
    let mut intruder = Intruder::new(&ward);
    let doctor = intruder.doctor.clone();
    assert_eq!(intruder.sees(&doctor), Vec::<String>::new());
    // Prolonged it can't be, nor moved to another patient.
    for set in [
        "expires_at = now() + interval '1 hour'".to_owned(),
        "opened_at = now()".to_owned(),
        format!("patient_id = '{}'", ward.own.0),
        "clinician_id = patient_id".to_owned(),
    ] {
        let sql = format!("update visits.emergency_access set {set}");
        let refused = intruder.run(&doctor, &sql);
        assert_eq!(refused.state(), "42501", "{set}: {refused:?}");
    }
    let close = format!(
        "update visits.emergency_access set closed_at = expires_at where access_id = '{expired}'"
    );
    assert_eq!(intruder.run(&doctor, &close).tags[2], "UPDATE 1");
    plant(&ward, LIVE).await;
    assert_eq!(intruder.sees(&doctor).len(), 1);
    let close = "update visits.emergency_access set closed_at = clock_timestamp()";
    let closed = intruder.run(&doctor, close);
    assert_eq!(closed.tags[2], "UPDATE 1", "the open one alone: {closed:?}");
    assert_eq!(intruder.sees(&doctor), Vec::<String>::new());
    let reopened = intruder.run(
        &doctor,
        "update visits.emergency_access set closed_at = null",
    );
    assert_eq!(reopened.tags[2], "UPDATE 0", "{reopened:?}");
    let deleted = intruder.run(&doctor, "delete from visits.emergency_access");
    assert_eq!(deleted.state(), "42501");
}

/// What an injected INSERT could open: nothing in another's name, beyond four hours, already
/// reviewed, of himself, or silently.
#[tokio::test]
async fn an_access_that_is_planted_is_his_own_short_and_told() {
    let ward = Ward::in_real_time().await;
    let mut intruder = Intruder::new(&ward);
    let doctor = intruder.doctor.clone();
    let insert = |who: SubjectId, patient: SubjectId, times: &str, more: (&str, &str)| {
        format!(
            "insert into visits.emergency_access (tenant_id, access_id, clinician_id, patient_id,
                 reason, why_sealed, opened_at, expires_at{})
               values ('{}', gen_random_uuid(), '{who}', '{patient}', 'other',
                 convert_to(repeat('x', 40), 'UTF8'), {times}{})",
            more.0, ward.clinic.id, more.1
        )
    };
    let (me, other) = (ward.doctor.subject, ward.other.0);
    let none = ("", "");
    let now = "clock_timestamp()";
    let span = |from: &str, length: &str| format!("{now} + interval '{from}', {now} + {length}");
    let long = span("0", "interval '241 minutes'");
    let later = span("2 hours", "interval '3 hours'");
    let brief = span("0", "interval '4 minutes'");
    let lead = ward.lead.subject;
    let reviewed = format!(", {now}, '{lead}', 'appropriate'");
    let is_reviewed = (", reviewed_at, reviewed_by, finding", reviewed.as_str());
    for (sql, state) in [
        (insert(lead, other, LIVE, none), "42501"),
        (insert(me, me, LIVE, none), "23514"),
        (insert(me, other, &long, none), "23514"),
        (insert(me, other, &brief, none), "23514"),
        (insert(me, other, &later, none), "42501"),
        (insert(me, other, LIVE, is_reviewed), "42501"),
    ] {
        let refused = intruder.run(&doctor, &sql);
        assert_eq!(refused.state(), state, "{sql}: {refused:?}");
    }
    let good = insert(me, other, LIVE, none);
    let contexts = [
        said(&ward, "clinician", "treatment", me),
        said(&ward, "auditor", "operations", me),
        said(&ward, "care_team", "emergency", me),
        Said {
            actor: lead.to_string(),
            ..doctor.clone()
        },
    ];
    for said in &contexts {
        let refused = intruder.run(said, &good);
        assert_eq!(refused.state(), "42501", "{said:?}: {refused:?}");
    }
    assert!(ward.letters(&ward.lead).await.is_empty());
    assert_eq!(intruder.run(&doctor, &good).state(), "00000");
    assert_eq!(
        ward.letters(&ward.lead).await.len(),
        1,
        "told, whoever wrote it"
    );
    let letter = "insert into outbox.message (tenant_id, message_id, account_id, kind, parameters,
        created_at) select tenant_id, gen_random_uuid(), gen_random_uuid(), 'emergency_opened',
        '{}', now() from tenancy.tenant";
    for sql in [
        letter,
        "select * from outbox.message",
        "select clerk.alert_of_emergency()",
    ] {
        assert_eq!(intruder.run(&doctor, sql).state(), "42501", "{sql}");
    }
}

/// A review is another's, whole, and stays.
#[tokio::test]
async fn a_review_is_another_s_and_stays() {
    let ward = Ward::in_real_time().await;
    plant(&ward, EXPIRED).await;
    let mut intruder = Intruder::new(&ward);
    let doctor = intruder.doctor.clone();
    let sign = |by: SubjectId, finding: &str| {
        format!(
            "update visits.emergency_access
             set reviewed_at = clock_timestamp(), reviewed_by = '{by}', finding = '{finding}'"
        )
    };
    let lead = ward.lead.subject;
    let own = said(&ward, "auditor", "operations", ward.doctor.subject);
    let acted = Said {
        actor: ward.admin.subject.to_string(),
        ..said(&ward, "auditor", "operations", lead)
    };
    let reviewer = said(&ward, "auditor", "operations", lead);
    let tags = |answer: &Answer| answer.tags.get(2).cloned();
    let none = Some("UPDATE 0".to_owned());
    let self_signed = intruder.run(&own, &sign(ward.doctor.subject, "appropriate"));
    assert_eq!(tags(&self_signed), none, "{self_signed:?}");
    let acted = intruder.run(&acted, &sign(lead, "appropriate"));
    assert_eq!(tags(&acted), none, "{acted:?}");
    for (said, by, finding, state) in [
        (&doctor, lead, "appropriate", "42501"),
        (&reviewer, ward.admin.subject, "appropriate", "42501"),
        (&reviewer, ward.doctor.subject, "appropriate", "42501"),
        (&reviewer, lead, "inappropriate", "23514"),
        (&reviewer, lead, "fine", "23514"),
    ] {
        let refused = intruder.run(said, &sign(by, finding));
        assert_eq!(refused.state(), state, "{finding}: {refused:?}");
    }
    let half = "update visits.emergency_access set reviewed_by = seal.subject()";
    assert_eq!(intruder.run(&reviewer, half).state(), "23514");
    let signed = intruder.run(&reviewer, &sign(lead, "appropriate"));
    assert_eq!(tags(&signed).as_deref(), Some("UPDATE 1"), "{signed:?}");
    let admin = said(&ward, "auditor", "operations", ward.admin.subject);
    for who in [&reviewer, &admin, &doctor] {
        let again = intruder.run(who, &sign(lead, "appropriate"));
        assert_eq!(tags(&again), none, "{again:?}");
    }
    // What is open is not signed off, so it opens for no longer than it says.
    plant(&ward, LIVE).await;
    assert_eq!(
        intruder.run(&reviewer, &sign(lead, "appropriate")).state(),
        "23514"
    );
    assert_eq!(intruder.sees(&doctor).len(), 1);
}

/// Reading a patient's visits asks for one row of accesses by its index, and the seal once.
#[tokio::test]
async fn the_policy_looks_up_one_access_by_its_index() {
    let ward = Ward::in_real_time().await;
    plant(&ward, LIVE).await;
    let tenant = ward.clinic.id;
    let mut boss = ward.lab.database.superuser().await;
    let crowd = format!(
        "set session_replication_role = replica;
         insert into visits.emergency_access (tenant_id, access_id, clinician_id, patient_id,
             reason, why_sealed, opened_at, expires_at, closed_at)
           select '{tenant}', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'other',
             convert_to(repeat('x', 40), 'UTF8'), now(), now() + interval '1 hour',
             case when n % 2 = 0 then now() end
           from generate_series(1, 5000) n;
         insert into visits.visit (tenant_id, visit_id, patient_id, practitioner_id, starts_at,
             kind, state)
           select '{tenant}', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(),
             'video', 'scheduled' from generate_series(1, 5000);
         analyze visits.visit, visits.emergency_access"
    );
    tell(&mut boss, &crowd).await;
    let mut intruder = Intruder::new(&ward);
    let doctor = intruder.doctor.clone();
    let sql = format!(
        "explain (analyze, costs off, timing off) select visit_id from visits.visit
         where tenant_id = '{tenant}' and patient_id = '{}' order by starts_at desc limit 100",
        ward.other.0
    );
    let answer = intruder.run(&doctor, &sql);
    assert_eq!(answer.errors, Vec::new());
    let lines = answer.rows.iter().map(|row| row[0].clone().unwrap());
    let plan = lines.collect::<Vec<_>>().join("\n");
    for part in [
        "visit_by_patient",
        "emergency_is_open_once",
        "One-Time Filter",
    ] {
        assert!(plan.contains(part), "{part}\n{plan}");
    }
    assert!(!plan.contains("Seq Scan"), "{plan}");
}
