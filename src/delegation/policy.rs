//! Who may let whom act for whom, and who may end it. Pure.

use lanyard_verifier::Basis;
use time::{Date, Duration, Month, OffsetDateTime};

use super::model::{Delegation, EndCause, Party, Terms};
use crate::ids::SubjectId;

/// How far ahead one may begin.
const BEGINS_WITHIN: Duration = Duration::days(365);
/// How long a patient's own authorization is good: one that names no end is none
/// (45 CFR 164.508(c)(1)(v)).
const AUTHORIZED_FOR: Duration = Duration::days(730);
/// Until what age somebody is a minor anywhere in the United States, at most.
const OLDEST_MINOR_YEARS: i32 = 21;

/// The law that a basis stands on.
pub const fn law(basis: Basis) -> &'static str {
    match basis {
        Basis::Parent => "45 CFR 164.502(g)(3)",
        Basis::Guardian | Basis::PowerOfAttorney => "45 CFR 164.502(g)(2)",
        Basis::Caregiver => "45 CFR 164.508",
    }
}

/// Who writes one down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granter {
    /// An administrator of the clinic, who has seen the paper.
    Clinic(SubjectId),
    /// The patient herself.
    Patient(SubjectId),
}

impl Granter {
    /// The member.
    pub const fn subject(self) -> SubjectId {
        match self {
            Self::Clinic(subject) | Self::Patient(subject) => subject,
        }
    }
}

/// Why one is not written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Nobody lets herself act, and an administrator who is the patient names nobody as one.
    Herself,
    /// That is not what its basis asks for: the field.
    Field(&'static str),
}

/// Whether somebody may let the proxy act for the patient on these terms.
///
/// # Errors
/// The first [`Unfit`] that applies.
pub fn may_grant(
    terms: &Terms,
    granter: Granter,
    (patient, proxy): (&Party, &Party),
    now: OffsetDateTime,
) -> Result<(), Unfit> {
    let by = granter.subject();
    let is_hers = matches!(granter, Granter::Patient(_));
    if by == terms.proxy || is_hers != (by == terms.patient) {
        return Err(Unfit::Herself);
    }
    let from = terms.valid_from.unwrap_or(now);
    let ages_out = terms.ages_out_on.map(|day| day.midnight().assume_utc());
    let latest = latest_birthday(now);
    let is_early = |at: Option<OffsetDateTime>| at.is_some_and(|at| at <= from);
    let may_age_out = matches!(terms.basis, Basis::Parent | Basis::Guardian);
    let is_authorization = terms.basis == Basis::Caregiver;
    let is_too_long = terms
        .valid_until
        .is_none_or(|until| until > from.saturating_add(AUTHORIZED_FOR));
    let findings = [
        (patient.account == proxy.account, "proxy"),
        (is_hers && !is_authorization, "basis"),
        (is_hers == terms.document.is_some(), "document"),
        (terms.scope.is_empty(), "scope"),
        (!(now..=now + BEGINS_WITHIN).contains(&from), "valid_from"),
        (
            is_early(terms.valid_until) || is_authorization && is_too_long,
            "valid_until",
        ),
        (
            is_early(ages_out)
                || terms.ages_out_on.is_some_and(|day| day > latest)
                || (terms.basis == Basis::Parent && ages_out.is_none())
                || (!may_age_out && ages_out.is_some()),
            "ages_out_on",
        ),
    ];
    match findings.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, field)) => Err(Unfit::Field(field)),
        None => Ok(()),
    }
}

/// When a child born today is a minor nowhere any more. Who was born on a leap day is so a day
/// early.
fn latest_birthday(now: OffsetDateTime) -> Date {
    let (year, today) = (now.year() + OLDEST_MINOR_YEARS, now.date());
    let on_its_day = today.replace_year(year);
    on_its_day.unwrap_or_else(|_| {
        Date::from_calendar_date(year, Month::February, 28).expect("every February has a 28th")
    })
}

/// Whether a patient may end it herself. A minor's parent and a court's guardian are not hers to
/// dismiss: the clinic ends those.
pub const fn is_the_patients_to_end(basis: Basis) -> bool {
    matches!(basis, Basis::Caregiver | Basis::PowerOfAttorney)
}

