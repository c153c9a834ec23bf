//! The line that people type at: history, completion, several lines to a question.

use std::borrow::Cow;
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use reedline::{
    ColumnarMenu, DefaultHinter, EditCommand, Emacs, FileBackedHistory, Highlighter, KeyCode,
    KeyModifiers, MenuBuilder, PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent,
    ReedlineMenu, StyledText, ValidationResult, Validator, default_emacs_keybindings,
};

use super::command;
use super::complete::Words;
use crate::cli::say;
use crate::sql::is_whole;

/// Questions that are remembered.
const REMEMBERED: usize = 2000;
const MENU: &str = "completion";

/// An editor that completes from these words.
pub(super) fn editor(words: Words) -> Reedline {
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![
            ReedlineEvent::Menu(MENU.to_owned()),
            ReedlineEvent::MenuNext,
        ]),
    );
    keys.add_binding(
        KeyModifiers::ALT,
        KeyCode::Enter,
        ReedlineEvent::Edit(vec![EditCommand::InsertNewline]),
    );
    let menu = Box::new(ColumnarMenu::default().with_name(MENU).with_marker("> "));
    let mut editor = Reedline::create()
        .with_completer(Box::new(words))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_menu(ReedlineMenu::EngineCompleter(menu))
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_validator(Box::new(Whole))
        .with_highlighter(Box::new(Plain))
        .with_hinter(Box::new(DefaultHinter::default()))
        .use_bracketed_paste(true)
        .with_ansi_colors(say::colour());
    match history() {
        Ok(Some(history)) => editor = editor.with_history(Box::new(history)),
        Ok(None) => {}
        Err(error) => say::warning(&format!("questions are not remembered: {error}")),
    }
    editor
}

/// What was asked before, in a file that nobody else may read: questions name addresses and people. None where there is
/// no place for it.
fn history() -> Result<Option<FileBackedHistory>, String> {
    let Some(path) = history_path() else {
        return Ok(None);
    };
    let told = |error: &dyn std::fmt::Display| format!("cannot use `{}`: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| told(&error))?;
    }
    let private = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path);
    let private = private.map_err(|error| told(&error))?;
    // One that was there may have been others' to read.
    let private = private.set_permissions(Permissions::from_mode(0o600));
    private.map_err(|error| told(&error))?;
    let history = FileBackedHistory::with_file(REMEMBERED, path.clone());
    history.map(Some).map_err(|error| told(&error))
}

/// Where the XDG base directory specification has state; none without a home.
fn history_path() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let state = state.or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("tidegate/sql-history"))
}

/// What stands before the line.
pub(super) struct Before;

impl reedline::Prompt for Before {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "tidegate".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "       > ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!(" (search: {}) ", search.term).into()
    }
}

/// A line goes on until its statement is whole.
struct Whole;

impl Validator for Whole {
    fn validate(&self, text: &str) -> ValidationResult {
        let is_command = || command::parse(text).is_some() || command::escape(text).is_some();
        if text.trim().is_empty() || is_command() || is_whole(text) {
            return ValidationResult::Complete;
        }
        ValidationResult::Incomplete
    }
}

/// Text as it is typed.
struct Plain;

impl Highlighter for Plain {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut text = StyledText::new();
        text.push((Default::default(), line.to_owned()));
        text
    }
}
