//! What a role may do in this API.

use std::collections::{HashMap, HashSet};

/// Role to permission keys. The API owns the table; the token only names the roles.
///
/// A key is `module.resource.action`, such as `visits.visit.read`. Roles that the table does not
/// name may do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(HashMap<String, HashSet<String>>);

impl Permissions {
    /// A table in which no role may do anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds keys to what a role may do.
    #[must_use]
    pub fn role<K: Into<String>>(
        mut self,
        role: impl Into<String>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.0
            .entry(role.into())
            .or_default()
            .extend(keys.into_iter().map(Into::into));
        self
    }

    /// Whether one of the roles carries that key.
    pub fn allow(&self, roles: &[String], key: &str) -> bool {
        self.granting(roles, key).next().is_some()
    }

    /// Those of the roles that carry that key: an access class is chosen among them, never their
    /// union (design §3).
    pub fn granting<'a>(
        &'a self,
        roles: &'a [String],
        key: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        roles
            .iter()
            .filter(move |role| self.0.get(*role).is_some_and(|keys| keys.contains(key)))
            .map(String::as_str)
    }
}