/// Why one ends if that member ends it; `None`: it is none of hers to end.
pub fn cause_of_member(delegation: &Delegation, by: SubjectId) -> Option<EndCause> {
    if by == delegation.proxy {
        Some(EndCause::Proxy)
    } else if by == delegation.patient && is_the_patients_to_end(delegation.basis) {
        Some(EndCause::Patient)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};
    use uuid::Uuid;

    use super::super::model::{Document, Lent};
    use super::*;
    use crate::ids::{AccountId, DelegationId, TenantId};

    const NOW: OffsetDateTime = datetime!(2026-03-02 14:00 UTC);

    fn subject(n: u128) -> SubjectId {
        SubjectId::from_uuid(Uuid::from_u128(n))
    }

    fn party(n: u128) -> Party {
        Party {
            subject: subject(n),
            account: AccountId::from_uuid(Uuid::from_u128(n)),
            is_patient: true,
        }
    }

    /// A child's, by her clinic.
    fn terms(basis: Basis) -> Terms {
        Terms {
            patient: subject(1),
            proxy: subject(2),
            basis,
            document: Document::parse("CUSTODY-1"),
            scope: vec![Lent::Visits],
            valid_from: None,
            valid_until: (basis == Basis::Caregiver).then_some(NOW + Duration::days(30)),
            ages_out_on: (basis == Basis::Parent).then_some(date!(2030 - 05 - 01)),
        }
    }

    type Change = fn(&mut Terms);

    fn by_clinic(terms: &Terms) -> Result<(), Unfit> {
        let granter = Granter::Clinic(subject(3));
        may_grant(terms, granter, (&party(1), &party(2)), NOW)
    }

    #[test]
    fn a_clinic_writes_down_what_the_basis_asks_for() {
        for basis in Basis::ALL {
            assert_eq!(by_clinic(&terms(basis)), Ok(()), "{basis:?}");
        }
        let table: [(Basis, Change, &str); 13] = [
            (Basis::Parent, |t| t.document = None, "document"),
            (Basis::Parent, |t| t.scope.clear(), "scope"),
            (Basis::Parent, |t| t.ages_out_on = None, "ages_out_on"),
            (
                Basis::Parent,
                |t| t.ages_out_on = Some(date!(2026 - 03 - 02)),
                "ages_out_on",
            ),
            (
                Basis::Guardian,
                |t| t.ages_out_on = Some(date!(2047 - 03 - 03)),
                "ages_out_on",
            ),
            (
                Basis::PowerOfAttorney,
                |t| t.ages_out_on = Some(date!(2030 - 05 - 01)),
                "ages_out_on",
            ),
            (
                Basis::Caregiver,
                |t| t.ages_out_on = Some(date!(2030 - 05 - 01)),
                "ages_out_on",
            ),
            (Basis::Caregiver, |t| t.valid_until = None, "valid_until"),
            (
                Basis::Caregiver,
                |t| t.valid_until = Some(NOW + Duration::days(731)),
                "valid_until",
            ),
            (
                Basis::Guardian,
                |t| t.valid_until = Some(NOW),
                "valid_until",
            ),
            (
                Basis::Guardian,
                |t| t.valid_from = Some(NOW - Duration::SECOND),
                "valid_from",
            ),
            (
                Basis::Guardian,
                |t| t.valid_from = Some(NOW + Duration::days(366)),
                "valid_from",
            ),
            (
                Basis::Parent,
                |t| t.valid_from = Some(datetime!(2027-01-01 0:00 UTC)),
                "",
            ),
        ];
        for (basis, change, field) in table {
            let mut terms = terms(basis);
            change(&mut terms);
            let expected = if field.is_empty() {
                Ok(())
            } else {
                Err(Unfit::Field(field))
            };
            assert_eq!(by_clinic(&terms), expected, "{terms:?}");
        }
    }

    #[test]
    fn nobody_lets_herself_act_and_a_patient_names_a_caregiver_alone() {
        let parties = (&party(1), &party(2));
        let grant = |terms: &Terms, granter| may_grant(terms, granter, parties, NOW);
        let parent = terms(Basis::Parent);
        for granter in [
            Granter::Clinic(subject(2)),
            Granter::Clinic(subject(1)),
            Granter::Patient(subject(2)),
            Granter::Patient(subject(3)),
        ] {
            assert_eq!(grant(&parent, granter), Err(Unfit::Herself), "{granter:?}");
        }
        let herself = Granter::Patient(subject(1));
        for basis in Basis::ALL {
            let mut terms = terms(basis);
            terms.document = None;
            let is_hers = basis == Basis::Caregiver;
            let said = grant(&terms, herself);
            assert_eq!(said.is_ok(), is_hers, "{basis:?}: {said:?}");
        }
        let with_paper = grant(&terms(Basis::Caregiver), herself);
        assert_eq!(with_paper, Err(Unfit::Field("document")));
        let same = Party {
            account: party(1).account,
            ..party(2)
        };
        let under_another_hat = may_grant(
            &parent,
            Granter::Clinic(subject(3)),
            (&party(1), &same),
            NOW,
        );
        assert_eq!(under_another_hat, Err(Unfit::Field("proxy")));
    }

    fn delegation(basis: Basis) -> Delegation {
        Delegation {
            id: DelegationId::from_uuid(Uuid::from_u128(9)),
            tenant: TenantId::from_uuid(Uuid::from_u128(8)),
            patient: subject(1),
            proxy: subject(2),
            basis,
            document: None,
            scope: vec![Lent::Visits],
            granted_by: subject(3),
            granted_at: NOW,
            valid_from: NOW,
            ages_out_on: None,
            ends_at: Some(NOW + Duration::minutes(10)),
            ended_at: None,
            end_cause: None,
            tokens_ended_at: None,
        }
    }

    #[test]
    fn a_patient_ends_what_she_can_take_back() {
        for basis in Basis::ALL {
            let one = delegation(basis);
            let hers = cause_of_member(&one, subject(1));
            let is_hers = matches!(basis, Basis::Caregiver | Basis::PowerOfAttorney);
            assert_eq!(hers, is_hers.then_some(EndCause::Patient), "{basis:?}");
            let his = cause_of_member(&one, subject(2));
            assert_eq!(his, Some(EndCause::Proxy));
            assert_eq!(cause_of_member(&one, subject(3)), None);
        }
    }
}
