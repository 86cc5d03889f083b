//! `lanyard config`: reads the configuration and nothing else.

use serde_json::json;

use super::args::Config as Asked;
use super::output::{Failure, Reply, table};
use super::site;
use crate::config::{self, Effective, Given};

pub(super) fn run(asked: &Asked, given: &Given) -> Result<Reply, Failure> {
    match asked {
        Asked::Check => Ok(check(given)),
        Asked::Show => Ok(show(&site::configuration(given)?)),
        Asked::Explain { markdown: true, .. } | Asked::Explain { key: None, .. } => {
            let page = config::reference();
            Ok(Reply::new(&json!({ "markdown": page }), page))
        }
        // Explained even where the configuration is broken: it may be what mends it.
        Asked::Explain { key: Some(key), .. } => {
            let effective = Effective::load(given).unwrap_or_else(|_| Effective::defaults());
            explain(&effective, key)
        }
    }
}

fn check(given: &Given) -> Reply {
    match Effective::load(given) {
        Ok(_) => Reply::new(
            &json!({ "ok": true, "problems": [] }),
            "The configuration is sound.",
        ),
        Err(e) => {
            let problems: Vec<_> = e
                .problems
                .iter()
                .map(|p| json!({ "place": p.place, "message": p.message }))
                .collect();
            let facts = json!({ "ok": false, "problems": problems });
            Reply::new(&facts, e.to_string()).refused()
        }
    }
}

fn show(effective: &Effective) -> Reply {
    let shown = effective.shown();
    let rows = shown.iter().map(|s| {
        let value = s.value.clone().unwrap_or_else(|| "-".to_owned());
        [s.key.to_owned(), value, s.source.clone()]
    });
    let text = table(["key", "value", "from"], rows);
    Reply::new(&shown, text)
}

fn explain(effective: &Effective, key: &str) -> Result<Reply, Failure> {
    let it = config::explain(effective, key)
        .map_err(|why| Failure::usage(why, "Keys are written as in `lifetimes.access_token`."))?;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let text = format!(
        "{}\n  {}\n\n  in the file     {}\n  in the shell    {}\n  type            {}\n  \
         bounds          {}\n  default         {}\n  now             {} (from {})",
        it.key,
        it.meaning,
        it.key,
        it.variable,
        it.unit,
        it.bounds,
        or_none(&it.default),
        or_none(&it.value),
        it.source,
    );
    Ok(Reply::new(&it, text))
}
