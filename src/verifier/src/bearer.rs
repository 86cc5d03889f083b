//! Where the token may be: one `Authorization` header, and nowhere else (RFC 6750 §2,
//! RFC 9700 §4.3.2).

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use crate::challenge::Refusal;

/// The token of a request, not looked at yet.
pub(crate) fn token<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<&'a str, Refusal> {
    if names_access_token(uri.query().unwrap_or_default()) {
        return Err(Refusal::BadRequest("a token does not belong in the query"));
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Refusal::NoToken);
    };
    if values.next().is_some() {
        return Err(Refusal::BadRequest("two Authorization headers"));
    }
    let value = value
        .to_str()
        .map_err(|_| Refusal::BadRequest("Authorization is not text"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::NoToken);
    }
    if is_b64token(token) {
        Ok(token)
    } else {
        Err(Refusal::BadRequest("one token, after one space"))
    }
}

fn names_access_token(query: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair == "access_token" || pair.starts_with("access_token="))
}

/// RFC 6750 §2.1. What is left out (comma, space, control characters) can't cut a log line or
/// smuggle a second token.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(legal)
}
