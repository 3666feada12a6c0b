//! Where a block stands in its file.

use yaml::Position;

/// Where a block stands in its file. All places are equal, so that a block that has only moved is the same: a reload
/// leaves alone what it says.
#[derive(Debug, Clone, Copy)]
pub struct Place(Position);

impl Place {
    /// Line and column.
    pub fn get(self) -> Position {
        self.0
    }
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self(position)
    }
}

impl PartialEq for Place {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Place {}
