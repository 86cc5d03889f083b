//! A browser in words, from what it calls itself. For the person's own eyes: never a decision.

/// `Firefox on Windows`; `A browser` where nothing is recognized. ASCII, constant words.
pub fn label(agent: &str) -> String {
    // In this order: others carry the names of those that follow them.
    let browser = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    let system = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let of = |table: &[(&str, &'static str)]| {
        table
            .iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, words)| *words)
    };
    let browser = of(&browser).unwrap_or("A browser");
    of(&system).map_or_else(
        || browser.to_owned(),
        |system| format!("{browser} on {system}"),
    )
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn common_browsers_are_named_and_others_are_a_browser() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 \
                 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
                "Safari on iPhone",
            ),
            ("", "A browser"),
            ("<script>alert(1)</script>", "A browser"),
        ];
        for (agent, words) in cases {
            assert_eq!(label(agent), words);
        }
    }
}
