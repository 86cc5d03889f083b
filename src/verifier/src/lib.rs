#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod activity;
mod banner;
mod bearer;
mod challenge;
mod claims;
mod clock;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod guard;
#[cfg(feature = "http-source")]
mod http_client;
mod ids;
mod impersonation;
mod introspection;
mod json;
mod jwk;
mod keys;
mod layer;
#[cfg(feature = "axum")]
mod metadata;
mod permissions;
mod principal;
mod proxy;
mod record;
mod resource;
mod revocation;
mod seen;
mod tenant;
#[cfg(feature = "test-issuer")]
pub mod test_issuer;
mod token;
mod verifier;

pub use activity::{ACTIVITY_HEADER, ActivityDelivery, ActivityError, ActivityEvent, ActivitySink};
pub use banner::{Banner, SupportSession};
pub use claims::{LEEWAY, MAX_TOKEN_LIFETIME};
pub use clock::{Clock, SystemClock};
pub use error::{BuildError, KeySourceError, VerifyError};
#[cfg(feature = "axum")]
pub use extract::{NotVerified, Verified};
pub use guard::{Guard, GuardService};
#[cfg(feature = "http-source")]
pub use http_client::{
    HttpActivitySink, HttpClient, HttpError, HttpIntrospector, HttpKeySource, HttpRecorder,
    HttpRevocationSource,
};
pub use ids::{DelegationId, GrantId, NotAnId, SubjectId, TenantId};
pub use impersonation::{Preset, UnknownPreset, is_never_lent};
pub use introspection::{Introspection, IntrospectionError, Introspector, read_introspection};
pub use jwk::{Jwk, JwkSet};
pub use keys::{KeyFetch, KeySource};
pub use layer::{VerifyLayer, VerifyService};
#[cfg(feature = "axum")]
pub use metadata::MetadataService;
pub use permissions::Permissions;
pub use principal::{Actor, MissingScope, Principal, Proxy, SignIn, Support};
pub use proxy::{Basis, UnknownBasis};
pub use record::{ActedRequest, Decision, RecordError, Recorder, Recording};
pub use resource::{PROTECTED_RESOURCE_METADATA_PATH, ProtectedResourceMetadata};
pub use revocation::{
    FeedError, FeedStatus, Following, Reporting, RevocationSource, RevocationStream, Snapshot,
    SnapshotFetch, Standing, StreamMessage, StreamRead, WhenStale,
};
pub use tenant::{DirectoryUnavailable, TenantDirectory, TenantLookup};
pub use token::MAX_TOKEN_BYTES;
pub use verifier::{Builder, Verifier};
