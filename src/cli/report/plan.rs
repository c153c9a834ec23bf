//! What `--plan` prints.

use std::fmt::Write;

use serde_json::{Value, json};

use super::words;
use crate::app::plan::Plan;

/// Days that the text lists; of more, the first and the last ones.
const MAX_DAYS: usize = 40;

/// The plan for people.
pub(in crate::cli) fn text(plan: &Plan) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Plan: {}, {} in {}",
        words::counted(plan.objects, "object"),
        words::bytes(plan.bytes),
        words::counted(plan.days.len() as u64, "day"),
    );
    if plan.ignored > 0 {
        let _ = writeln!(
            text,
            "      {} ignored: no flow logs",
            words::counted(plan.ignored, "key")
        );
    }
    let _ = writeln!(text, "\n  {:<12} {:>12} {:>12}", "day", "objects", "bytes");
    let left_out = plan.days.len().saturating_sub(MAX_DAYS);
    for (index, (day, (objects, bytes))) in plan.days.iter().enumerate() {
        let first_left_out = MAX_DAYS / 2;
        if left_out > 0 && index == first_left_out {
            let _ = writeln!(text, "  … {}", words::counted(left_out as u64, "more day"));
        }
        if left_out > 0 && (first_left_out..first_left_out + left_out).contains(&index) {
            continue;
        }
        let _ = writeln!(
            text,
            "  {day:<12} {:>12} {:>12}",
            words::count(*objects),
            words::bytes(*bytes)
        );
    }
    let _ = writeln!(
        text,
        "\nAbout {} with {}{}",
        words::duration(plan.seconds()),
        words::counted(plan.threads as u64, "thread"),
        if plan.s3_objects == 0 {
            ", read from local disk"
        } else {
            ", read from S3 in the same region"
        },
    );
    if plan.s3_objects > 0 {
        let _ = writeln!(
            text,
            "About ${:.2} for requests to S3 (us-east-1 Standard; transfer within the region is free)",
            plan.dollars()
        );
    }
    text
}

/// The plan for programs.
pub(in crate::cli) fn json(plan: &Plan) -> String {
    let days: Vec<Value> = plan
        .days
        .iter()
        .map(|(day, (objects, bytes))| json!({"day": day, "objects": objects, "bytes": bytes}))
        .collect();
    let value = json!({
        "objects": plan.objects,
        "bytes": plan.bytes,
        "s3_objects": plan.s3_objects,
        "list_requests": plan.list_requests,
        "ignored": plan.ignored,
        "days": days,
        "threads": plan.threads,
        "estimated_seconds": plan.seconds(),
        "estimated_s3_dollars": plan.dollars(),
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(days: u64) -> Plan {
        let days = (0..days).map(|day| (format!("2026-02-{:02}", day + 1), (288, 50 << 20)));
        Plan {
            objects: 864,
            bytes: 150 << 20,
            s3_objects: 864,
            list_requests: 3,
            ignored: 2,
            days: days.collect(),
            threads: 2,
        }
    }

    #[test]
    fn text_lists_days_and_estimates() {
        let expected = "\
Plan: 864 objects, 150.0 MiB in 3 days
      2 keys ignored: no flow logs

  day               objects        bytes
  2026-02-01            288     50.0 MiB
  2026-02-02            288     50.0 MiB
  2026-02-03            288     50.0 MiB

About 2 s with 2 threads, read from S3 in the same region
About $0.00 for requests to S3 (us-east-1 Standard; transfer within the region is free)
";
        assert_eq!(text(&plan(3)), expected);
    }

    #[test]
    fn many_days_are_cut_in_the_middle() {
        let text = text(&plan(100));
        assert!(text.contains("… 60 more days"), "{text}");
        assert_eq!(
            text.lines()
                .filter(|line| line.starts_with("  2026-"))
                .count(),
            MAX_DAYS
        );
    }

    #[test]
    fn json_parses_back() {
        let value: Value = serde_json::from_str(&json(&plan(3))).expect("JSON");
        assert_eq!(value["days"][0]["objects"], 288);
        assert_eq!(value["objects"], 864);
        assert!(
            value["estimated_s3_dollars"]
                .as_f64()
                .is_some_and(|dollars| dollars > 0.0)
        );
    }
}
