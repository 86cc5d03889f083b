//! The demo's front page and its mail catcher, at the issuer's own address.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use super::seed::face;
use super::state::World;
use super::world::MEMBERS;
use crate::app::App;
use crate::apps::sites;
use crate::http::layers::RequestId;
use crate::http::page::{self, PageError};
use crate::pages::{
    AppLink, DemoPage, DemoPerson, Frame, MailListPage, MailMessagePage, MailRow,
};

/// The front page.
pub const FRONT: &str = "/demo";
/// The catcher.
pub const MAIL: &str = "/demo/mail";
const MOST_MAIL: u32 = 100;

#[derive(Clone, Debug)]
struct Demo {
    app: App,
    world: World,
}

/// To be merged with the issuer's router, under the same layers.
pub fn router(app: &App, world: &World) -> Router {
    Router::new()
        .route(FRONT, get(front))
        .route(MAIL, get(mail))
        .route("/demo/mail/{message}", get(message))
        .with_state(Demo { app: app.clone(), world: world.clone() })
}

fn frame(id: &RequestId) -> Frame {
    let mut frame = Frame::new("Lanyard", id.as_str());
    frame.demo_banner = true;
    frame
}

async fn front(State(demo): State<Demo>, id: RequestId) -> Response {
    let person = |member: &super::world::DemoMember| {
        let address = sites::addresses(&demo.app.config, Some(member.clinic))
            .find(|(kind, _)| *kind == member.opens)
            .map(|(_, origin)| format!("{origin}/"));
        DemoPerson {
            clinic: face(member.clinic),
            who: format!("{}, {}", member.name, super::table::roles(member)),
            login: member.login.to_owned(),
            password: demo.world.password(member.login).to_owned(),
            opens: AppLink {
                app: member.opens,
                href: address.unwrap_or_default(),
                is_current: false,
            },
            to_try: member.to_try.to_owned(),
        }
    };
    let shown = DemoPage {
        frame: frame(&id),
        people: MEMBERS.iter().map(person).collect(),
        mail_href: MAIL.to_owned(),
        discovery_href: "/.well-known/openid-configuration".to_owned(),
    };
    page::page(StatusCode::OK, &shown)
}

async fn mail(State(demo): State<Demo>, id: RequestId) -> Response {
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
        frame: frame(&id),
        now: demo.app.env.now(),
        messages: caught.into_iter().map(row).collect(),
        home_href: FRONT.to_owned(),
    };
    page::page(StatusCode::OK, &shown)
}

async fn message(State(demo): State<Demo>, id: RequestId, Path(which): Path<String>) -> Response {
    let caught = match crate::mail::caught(&demo.app, MOST_MAIL).await {
        Ok(caught) => caught,
        Err(error) => return PageError::from(error).respond(&demo.app, &id),
    };
    let Some(found) = caught.into_iter().find(|message| message.id.to_string() == which) else {
        return PageError::NotFound.respond(&demo.app, &id);
    };
    let shown = MailMessagePage {
        frame: frame(&id),
        now: demo.app.env.now(),
        to: found.to,
        subject: found.letter.subject.to_owned(),
        sent_at: found.at,
        body: found.letter.body,
        list_href: MAIL.to_owned(),
    };
    page::page(StatusCode::OK, &shown)
}
