//! Parameters of OAuth requests, read strictly: a repeated one, a broken escape or bad UTF-8 is an
//! error, never a guess (RFC 6749 §3.1, appendix B; HTTP-06).

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::Method;
use http::header::CONTENT_TYPE;
use url::form_urlencoded;

/// No request has more parameters than this.
const MOST_PARAMETERS: usize = 64;
/// No single value is longer, in bytes.
const LONGEST_VALUE: usize = 8 * 1024;

/// The caller's: the parameters can't be read. Constant words for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not `application/x-www-form-urlencoded` where it must be.
    ContentType,
    /// Broken percent escape, bad UTF-8, or a control character.
    Encoding,
    /// More or longer than any request of ours.
    TooLarge,
    /// Given more than once.
    Repeated(&'static str),
}

/// Names and values in the order given; an empty value counts as left out (RFC 6749 §3.1).
#[derive(Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

impl std::fmt::Debug for Parameters {
    /// Names alone: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Parameters {
    /// From a query or a form.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        if !has_whole_escapes(text) {
            return Err(Malformed::Encoding);
        }
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            if name.contains(char::REPLACEMENT_CHARACTER)
                || value.contains(char::REPLACEMENT_CHARACTER)
                || value.contains('\0')
            {
                return Err(Malformed::Encoding);
            }
            if pairs.len() == MOST_PARAMETERS || value.len() > LONGEST_VALUE {
                return Err(Malformed::TooLarge);
            }
            if !value.is_empty() {
                pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter that may be given once.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Malformed> {
        let mut values = self
            .0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str());
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Malformed::Repeated(name)),
        }
    }

    /// All values of a parameter that may be given more than once.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The first parameter outside `repeatable` that is given more than once.
    pub fn repeated(&self, repeatable: &[&str]) -> Option<&str> {
        self.0.iter().enumerate().find_map(|(i, (name, _))| {
            let before = self.0[..i].iter().any(|(n, _)| n == name);
            (before && !repeatable.contains(&name.as_str())).then_some(name.as_str())
        })
    }
}

/// The query of a `GET`, the form of a `POST`; a query beside a form is refused, since a secret
/// in it would end up in logs (TOK-15).
#[derive(Debug)]
pub struct RequestParameters(pub Result<Parameters, Malformed>);

impl<S: Send + Sync> FromRequest<S> for RequestParameters {
    type Rejection = axum::response::Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let query = request
            .uri()
            .query()
            .unwrap_or_default()
            .as_bytes()
            .to_vec();
        if *request.method() != Method::POST {
            return Ok(Self(Parameters::parse(&query)));
        }
        let is_form = {
            let mut types = request.headers().get_all(CONTENT_TYPE).iter();
            let is_form = types
                .next()
                .and_then(|t| t.to_str().ok())
                .is_some_and(is_form_type);
            is_form && types.next().is_none()
        };
        if !is_form || !query.is_empty() {
            return Ok(Self(Err(Malformed::ContentType)));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(axum::response::IntoResponse::into_response)?;
        Ok(Self(Parameters::parse(&body)))
    }
}

fn is_form_type(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && parts.all(|p| p.is_empty() || p.eq_ignore_ascii_case("charset=utf-8"))
}

fn has_whole_escapes(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| *b == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_encodings_are_refused_and_never_guessed() {
        for text in ["a=%", "a=%zz", "a=%4", "a=%ff", "a=%00", "%c3%28=1"] {
            let parsed = Parameters::parse(text.as_bytes());
            assert_eq!(parsed.err(), Some(Malformed::Encoding), "HTTP-06: {text}");
        }
        let plus = Parameters::parse(b"a=x+y%20z").expect("well-formed");
        assert_eq!(plus.one("a"), Ok(Some("x y z")));
    }

    #[test]
    fn a_repeated_parameter_is_named_and_an_empty_one_is_left_out() {
        let given = Parameters::parse(b"a=1&b=&a=2&r=x&r=y").expect("well-formed");
        assert_eq!(given.one("a"), Err(Malformed::Repeated("a")));
        assert_eq!(given.one("b"), Ok(None));
        assert_eq!(given.repeated(&["r"]), Some("a"));
        assert_eq!(given.all("r").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn more_than_any_request_needs_is_refused() {
        let many = "a=1&".repeat(MOST_PARAMETERS + 1);
        assert_eq!(
            Parameters::parse(many.as_bytes()).err(),
            Some(Malformed::TooLarge)
        );
        let long = format!("a={}", "x".repeat(LONGEST_VALUE + 1));
        assert_eq!(
            Parameters::parse(long.as_bytes()).err(),
            Some(Malformed::TooLarge)
        );
    }
}
