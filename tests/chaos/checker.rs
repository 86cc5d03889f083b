//! "Nothing lost" (design §11) over what people were told and what the tables hold. Pure; that
//! each rule can tell is tested in `doctored`.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::deployment::login;
use super::journal::{Deed, Entry, Log};
use super::tables::{Event, FamilyRow, SessionRow, Tables};

/// Whatever is wrong, each `rule: what`. Nothing: nothing was lost.
pub(crate) fn check(log: &Log, tables: &Tables) -> Vec<String> {
    let case = Case::of(log, tables);
    let rules: [(&str, Rule); 9] = [
        ("acknowledged", acknowledged_is_there),
        ("one successor", a_generation_has_one_token),
        ("whole", unknown_is_whole),
        ("leaf", a_family_has_one_leaf),
        ("effect and event", effects_have_their_events),
        ("event and effect", events_have_their_effects),
        ("honest", nobody_honest_is_refused),
        ("monotonic", what_ended_stays_ended),
        ("keys", tokens_are_signed_by_known_keys),
    ];
    let mut findings: Vec<String> = log
        .seen
        .iter()
        .map(|what| format!("seen: {what}"))
        .collect();
    for (name, rule) in rules {
        findings.extend(
            rule(&case)
                .into_iter()
                .map(|what| format!("{name}: {what}")),
        );
    }
    findings
}

/// What it finds.
type Rule = fn(&Case<'_>) -> Vec<String>;

/// Log and tables, by what is asked of them.
struct Case<'a> {
    log: &'a Log,
    tables: &'a Tables,
    families: BTreeMap<Uuid, &'a FamilyRow>,
    by_sid: BTreeMap<Uuid, &'a SessionRow>,
}

impl<'a> Case<'a> {
    fn of(log: &'a Log, tables: &'a Tables) -> Self {
        let by_sid = |session: &'a SessionRow| session.sids.iter().map(move |sid| (*sid, session));
        Self {
            log,
            tables,
            families: tables.families.iter().map(|f| (f.family, f)).collect(),
            by_sid: tables.sessions.iter().flat_map(by_sid).collect(),
        }
    }

    fn refreshes(&self) -> impl Iterator<Item = (&'a Entry, Uuid, Uuid, u32)> {
        self.log
            .entries
            .iter()
            .filter_map(|entry| match entry.deed {
                Deed::Refresh {
                    family,
                    sid,
                    generation,
                } => Some((entry, family, sid, generation)),
                _ => None,
            })
    }

    fn logouts(&self) -> impl Iterator<Item = (&'a Entry, Uuid)> {
        self.log
            .entries
            .iter()
            .filter_map(|entry| match entry.deed {
                Deed::Logout { sid } => Some((entry, sid)),
                _ => None,
            })
    }

    fn count(&self, is_it: impl Fn(&Entry) -> bool) -> i64 {
        let count = self.log.entries.iter().filter(|entry| is_it(entry)).count();
        i64::try_from(count).unwrap()
    }

    /// Events of a kind, by the id in a field.
    fn events(&self, kind: &str, field: &str) -> BTreeMap<Uuid, Vec<&'a Event>> {
        let mut found: BTreeMap<Uuid, Vec<&Event>> = BTreeMap::new();
        for event in self.tables.events.iter().filter(|event| event.kind == kind) {
            if let Some(id) = event.id(field) {
                found.entry(id).or_default().push(event);
            }
        }
        found
    }
}

/// Every acknowledged write is in the tables.
fn acknowledged_is_there(case: &Case<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    for tokens in case.log.entries.iter().filter_map(Entry::tokens) {
        let row = case.families.get(&tokens.family);
        let generation = i64::from(tokens.generation);
        if !row.is_some_and(|row| row.issued.contains(&generation)) {
            findings.push(format!("{} lacks generation {generation}", tokens.family));
        }
        if !case.by_sid.contains_key(&tokens.sid) {
            findings.push(format!("no session is {}", tokens.sid));
        }
    }
    for (_, sid) in case.logouts().filter(|(entry, _)| entry.is_done()) {
        let session = case.by_sid.get(&sid);
        if session.is_none_or(|session| session.end_reason.is_none()) {
            findings.push(format!("{sid} was signed out and is not"));
        }
    }
    findings
}

