//! The terminal of a dyno in the API (S10.5): what is on its screen, and the request to be attached to it.

use serde::{Deserialize, Serialize};

use crate::model::{DynoName, PtySize};
use crate::terminal::ScreenText;

/// The body of the request to be attached to a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttachRequest {
    /// Whether the client only watches.
    pub read_only: bool,
    /// Whether it takes the keys from the client that types.
    pub take: bool,
    /// The height of its own terminal.
    pub rows: Option<u16>,
    /// Its width.
    pub columns: Option<u16>,
}

impl AttachRequest {
    /// The size of the terminal of the client, if it says so.
    #[must_use]
    pub fn size(&self) -> Option<PtySize> {
        self.rows.zip(self.columns).map(|(rows, cols)| PtySize { rows, cols })
    }
}

/// The screen of a dyno.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenResource {
    /// The dyno: `web.1`.
    pub dyno: String,
    /// The height of its terminal.
    pub rows: u16,
    /// The width of its terminal.
    pub columns: u16,
    /// Where the cursor is.
    pub cursor: CursorResource,
    /// Whether a program draws a full screen.
    pub alternate_screen: bool,
    /// The text of each row, without blanks at its end.
    pub lines: Vec<String>,
    /// The same with colours.
    pub colored_lines: Vec<String>,
}

/// A place on the screen, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorResource {
    /// From the top.
    pub row: u16,
    /// From the left.
    pub column: u16,
}

impl ScreenResource {
    /// What the terminal of a dyno shows.
    #[must_use]
    pub fn new(dyno: &DynoName, screen: ScreenText) -> Self {
        Self {
            dyno: dyno.to_string(),
            rows: screen.size.rows,
            columns: screen.size.cols,
            cursor: CursorResource { row: screen.cursor.0, column: screen.cursor.1 },
            alternate_screen: screen.is_alternate,
            lines: screen.rows,
            colored_lines: screen.colored,
        }
    }
}
