//! `cargo xtask bench [NAME]`: runs the benches in release and shows their figures beside the goals. Nothing fails because it is slow: a
//! machine that is busy measures itself.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::run::{self, Root};

/// The benches: name and crate.
const BENCHES: [(&str, &str); 3] = [
    ("overlay", "dogwatch-workspace"),
    ("capture", "dogwatch-supervisor"),
    ("shim", "dogwatch-supervisor"),
];

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// One of them: `overlay`, `capture`, `shim`; all if not given.
    name: Option<String>,
}

/// A line that a bench prints among others.
#[derive(Debug, Deserialize)]
struct Figure {
    name: String,
    value: f64,
    unit: String,
    /// `<= 60` or `>= 2.5`; none where nothing was promised.
    goal: Option<String>,
}

impl Figure {
    /// Whether the goal is met, where there is one that can be understood.
    fn is_met(&self) -> Option<bool> {
        let (relation, bound) = self.goal.as_deref()?.split_once(' ')?;
        let bound: f64 = bound.parse().ok()?;
        match relation {
            "<=" => Some(self.value <= bound),
            ">=" => Some(self.value >= bound),
            _ => None,
        }
    }

    fn row(&self) -> [String; 4] {
        let goal = self
            .goal
            .as_deref()
            .map(|goal| format!("{goal} {}", self.unit));
        let word = match self.is_met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        [
            self.name.clone(),
            goal.unwrap_or_else(|| "-".to_owned()),
            format!("{:.1} {}", self.value, self.unit),
            word.to_owned(),
        ]
    }
}

/// Runs the benches and prints the table.
pub(crate) fn run(root: &Root, args: &BenchArgs) -> Result<()> {
    let wanted = |name: &str| args.name.as_deref().is_none_or(|only| only == name);
    let chosen: Vec<_> = BENCHES.iter().filter(|(name, _)| wanted(name)).collect();
    if chosen.is_empty() {
        bail!("there is no such bench; there are overlay, capture and shim");
    }
    let mut figures = Vec::new();
    for (name, package) in chosen {
        let printed = run::read(root.cargo().args(["bench", "-p", package, "--bench", name]))?;
        let printed = String::from_utf8(printed).with_context(|| format!("{name} prints text"))?;
        for line in printed.lines() {
            match serde_json::from_str::<Figure>(line) {
                Ok(figure) => figures.push(figure),
                Err(_) => println!("{line}"),
            }
        }
    }
    print!("{}", table(&figures));
    Ok(())
}

fn table(figures: &[Figure]) -> String {
    let head = ["figure", "goal", "ours", ""].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head)
        .chain(figures.iter().map(Figure::row))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, goal, ours, word] in &rows {
        let [name_width, goal_width, ours_width] = widths;
        let line = format!("{name:name_width$}  {goal:goal_width$}  {ours:>ours_width$}  {word}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_beside_their_goals() {
        let lines = [
            r#"{"name":"ready","value":61.04,"unit":"ms","goal":"<= 60"}"#,
            r#"{"name":"capture","value":2.5,"unit":"M lines/s","goal":">= 2.5"}"#,
            r#"{"name":"start","value":3.0,"unit":"ms","goal":null}"#,
        ];
        let figures: Vec<Figure> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            table(&figures),
            "figure   goal                       ours\n\
             ready    <= 60 ms                61.0 ms  MISSED\n\
             capture  >= 2.5 M lines/s  2.5 M lines/s  met\n\
             start    -                        3.0 ms\n"
        );
    }
}
