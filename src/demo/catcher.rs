//! The mail catcher: what Lanyard would have sent.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::routes::{Demo, FRONT, MAIL};
use crate::http::layers::RequestId;
use crate::http::page::{self, PageError};
use crate::pages::{MailListPage, MailMessagePage, MailRow};

const MOST_MAIL: u32 = 100;

/// `GET /demo/mail`.
pub(super) async fn mail(State(demo): State<Demo>, id: RequestId) -> Response {
    let caught = match crate::mail::caught(&demo.app, MOST_MAIL).await {
        Ok(caught) => caught,
        Err(error) => return PageError::from(error).respond(&demo.app, &id),
    };
    let row = |message: crate::mail::Caught| MailRow {
        href: format!("{MAIL}/{}", message.id),
        to: message.to,
        subject: message.letter.subject.to_owned(),
        sent_at: message.at,
    };
    let shown = MailListPage {
        frame: page::frame(&id),
        now: demo.app.env.now(),
        messages: caught.into_iter().map(row).collect(),
        home_href: FRONT.to_owned(),
    };
    page::page(StatusCode::OK, &shown)
}

/// `GET /demo/mail/{message}`.
pub(super) async fn message(
    State(demo): State<Demo>,
    id: RequestId,
    Path(which): Path<String>,
) -> Response {
    let caught = match crate::mail::caught(&demo.app, MOST_MAIL).await {
        Ok(caught) => caught,
        Err(error) => return PageError::from(error).respond(&demo.app, &id),
    };
    let Some(found) = caught
        .into_iter()
        .find(|message| message.id.to_string() == which)
    else {
        return PageError::NotFound.respond(&demo.app, &id);
    };
    let shown = MailMessagePage {
        frame: page::frame(&id),
        now: demo.app.env.now(),
        to: found.to,
        subject: found.letter.subject.to_owned(),
        sent_at: found.at,
        body: found.letter.body,
        list_href: MAIL.to_owned(),
    };
    page::page(StatusCode::OK, &shown)
}