/// No retry makes a sibling.
fn a_generation_has_one_token(case: &Case<'_>) -> Vec<String> {
    let mut given: BTreeMap<(Uuid, u32), &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for tokens in case.log.entries.iter().filter_map(Entry::tokens) {
        let place = (tokens.family, tokens.generation);
        let first = given.entry(place).or_insert(&tokens.refresh);
        if *first != tokens.refresh {
            findings.push(format!("{} has two of {}", place.0, place.1));
        }
    }
    findings
}

/// What was not acknowledged happened wholly or not at all, and its retry had one effect.
fn unknown_is_whole(case: &Case<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut newest: BTreeMap<Uuid, i64> = BTreeMap::new();
    for tokens in case.log.entries.iter().filter_map(Entry::tokens) {
        let known = newest.entry(tokens.family).or_default();
        *known = i64::from(tokens.generation).max(*known);
    }
    for (family, newest) in &newest {
        let in_doubt = case.refreshes().any(|(entry, of, _, generation)| {
            entry.is_unknown() && of == *family && i64::from(generation) == *newest
        });
        let most = newest + i64::from(in_doubt);
        let current = case.families.get(family).map_or(-1, |row| row.current);
        if !(*newest..=most).contains(&current) {
            findings.push(format!("{family} is at {current}, its client at {newest}"));
        }
    }
    let strangers = case
        .families
        .keys()
        .filter(|family| !newest.contains_key(family));
    let doubts = case.count(|e| e.is_unknown() && matches!(e.deed, Deed::Redeem { .. }));
    if i64::try_from(strangers.count()).unwrap() > doubts {
        findings.push(format!(
            "more families than the {doubts} lost answers explain"
        ));
    }
    for (who, epoch) in &case.tables.epochs {
        let is_hers = |entry: &Entry| match entry.deed {
            Deed::ChangePassword { person, .. } => login(person) == *who,
            _ => false,
        };
        let done = case.count(|e| e.is_done() && is_hers(e));
        let doubts = case.count(|e| e.is_unknown() && is_hers(e));
        if !(done..=done + doubts).contains(epoch) {
            findings.push(format!(
                "{who} changed {done} to {} times, not {epoch}",
                done + doubts
            ));
        }
        let is_hers = |entry: &Entry| match entry.deed {
            Deed::SignIn { person, .. } => login(person) == *who,
            _ => false,
        };
        let sessions = case
            .tables
            .sessions
            .iter()
            .filter(|session| session.login == *who);
        let sessions = i64::try_from(sessions.count()).unwrap();
        let done = case.count(|e| e.is_done() && is_hers(e));
        let doubts = case.count(|e| e.is_unknown() && is_hers(e));
        if !(done..=done + doubts).contains(&sessions) {
            findings.push(format!(
                "{who} has {sessions} sessions of {done} and {doubts} in doubt"
            ));
        }
    }
    findings
}

/// One live leaf: what was issued is 0 to the current generation, each once.
fn a_family_has_one_leaf(case: &Case<'_>) -> Vec<String> {
    let is_odd = |row: &&FamilyRow| !row.issued.iter().copied().eq(0..=row.current);
    let odd = case.tables.families.iter().filter(is_odd);
    odd.map(|row| format!("{} at {} issued {:?}", row.family, row.current, row.issued))
        .collect()
}

/// An effect has exactly its event.
fn effects_have_their_events(case: &Case<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    let rotated = case.events("refresh.rotated", "family");
    let redeemed = case.events("code.redeemed", "family");
    for row in &case.tables.families {
        let events = rotated.get(&row.family);
        let mut from: Vec<i64> = events
            .into_iter()
            .flatten()
            .filter_map(|event| event.detail["generation"].as_i64())
            .collect();
        from.sort_unstable();
        if !from.iter().copied().eq(0..row.current) {
            findings.push(format!(
                "{} at {} has rotations {from:?}",
                row.family, row.current
            ));
        }
        if redeemed.get(&row.family).map_or(0, Vec::len) != 1 {
            findings.push(format!("{} did not begin with one code", row.family));
        }
    }
    let signed_in = case.events("session.signed_in", "session");
    let passwords = case.events("password.changed", "session");
    let ended = case.events("session.ended", "session");
    for row in &case.tables.sessions {
        let proofs = signed_in.get(&row.session).into_iter().flatten();
        let (again, first): (Vec<&Event>, Vec<&Event>) =
            proofs.partition(|event| event.detail["again"] == true);
        let changes = passwords.get(&row.session).map_or(0, Vec::len);
        if (first.len(), again.len()) != (1, changes) {
            findings.push(format!(
                "{} began {} times, and was proved {} times for {changes} changes",
                row.session,
                first.len(),
                again.len()
            ));
        }
        let ends = ended.get(&row.session).map_or(0, Vec::len);
        if ends != usize::from(row.end_reason.is_some()) {
            findings.push(format!(
                "{} ({:?}) has {ends} ends",
                row.session, row.end_reason
            ));
        }
    }
    for (who, epoch) in &case.tables.epochs {
        let is_hers = |event: &&Event| event.login.as_deref() == Some(who);
        let changed = case
            .tables
            .events
            .iter()
            .filter(|e| e.kind == "password.changed");
        let changed = i64::try_from(changed.filter(is_hers).count()).unwrap();
        if changed != *epoch {
            findings.push(format!(
                "{who} has {changed} changes on record, not {epoch}"
            ));
        }
    }
    findings
}

