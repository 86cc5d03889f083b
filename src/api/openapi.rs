//! The description of `/api/v1` (OpenAPI 3.1), made from the one list of routes: what is mounted
//! is described, and nothing else. The schemas are the types' own.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::Method;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AllOf, Components, Object, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, OpenIdConnect, SecurityScheme};
use utoipa::openapi::{
    Content, Info, License, OpenApi, Paths, Ref, RefOr, Required, Response, Schema,
    SecurityRequirement, Server,
};
use utoipa::{PartialSchema, ToSchema};

use super::{Route, routes};
use crate::http::problem::ProblemBody;

/// Where it is served.
pub const PATH: &str = "/api/v1/openapi.json";

const PROBLEM_JSON: &str = "application/problem+json";

/// What the document says of one operation beyond what its guards ask for.
#[derive(Debug)]
pub(super) struct Words {
    /// Its `operationId`.
    pub(super) id: &'static str,
    /// In one line.
    pub(super) summary: &'static str,
    /// Beside the clinic in the path.
    pub(super) parameters: fn() -> Vec<Parameter>,
    /// What is sent, if something is.
    pub(super) takes: Option<Body>,
    /// What is answered with 200.
    pub(super) answer: Body,
}

/// A type as the body of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    name: fn() -> Cow<'static, str>,
    collect: fn(&mut Schemas),
    media: &'static str,
}

type Schemas = Vec<(String, RefOr<Schema>)>;

impl Body {
    pub(super) const fn of<T: ToSchema>() -> Self {
        Self {
            name: T::name,
            collect: |schemas| {
                schemas.push((T::name().into_owned(), T::schema()));
                T::schemas(schemas);
            },
            media: "application/json",
        }
    }

    /// The same, as lines of JSON.
    pub(super) const fn of_lines<T: ToSchema>() -> Self {
        Self {
            media: "application/x-ndjson",
            ..Self::of::<T>()
        }
    }

    fn content(self) -> Content {
        Content::new(Some(Ref::from_schema_name((self.name)())))
    }
}

/// A refusal that any operation may answer with.
struct Refused {
    status: &'static str,
    name: &'static str,
    when: &'static str,
    codes: &'static [&'static str],
    header: Option<(&'static str, &'static str)>,
}

const CHALLENGE: Option<(&str, &str)> = Some((
    "WWW-Authenticate",
    "The challenge of RFC 6750; RFC 9470's where a stronger or later sign-in would help.",
));

/// Those of the verifier, and of `http::problem`.
const REFUSED: [Refused; 8] = [
    Refused {
        status: "400",
        name: "Malformed",
        when: "Two tokens, a token outside of its header, or a query parameter that can't be read.",
        codes: &["invalid_request"],
        header: None,
    },
    Refused {
        status: "401",
        name: "Unauthorized",
        when: "No token, one that is not good here (another clinic's is the same), or a sign-in \
               that is too weak or too long ago.",
        codes: &[
            "token_required",
            "invalid_token",
            "insufficient_user_authentication",
        ],
        header: CHALLENGE,
    },
    Refused {
        status: "403",
        name: "Forbidden",
        when: "The scope, the permission or the role is missing, or support acts as the person.",
        codes: &[
            "insufficient_scope",
            "insufficient_permission",
            "impersonation_forbidden",
            "insufficient_role",
            "impersonation_refused",
        ],
        header: None,
    },
    Refused {
        status: "404",
        name: "NotFound",
        when: "Nothing there, or another clinic's: the same answer.",
        codes: &["not_found"],
        header: None,
    },
    Refused {
        status: "409",
        name: "Conflict",
        when: "There is such a thing, and it is not in the state for that; or nobody at the clinic \
               could review it.",
        codes: &["wrong_state", "nobody_to_review"],
        header: None,
    },
    Refused {
        status: "429",
        name: "TooManyRequests",
        when: "That was asked too often for now: try again after `Retry-After`.",
        codes: &["too_many_requests"],
        header: Some(("Retry-After", "Seconds.")),
    },
    Refused {
        status: "500",
        name: "Failed",
        when: "Something failed on our side: report the `x-request-id`.",
        codes: &["server_error"],
        header: None,
    },
    Refused {
        status: "503",
        name: "Unavailable",
        when: "Try again after `Retry-After`.",
        codes: &["no_data_key", "temporarily_unavailable"],
        header: Some(("Retry-After", "Seconds.")),
    },
];

/// The document's bytes: the same in every deployment, since all its addresses are relative.
///
/// # Panics
/// Never: its parts are strings, numbers and lists.
pub fn text() -> String {
    let mut text = document()
        .to_pretty_json()
        .expect("strings and lists are JSON");
    text.push('\n');
    text
}

