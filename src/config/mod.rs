//! Configuration: one TOML file, the environment over it, parsed once into typed, bounded values.
//!
//! Invariants
//! 1. [`settings::all`] is the only list of keys: the parser, `config explain`, and
//!    docs/CONFIGURATION.md are made from it.
//! 2. The default is the safe value; nothing here weakens a check.
//! 3. A secret comes from a file of its own (or `DATABASE_URL`) and is never shown.

mod audit;
mod checks;
mod error;
mod lifetimes;
mod load;
mod mail;
mod model;
mod reference;
mod serving;
mod setting;
mod settings;
mod value;

pub use audit::Audit;
pub use error::{ConfigError, Problem};
pub use lifetimes::Lifetimes;
pub(crate) use load::FILE_VARIABLE;
pub use load::{Effective, Given, ShownSetting, Source};
pub use mail::{Mail, MailDelivery, MailTls};
pub use model::{
    App, Apps, Config, Database, Issuer, Listen, Log, LogFormat, PasswordHashing, PlaneName,
    Planes, Retention, SessionCeiling, Throttle,
};
pub use reference::{Explanation, explain, reference};
pub(crate) use serving::half_the_cores;
pub use serving::{Limits, Proxy, Receivers, Shutdown, Tls};
pub(crate) use value::duration;
