//! The demo's front page and its mail catcher, at the issuer's own address.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use super::partner::Partner;
use super::seed::face;
use super::state::World;
use super::world::MEMBERS;
use super::{catcher, partner};
use crate::app::App;
use crate::apps::sites;
use crate::http::hosts::OwnHost;
use crate::http::layers::{EveryAnswer, RequestId};
use crate::http::{MAX_BODY_BYTES, page};
use crate::identity::totp::model::step_ends_at;
use crate::pages::{AppLink, DemoCode, DemoCodesPage, DemoPage, DemoPerson, paths};

/// The front page.
pub const FRONT: &str = "/demo";
/// What everybody's phone shows.
pub const CODES: &str = "/demo/codes";
/// The catcher.
pub const MAIL: &str = "/demo/mail";

#[derive(Clone, Debug)]
pub(super) struct Demo {
    pub(super) app: App,
    world: World,
    pub(super) partner: Arc<Partner>,
}

/// To be merged with the issuer's router; under the same layers as that.
pub fn router(app: &App, world: &World) -> Router {
    Router::new()
        .route(FRONT, get(front))
        .route(CODES, get(codes))
        .route(MAIL, get(catcher::mail))
        .route("/demo/mail/{message}", get(catcher::message))
        .route(partner::PARTNER, get(partner::front))
        .route(partner::CONNECT, get(partner::connect))
        .route(partner::CALLBACK, get(partner::callback))
        .layer(EveryAnswer::of(app, OwnHost::of(app), MAX_BODY_BYTES))
        .with_state(Demo {
            app: app.clone(),
            world: world.clone(),
            partner: Arc::new(Partner::new(app, world)),
        })
}

async fn front(State(demo): State<Demo>, id: RequestId) -> Response {
    let person = |member: &super::world::DemoMember| {
        let address = sites::addresses(&demo.app.config, member.slug())
            .find(|(kind, _)| *kind == member.opens)
            .map(|(_, origin)| format!("{origin}/"));
        DemoPerson {
            clinic: face(member.clinic),
            who: super::table::who(member),
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
        frame: page::frame(&id),
        people: MEMBERS.iter().map(person).collect(),
        codes_href: CODES.to_owned(),
        mail_href: MAIL.to_owned(),
        partner_href: partner::PARTNER.to_owned(),
        support_href: paths::ACCOUNT_SUPPORT.to_owned(),
        discovery_href: "/.well-known/openid-configuration".to_owned(),
    };
    page::page(StatusCode::OK, &shown)
}

/// `GET /demo/codes`: the phones of all who have one, since nobody here has.
async fn codes(State(demo): State<Demo>, id: RequestId) -> Response {
    let now = demo.app.env.now();
    let mut people: Vec<DemoCode> = Vec::new();
    for member in &MEMBERS {
        let is_there = people.iter().any(|known| known.login == member.login);
        if let Some(secret) = demo.world.code_secret(member.login).filter(|_| !is_there) {
            people.push(DemoCode {
                who: member.name.to_owned(),
                login: member.login.to_owned(),
                code: secret.code_at(now),
            });
        }
    }
    let left = (step_ends_at(now) - now).whole_seconds();
    let shown = DemoCodesPage {
        frame: page::frame(&id),
        people,
        seconds_left: u32::try_from(left).unwrap_or_default(),
        home_href: FRONT.to_owned(),
    };
    page::page(StatusCode::OK, &shown)
}