fn document() -> OpenApi {
    let info = Info::builder()
        .title("Lanyard API")
        .version("1")
        .description(Some(
            "What a clinic's apps may ask. Every operation asks for an access token of one clinic \
             with a scope (what the app may) and a permission (what the person may).",
        ))
        .license(Some(
            License::builder()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ));
    let mut paths = Paths::new();
    for route in routes() {
        let method = [as_described(&route.method)];
        paths.add_path_operation(route.path, method.to_vec(), operation(route));
        let path = format!("/clinics/{{clinic}}{}", route.path);
        paths.add_path_operation(path, method.to_vec(), operation_in_clinic(route));
    }
    OpenApi::builder()
        .info(info.build())
        .servers(Some([Server::new("/api/v1")]))
        .paths(paths)
        .components(Some(components()))
        .build()
}

/// The list's methods are those that the document knows.
fn as_described(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::DELETE => HttpMethod::Delete,
        Method::PATCH => HttpMethod::Patch,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &Route) -> Operation {
    let words = &route.words;
    let mut asks = format!(
        "Asks for the scope `{}` and the permission `{}`.",
        route.scope.name(),
        route.permission
    );
    if let Some(lately) = route.step_up {
        let minutes = lately.as_secs() / 60;
        write!(
            asks,
            " A second factor was proved within the last {minutes} minutes."
        )
        .expect("a string grows");
    }
    let answer = Response::builder()
        .description(words.summary)
        .content(words.answer.media, words.answer.content());
    let mut operation = Operation::builder()
        .operation_id(Some(words.id))
        .summary(Some(words.summary))
        .description(Some(asks))
        .securities(Some(["bearer", "openid"].map(|scheme| {
            SecurityRequirement::new(scheme, [route.scope.name()])
        })))
        .extensions(Some(
            ExtensionsBuilder::new()
                .add("x-permission", route.permission)
                .build(),
        ))
        .response("200", answer.build());
    if let Some(body) = words.takes {
        let request = RequestBody::builder()
            .content(body.media, body.content())
            .required(Some(Required::True));
        operation = operation.request_body(Some(request.build()));
    }
    for parameter in (words.parameters)() {
        operation = operation.parameter(parameter);
    }
    for refused in &REFUSED {
        let response = Ref::from_response_name(refused.name);
        operation = operation.response(refused.status, RefOr::Ref(response));
    }
    operation.build()
}

/// The same, where the path says which clinic is meant.
fn operation_in_clinic(route: &Route) -> Operation {
    let name = Object::builder()
        .schema_type(Type::String)
        .pattern(Some("^[a-z0-9-]{1,63}$"))
        .examples(["juniper"])
        .build();
    let clinic = Parameter::builder()
        .name("clinic")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The token's own clinic, by slug or id."))
        .schema(Some(Schema::from(name)));
    let mut operation = operation(route);
    operation.operation_id = Some(format!("{}InClinic", route.words.id));
    let parameters = operation.parameters.get_or_insert_default();
    parameters.insert(0, clinic.build().into());
    operation
}

fn components() -> Components {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("at+jwt")
        .description(Some("An access token (RFC 9068) whose `aud` is this API."))
        .build();
    let openid = OpenIdConnect::with_description(
        "/.well-known/openid-configuration",
        "How an app gets such a token: docs/guides says it step by step.",
    );
    let mut schemas: Schemas = Vec::new();
    for route in routes() {
        for body in route.words.takes.iter().chain([&route.words.answer]) {
            (body.collect)(&mut schemas);
        }
    }
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    let mut components = Components::builder()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("openid", SecurityScheme::OpenIdConnect(openid))
        .schemas_from_iter(schemas);
    for refused in &REFUSED {
        components = components.response(refused.name, refused.response());
    }
    components.build()
}

impl Refused {
    fn response(&self) -> Response {
        let codes = Object::builder()
            .schema_type(Type::String)
            .enum_values(Some(self.codes.iter().copied()));
        let narrowed = Object::builder().property("code", codes.build());
        let body = AllOf::builder()
            .item(Ref::from_schema_name(ProblemBody::name()))
            .item(narrowed.build());
        let response = Response::builder()
            .description(self.when)
            .content(PROBLEM_JSON, Content::new(Some(Schema::from(body.build()))));
        let Some((name, meaning)) = self.header else {
            return response.build();
        };
        let header = Header::builder()
            .description(Some(meaning))
            .schema(Some(Object::with_type(Type::String)));
        response.header(name, header.build()).build()
    }
}
