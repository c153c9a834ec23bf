//! Who talks to whom: connections by the client's zone (rows), the server's zone (columns) and verdict. Where the grid is
//! wider than the terminal, a row for each pair instead.

use comfy_table::{Cell, CellAlignment, Color, Table, presets};

use super::super::words;
use super::Page;
use crate::app::report::{self, RunReport};

/// A zone's name is broken into lines of about this many characters to keep its column narrow.
const HEADER_WIDTH: usize = 10;

/// Pairs listed where there is no room for the grid.
const MAX_PAIRS: usize = 24;

pub(super) fn write(page: &mut Page, report: &RunReport) {
    if report.matrix.is_empty() {
        return;
    }
    page.title("Connections: client (row) to server (column)");
    // Roomy if there is room, else tight.
    for padding in [(1, 1), (1, 0)] {
        let grid = grid(report, page.paint.is_on(), padding);
        if grid.lines().all(|line| visible_width(&line) <= page.width) {
            push(page, &grid);
            page.item("", LEGEND);
            return;
        }
    }
    let pairs = pairs(report, page.paint.is_on());
    push(page, &pairs);
    let left_out = report.matrix.len().saturating_sub(MAX_PAIRS);
    if left_out > 0 {
        page.line(&format!(
            "  … {} in --format json",
            words::counted(left_out as u64, "more pair")
        ));
    }
}

const LEGEND: &str =
    "no letter: compliant, V violation, a attempted, b blocked, o overblocked, u unproven";

fn push(page: &mut Page, table: &Table) {
    for line in table.lines() {
        page.line(&line);
    }
}

fn grid(report: &RunReport, colour: bool, padding: (u16, u16)) -> Table {
    let rows = zones(report, |(client, _)| client);
    let columns = zones(report, |(_, server)| server);
    let mut table = bare_table(colour);
    let header = columns
        .iter()
        .map(|zone| Cell::new(broken(zone)).set_alignment(CellAlignment::Right));
    table.set_header(
        std::iter::once(Cell::new(""))
            .chain(header)
            .collect::<Vec<_>>(),
    );
    for client in rows {
        let mut row = vec![Cell::new(words::clean(client))];
        for server in &columns {
            let cell = report
                .matrix
                .get(&(client.to_owned(), (*server).to_owned()));
            row.push(cell.map_or_else(
                || Cell::new("·").set_alignment(CellAlignment::Right),
                grid_cell,
            ));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding(padding);
    }
    table
}

fn grid_cell(cell: &report::Cell) -> Cell {
    let counts = [
        (cell.compliant, ""),
        (cell.violation, "V"),
        (cell.attempted, "a"),
        (cell.blocked, "b"),
        (cell.overblocked, "o"),
        (cell.unproven, "u"),
    ];
    let lines: Vec<String> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, mark)| match *mark {
            "" => words::count(*number),
            mark => format!("{mark} {}", words::count(*number)),
        })
        .collect();
    let text = if lines.is_empty() {
        "·".to_owned()
    } else {
        lines.join("\n")
    };
    toned(Cell::new(text).set_alignment(CellAlignment::Right), cell)
}

fn pairs(report: &RunReport, colour: bool) -> Table {
    let mut table = bare_table(colour);
    let words = ["compl.", "viol.", "att.", "block.", "overbl.", "unpr."];
    let header = words
        .iter()
        .map(|word| Cell::new(word).set_alignment(CellAlignment::Right));
    table.set_header(
        std::iter::once(Cell::new("client → server"))
            .chain(header)
            .collect::<Vec<_>>(),
    );
    let mut entries: Vec<_> = report.matrix.iter().collect();
    // What breaks the policy first, the rest in the order of the zones.
    entries.sort_by_key(|((client, server), cell)| {
        (
            std::cmp::Reverse(cell.violation),
            std::cmp::Reverse(cell.attempted + cell.blocked),
            rank(report, client),
            rank(report, server),
        )
    });
    for ((client, server), cell) in entries.into_iter().take(MAX_PAIRS) {
        let counts = [
            cell.compliant,
            cell.violation,
            cell.attempted,
            cell.blocked,
            cell.overblocked,
            cell.unproven,
        ];
        let mut row = vec![toned(
            Cell::new(words::clean(&format!("{client} → {server}"))),
            cell,
        )];
        row.extend(counts.iter().map(|number| {
            let text = if *number == 0 {
                "·".to_owned()
            } else {
                words::count(*number)
            };
            Cell::new(text).set_alignment(CellAlignment::Right)
        }));
        table.add_row(row);
    }
    table
}

fn toned(shown: Cell, cell: &report::Cell) -> Cell {
    if cell.violation > 0 {
        shown.fg(Color::Red)
    } else if cell.attempted + cell.blocked + cell.overblocked + cell.unproven > 0 {
        shown.fg(Color::DarkYellow)
    } else {
        shown
    }
}

fn bare_table(colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if colour {
        table.enforce_styling();
    }
    table
}

/// The zones that occur, in the report's order.
fn zones<'a>(report: &'a RunReport, pick: fn(&'a (String, String)) -> &'a String) -> Vec<&'a str> {
    let mut zones: Vec<&str> = report
        .matrix
        .keys()
        .map(|pair| pick(pair).as_str())
        .collect();
    zones.sort_by_key(|zone| (rank(report, zone), *zone));
    zones.dedup();
    zones
}

fn rank(report: &RunReport, zone: &str) -> usize {
    report
        .zones
        .iter()
        .position(|other| other == zone)
        .unwrap_or(report.zones.len())
}

/// A zone's name in short lines, broken behind `-` and `:`.
fn broken(zone: &str) -> String {
    let zone = words::clean(zone);
    let mut text = String::new();
    let mut length = 0;
    for part in zone.split_inclusive(['-', ':']) {
        let part_length = part.chars().count();
        if length > 0 && length + part_length > HEADER_WIDTH {
            text.push('\n');
            length = 0;
        }
        text.push_str(part);
        length += part_length;
    }
    text
}

/// Characters of a line, colour escapes aside.
fn visible_width(line: &str) -> usize {
    let mut width = 0;
    let mut escape = false;
    for c in line.trim_end().chars() {
        match c {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            _ if escape => {}
            _ => width += 1,
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_zone_names_are_broken_at_hyphens() {
        assert_eq!(broken("package-repos"), "package-\nrepos");
        assert_eq!(broken("aws:CLOUDFRONT_ORIGIN"), "aws:\nCLOUDFRONT_ORIGIN");
        assert_eq!(broken("app"), "app");
    }

    #[test]
    fn colour_takes_no_room() {
        assert_eq!(visible_width("\u{1b}[31mred\u{1b}[0m  "), 3);
    }
}
