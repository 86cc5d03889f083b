//! Forms that change something: taken from pages of our own alone (WEB-03).

use axum::extract::{Form, FromRequest, FromRequestParts as _, Request};
use axum::response::Response;

use http::header::{HeaderMap, ORIGIN};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::page::PageError;
use super::visit::Visit;

/// A form posted from a page that we gave to this very browser.
///
/// Three things must agree: where the browser says it comes from (`Sec-Fetch-Site`, else
/// `Origin`), the browser's cookie, and the token that the page carried.
#[derive(Debug)]
pub struct OwnForm<T> {
    /// Who posted it.
    pub visit: Visit,
    /// Its fields, without `csrf`.
    pub fields: T,
}

#[derive(Deserialize)]
struct Posted<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    fields: T,
}

impl<T: DeserializeOwned> FromRequest<crate::app::App> for OwnForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &crate::app::App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = match Visit::from_request_parts(&mut parts, app).await {
            Ok(visit) => visit,
            Err(never) => match never {},
        };
        if !comes_from(&parts.headers, app.issuer()) {
            return Err(visit.answer(Err(PageError::Forged)));
        }
        let posted = Form::<Posted<T>>::from_request(Request::from_parts(parts, body), app).await;
        let Ok(Form(posted)) = posted else {
            let detail = "a form that can't be read";
            return Err(visit.answer(Err(PageError::BadRequest {
                detail,
                field: None,
            })));
        };
        if !visit.browser.owns(app, &posted.csrf) {
            return Err(visit.answer(Err(PageError::Forged)));
        }
        Ok(Self {
            visit,
            fields: posted.fields,
        })
    }
}

/// Whether the browser says that the request comes from `own` origin, or does not say (an old
/// browser: the token alone decides).
///
/// `Origin: null` is no sign of another site: our own pages say `no-referrer`, and then browsers
/// write it on their own forms too (Fetch §3.2).
fn comes_from(headers: &HeaderMap, own: &str) -> bool {
    let sole = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Ok(Some(value.as_bytes())),
            (Some(_), Some(_)) => Err(()),
        }
    };
    match (sole("sec-fetch-site"), sole(ORIGIN.as_str())) {
        (Ok(site), Ok(origin)) => {
            site.is_none_or(|site| site == b"same-origin" || site == b"none")
                && origin.is_none_or(|origin| origin == b"null" || origin == own.as_bytes())
        }
        (Err(()), _) | (_, Err(())) => false,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::comes_from;

    #[test]
    fn only_our_own_origin_or_silence_is_ours() {
        let own = "https://id.example.com";
        let says = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
            }
            comes_from(&headers, own)
        };
        assert!(says(&[]));
        assert!(says(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "null")
        ]));
        assert!(says(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://id.example.com")
        ]));
        assert!(says(&[("origin", "https://id.example.com")]));
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://app.example.com"),
            ],
            &[("origin", "https://evil.test")],
            &[("origin", "http://id.example.com")],
            &[
                ("origin", "https://id.example.com"),
                ("origin", "https://evil.test"),
            ],
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "cross-site"),
            ],
        ] {
            assert!(!says(foreign), "{foreign:?}");
        }
    }
}
