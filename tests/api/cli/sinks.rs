//! `lanyard audit sink`: a log is sent to a collector.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::command::Site;

const SECRET: &str = "known to the collector";

/// Answers each request, and gives its head and body on.
fn collector() -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}/in", listener.local_addr().unwrap());
    let (to, from) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if to.send(taken(stream.unwrap())).is_err() {
                return;
            }
        }
    });
    (address, from)
}

fn taken(mut stream: TcpStream) -> (String, String) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        from.read_line(&mut head).unwrap();
    }
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    from.read_exact(&mut body).unwrap();
    let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Issue 4, SIEM: an operator adds a sink, tries it, sees how it stands and removes it; each is on
/// the record, and the secret is shown nowhere.
#[test]
fn an_operator_sends_a_log_to_a_collector() {
    let site = Site::new();
    site.ask("keys init");
    site.ask_with("migrate", "migrate", "");
    site.ask("tenant create juniper --name Juniper");
    let (address, collector) = collector();
    let add = format!("audit sink add {address} --tenant juniper --secret --from 0");
    site.run("audit tail --tenant juniper");
    let added = site.ask_with(&add, "audit sink add", &format!("{SECRET}\n"));
    assert_eq!(added["from"], 0);
    let id = added["sink_id"].as_str().unwrap();
    let test = format!("audit sink test {id} --tenant juniper");
    let tested = site.ask_with(&test, "audit sink test", "");
    assert_eq!(
        (&tested["index"], &tested["taken"]),
        (&Value::from(0), &Value::from(true))
    );
    let (head, body) = collector.recv().unwrap();
    assert!(
        head.contains(&format!("authorization: bearer {SECRET}\r\n")),
        "{head}"
    );
    assert!(
        head.contains("content-type: application/x-ndjson\r\n"),
        "{head}"
    );
    let line: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&line["index"], &line["type"]),
        (&Value::from(0), &"tenant.created".into())
    );

    let listed = site.ask_with("audit sink list", "audit sink list", "");
    assert_eq!(listed[0]["next_index"], 0, "a try moves nothing");
    assert_eq!(listed[0]["address"], address);
    assert!(!listed.to_string().contains(SECRET), "{listed}");
    let gone = "tcp://127.0.0.1:1";
    let other = site.ask_with(
        &format!("audit sink add {gone} --from 0"),
        "audit sink add",
        "",
    );
    let other = other["sink_id"].as_str().unwrap().to_owned();
    let refused = site.run(&format!("audit sink test {other}"));
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let said = String::from_utf8(refused.stdout).unwrap();
    assert!(said.contains("unreachable"), "{said}");

    let remove = format!("audit sink remove {id} --tenant juniper");
    assert_eq!(
        site.ask_with(&remove, "audit sink remove", "")["removed"],
        true
    );
    assert!(site.refuse(&remove, 3).contains("has no sink"));
    let left = site.ask_with("audit sink list --tenant juniper", "audit sink list", "");
    assert_eq!(left, Value::Array(vec![]));
    let told = site.run("audit tail --tenant juniper");
    let told = String::from_utf8(told.stdout).unwrap();
    for kind in ["sink.added", "sink.removed"] {
        assert_eq!(
            told.matches(&format!("\"type\":\"{kind}\"")).count(),
            1,
            "{told}"
        );
    }
    for (line, code) in [
        ("audit sink add http://siem.example/in", 2),
        ("audit sink add https://siem.example/?token=x", 2),
        ("audit sink add tls://logs.example --as ocsf", 2),
        ("audit sink add https://siem.example/ --from 1000", 3),
        (
            "audit sink add https://siem.example/ --ca-file nowhere.pem",
            3,
        ),
    ] {
        site.refuse(line, code);
    }
}
