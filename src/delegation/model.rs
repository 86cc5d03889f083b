//! Delegations as values.

use lanyard_verifier::Basis;
use time::{Date, OffsetDateTime};

use crate::ids::{AccountId, SubjectId, TenantId};
use crate::words::words;

pub use crate::ids::DelegationId;

words! {
    /// What of a patient's rights can be lent to a proxy. No two have the same scope, so that a
    /// token's scopes say exactly which of them it opens.
    Lent {
        /// Who saw her record.
        Accesses = "audit.access.read",
        /// Her visits.
        Visits = "visits.visit.read",
    }
}

words! {
    /// Why a delegation is over.
    EndCause {
        /// The patient ended it.
        Patient = "by_patient",
        /// The proxy did.
        Proxy = "by_proxy",
        /// An administrator of the clinic did.
        Clinic = "by_clinic",
        /// The time that was written down is over.
        Time = "time",
        /// The patient is no minor any more.
        AgedOut = "aged_out",
        /// The membership of either is not active any more.
        MembershipChanged = "membership_changed",
        /// She is no patient of the clinic any more.
        RolesChanged = "roles_changed",
        /// The account of either was disabled.
        AccountChanged = "account_changed",
    }
}

words! {
    /// Why tokens were ended before their delegation.
    TokensEnd {
        /// The proxy's session is over, or his password is another.
        SignedOut = "proxy_signed_out",
        /// An app of his is done with one (RFC 7009).
        Revoked = "revoked",
    }
}

/// Where the clinic keeps the paper: 1 to 64 letters, digits and `._#/-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(String);

impl Document {
    /// Parses what was typed.
    pub fn parse(typed: &str) -> Option<Self> {
        let text = typed.trim();
        let is_word = (1..=64).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._#/-".contains(&b));
        is_word.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is to be written down.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Whose rights.
    pub patient: SubjectId,
    /// Who acts.
    pub proxy: SubjectId,
    /// As what.
    pub basis: Basis,
    /// Where its paper is.
    pub document: Option<Document>,
    /// What is lent; each once.
    pub scope: Vec<Lent>,
    /// From when on; `None`: from now on.
    pub valid_from: Option<OffsetDateTime>,
    /// Until when, if the paper says so.
    pub valid_until: Option<OffsetDateTime>,
    /// When the patient is no minor any more, if she is one.
    pub ages_out_on: Option<Date>,
}

/// A delegation as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Its id: the `sid` of its tokens, and their `act.delegation`.
    pub id: DelegationId,
    /// Of which clinic.
    pub tenant: TenantId,
    /// Whose rights.
    pub patient: SubjectId,
    /// Who acts.
    pub proxy: SubjectId,
    /// As what.
    pub basis: Basis,
    /// Where its paper is; `None`: the patient named a caregiver herself.
    pub document: Option<String>,
    /// What is lent.
    pub scope: Vec<Lent>,
    /// Who wrote it down.
    pub granted_by: SubjectId,
    /// When.
    pub granted_at: OffsetDateTime,
    /// From when on it stands.
    pub valid_from: OffsetDateTime,
    /// When the patient is no minor any more, if she is one.
    pub ages_out_on: Option<Date>,
    /// Until when at most; `None`: until somebody ends it.
    pub ends_at: Option<OffsetDateTime>,
    /// When it was over.
    pub ended_at: Option<OffsetDateTime>,
    /// Why.
    pub end_cause: Option<EndCause>,
    /// What was given until then is refused, if it ever came to that.
    pub tokens_ended_at: Option<OffsetDateTime>,
}

impl Delegation {
    /// Whether a token of that instant lets in `at` that one. One of the very second in which
    /// tokens were ended is refused, as `iat` says no more.
    pub fn lets_in(&self, issued_at: OffsetDateTime, at: OffsetDateTime) -> bool {
        let is_newer = self.tokens_ended_at.is_none_or(|end| end < issued_at);
        self.stands_at(at) && is_newer
    }

    /// Whether tokens are given, and requests let in, at that instant.
    pub fn stands_at(&self, at: OffsetDateTime) -> bool {
        self.ended_at.is_none() && self.valid_from <= at && self.ends_at.is_none_or(|end| at < end)
    }
}

/// One with the names of its people, as the clinic calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// It.
    pub delegation: Delegation,
    /// The patient.
    pub patient_name: String,
    /// The proxy.
    pub proxy_name: String,
}

/// A member who is to be the patient or the proxy.
#[derive(Clone, Debug)]
pub struct Party {
    /// The membership.
    pub subject: SubjectId,
    /// The account; never leaves the identity plane.
    pub account: AccountId,
    /// Whether she is a patient of the clinic.
    pub is_patient: bool,
}

#[cfg(test)]
mod tests {
    use super::Document;

    #[test]
    fn a_document_is_a_word() {
        assert!(Document::parse(" CUSTODY/2026-0042 ").is_some());
        for no in ["", " ", "-1", "a b", "a\u{0}", "\u{e9}", &"x".repeat(65)] {
            assert_eq!(Document::parse(no), None, "{no:?}");
        }
    }
}
