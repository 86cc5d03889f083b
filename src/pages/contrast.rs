//! Contrast of every pair of colors that meet on a page (WCAG 2.2 SC 1.4.3, 1.4.11), computed
//! from the style sheet itself, in every accent, light and dark.

use std::collections::HashMap;

use super::Accent;

/// Text on ground: at least 4.5 to 1.
const TEXT: [(&str, &str); 15] = [
    ("ink", "paper"),
    ("ink", "card"),
    ("ink", "accent-wash"),
    ("ink-soft", "paper"),
    ("ink-soft", "card"),
    ("ink-soft", "accent-wash"),
    ("accent-ink", "paper"),
    ("accent-ink", "card"),
    ("accent-ink", "accent-wash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-ink"),
    ("problem-ink", "problem-wash"),
    ("problem-ink", "card"),
    ("done-ink", "done-wash"),
    ("strip-ink", "strip-wash"),
];

/// Edges of controls, ribbons and focus rings on ground: at least 3 to 1.
const SHAPES: [(&str, &str); 6] = [
    ("edge", "card"),
    ("edge", "paper"),
    ("accent", "card"),
    ("accent", "paper"),
    ("accent-ink", "paper"),
    ("problem-ink", "card"),
];

type Tokens = HashMap<String, String>;

/// The custom properties of every rule with this selector, at the top level or in the dark block.
fn tokens(css: &str, selector: &str, dark: bool) -> Tokens {
    let marker = "@media (prefers-color-scheme: dark) {";
    let (light_half, after) = css.split_once(marker).expect("a dark block");
    let (dark_half, _) = after
        .split_once("\n}")
        .expect("its end, at the left margin");
    let part = if dark { dark_half } else { light_half };
    let opening = format!("{selector} {{");
    let (_, rule) = part
        .split_once(&opening)
        .unwrap_or_else(|| panic!("{selector}, dark: {dark}"));
    let (body, _) = rule.split_once('}').expect("a closed rule");
    body.split(';')
        .filter_map(|declaration| declaration.trim().strip_prefix("--")?.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// WCAG 2.2, "relative luminance", of `#rrggbb`.
fn luminance(color: &str) -> f64 {
    let hex = color.strip_prefix('#').filter(|hex| hex.len() == 6);
    let hex = hex.unwrap_or_else(|| panic!("not #rrggbb: {color}"));
    let channel = |at: usize| {
        let byte = u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        let share = f64::from(byte) / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

/// WCAG 2.2, "contrast ratio".
fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_pair_of_colors_is_legible_in_every_accent_light_and_dark() {
    let css = include_str!("lanyard.css");
    for dark in [false, true] {
        let ground = tokens(css, ":root", dark);
        for accent in Accent::ALL {
            let mut all = ground.clone();
            all.extend(tokens(css, &format!(".accent-{accent}"), dark));
            let text = TEXT.iter().map(|pair| (pair, 4.5));
            let shapes = SHAPES.iter().map(|pair| (pair, 3.0));
            for ((front, back), least) in text.chain(shapes) {
                let ratio = contrast(&all[*front], &all[*back]);
                assert!(
                    ratio >= least,
                    "{accent}, dark {dark}: {front} on {back} {ratio:.2}"
                );
            }
        }
    }
}

/// Outside the token blocks no rule names a color, so the pairs above are all there are.
#[test]
fn colors_stand_in_token_blocks_only() {
    let css = include_str!("lanyard.css");
    for line in css
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
    {
        assert!(!line.contains('#') && !line.contains("rgb("), "{line}");
    }
}

/// The formula itself, on the two ends that the definition gives.
#[test]
fn black_on_white_is_twenty_one_to_one() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((contrast("#777777", "#777777") - 1.0).abs() < 1e-9);
}
