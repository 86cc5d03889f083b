//! A document that is the same for everybody until it changes: bytes made once, with their `ETag`.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use ring::digest::{SHA256, digest};
use serde_json::Value;

/// Ready to be sent. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Bytes,
    etag: HeaderValue,
    content_type: HeaderValue,
    cache_control: HeaderValue,
}

impl Document {
    /// - `content_type`: of its header
    /// - `cache_control`: how long it may be kept, and by whom
    pub fn new(value: &Value, content_type: &'static str, cache_control: &'static str) -> Self {
        let bytes = Bytes::from(value.to_string());
        let tag = URL_SAFE_NO_PAD.encode(&digest(&SHA256, &bytes).as_ref()[..12]);
        let etag = HeaderValue::from_str(&format!("\"{tag}\"")).expect("base64 is a header value");
        Self {
            bytes,
            etag,
            content_type: HeaderValue::from_static(content_type),
            cache_control: HeaderValue::from_static(cache_control),
        }
    }

    /// The document, or 304 for who has it already (RFC 9110 §13.1.2).
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        let mut response = if self.is_known(asked) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut whole = Response::new(Body::from(self.bytes.clone()));
            let content_type = self.content_type.clone();
            whole.headers_mut().insert(CONTENT_TYPE, content_type);
            whole
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, self.etag.clone());
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        response
    }

    fn is_known(&self, asked: &HeaderMap) -> bool {
        let own = self.etag.to_str().unwrap_or_default();
        asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            // A proxy that compresses marks the tag as weak; the comparison is weak too.
            .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §13.1.2: weak comparison, a list, and the star.
    #[test]
    fn who_has_the_document_is_told_so() {
        let document = Document::new(&Value::Null, "application/json", "public, max-age=60");
        let etag = document.etag.to_str().unwrap().to_owned();
        let status = |tags: &str| {
            let mut asked = HeaderMap::new();
            asked.insert(IF_NONE_MATCH, tags.parse().unwrap());
            document.answer(&asked).status()
        };
        for known in [
            &etag,
            &format!("W/{etag}"),
            &format!("\"other\", {etag}"),
            "*",
        ] {
            assert_eq!(status(known), StatusCode::NOT_MODIFIED, "{known}");
        }
        for other in ["\"other\"", etag.trim_matches('"'), ""] {
            assert_eq!(status(other), StatusCode::OK, "{other}");
        }
        assert_eq!(document.answer(&HeaderMap::new()).status(), StatusCode::OK);
    }
}