/// An event has its effect; none tells of a thief where there is none.
fn events_have_their_effects(case: &Case<'_>) -> Vec<String> {
    let sessions: BTreeSet<Uuid> = case.tables.sessions.iter().map(|s| s.session).collect();
    let mut findings = Vec::new();
    for event in &case.tables.events {
        let is_there = match event.kind.as_str() {
            "refresh.rotated" | "refresh.retried" | "code.redeemed" => event
                .id("family")
                .is_some_and(|family| case.families.contains_key(&family)),
            "session.signed_in" | "session.ended" => event
                .id("session")
                .is_some_and(|session| sessions.contains(&session)),
            "refresh.reuse_detected" | "code.replayed" => false,
            _ => true,
        };
        if !is_there {
            findings.push(format!("{} of {}", event.kind, event.detail));
        }
    }
    for (family, retries) in case.events("refresh.retried", "family") {
        let tries = case
            .refreshes()
            .filter(|(entry, of, _, _)| *of == family && (entry.is_done() || entry.is_unknown()));
        let current = case.families.get(&family).map_or(0, |row| row.current);
        // Each rotation took one try; what was retried took more.
        if i64::try_from(retries.len()).unwrap() + current > i64::try_from(tries.count()).unwrap() {
            findings.push(format!(
                "{family}: {} retries that nobody made",
                retries.len()
            ));
        }
    }
    findings
}

/// No honest client is logged out, and nobody is kept from signing in.
fn nobody_honest_is_refused(case: &Case<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    for entry in &case.log.entries {
        let super::journal::Outcome::Refused(word) = &entry.outcome else {
            continue;
        };
        let may = match entry.deed {
            Deed::Refresh { sid, .. } => case
                .logouts()
                .any(|(logout, of)| of == sid && logout.sent < entry.answered),
            _ => false,
        };
        if !may {
            findings.push(format!("{:?}: {word}", entry.deed));
        }
    }
    findings
}

/// No crash undoes a logout or a change of a password.
fn what_ended_stays_ended(case: &Case<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    for (entry, family, sid, generation) in case.refreshes() {
        let was_out = case
            .logouts()
            .any(|(logout, of)| of == sid && logout.is_done() && logout.answered < entry.sent);
        if was_out && entry.is_done() {
            findings.push(format!(
                "{family} went on from {generation} after its logout"
            ));
        }
    }
    for entry in case.log.entries.iter().filter(|entry| entry.is_done()) {
        let Deed::SignIn { person, password } = entry.deed else {
            continue;
        };
        let is_past = case.log.entries.iter().any(|change| {
            matches!(change.deed, Deed::ChangePassword { person: whose, from }
                if whose == person && from == password)
                && change.is_done()
                && change.answered < entry.sent
        });
        if is_past {
            findings.push(format!(
                "{} signed in with a changed password",
                login(person)
            ));
        }
    }
    findings
}

/// No token is signed by a key that is not durable.
fn tokens_are_signed_by_known_keys(case: &Case<'_>) -> Vec<String> {
    let all = case.log.entries.iter().filter_map(Entry::tokens);
    let kids: BTreeSet<&String> = all.flat_map(|tokens| &tokens.kids).collect();
    let unknown = kids
        .into_iter()
        .filter(|kid| !case.tables.kids.contains(*kid));
    unknown.map(|kid| format!("{kid} is in no table")).collect()
}
