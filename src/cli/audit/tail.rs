//! `lanyard audit tail`.

use std::time::Duration;

use super::unread;
use crate::audit::format::Line;
use crate::audit::siem::{ocsf, syslog};
use crate::cli::args::{Tail, Words};
use crate::cli::operator::Operator;
use crate::cli::output::{Failure, Output, Reply};
use crate::cli::site::Site;
use crate::cli::tenant;
use crate::server::asked_to_stop;

/// What was committed is in its log about so soon.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn run(asked: &Tail, site: &Site) -> Result<Reply, Failure> {
    site.operate(async |operator| tail(asked, site, operator).await)
}

async fn tail(asked: &Tail, site: &Site, operator: &Operator<'_>) -> Result<Reply, Failure> {
    let owner = tenant::load(operator, &asked.tenant).await?;
    let logs = operator.logs(&site.config.issuer);
    logs.sequence_in_turn().await.map_err(|e| unread(&e))?;
    let recorded = logs.record_tail(owner.id).await;
    recorded.map_err(|e| unread(&e))?;
    let stop = asked_to_stop();
    tokio::pin!(stop);
    let host = site.config.issuer.url().host_str().unwrap_or_default();
    let (mut after, last) = (None, i64::from(asked.last));
    loop {
        let read = logs.tail(owner.id, after, last);
        let (lines, end) = read.await.map_err(|e| unread(&e))?;
        for line in &lines {
            let said = said(asked.words, host, line);
            Output::raw(format!("{said}\n").as_bytes());
        }
        after = end;
        if !asked.follow {
            return Ok(Reply::silent());
        }
        tokio::select! {
            () = &mut stop => return Ok(Reply::silent()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// An entry in the words that were asked for; one that can't be read, as it is.
fn said(words: Words, host: &str, line: &str) -> String {
    match (words, Line::parse(line)) {
        (Words::Line, _) | (_, None) => line.to_owned(),
        (Words::Ocsf, Some(entry)) => ocsf(&entry).to_string(),
        (Words::Syslog, Some(entry)) => syslog(host, &entry, line),
    }
}
