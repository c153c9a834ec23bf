//! Colour, or none.

use crate::policy::Severity;

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    colour: bool,
}

/// What a stretch of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    /// A heading, a name.
    Strong,
    /// Beside the point.
    Faint,
    /// Critical and high.
    Bad,
    /// Medium.
    Doubtful,
    /// Low.
    Mild,
}

impl Paint {
    pub(super) fn new(colour: bool) -> Paint {
        Paint { colour }
    }

    /// Whether anything is coloured.
    pub(super) fn is_on(self) -> bool {
        self.colour
    }

    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Bad => "1;31",
            Tone::Doubtful => "33",
            Tone::Mild => "36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    pub(super) fn severity(self, severity: Severity, text: &str) -> String {
        let tone = match severity {
            Severity::Critical | Severity::High => Tone::Bad,
            Severity::Medium => Tone::Doubtful,
            Severity::Low | Severity::Info => Tone::Mild,
        };
        self.tone(tone, text)
    }
}
