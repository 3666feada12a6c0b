//! All SQL of this service, the same for both databases.

use demo::{Database, Migration, Migrations, Page, on_pool};
use serde::Serialize;
use telemetry::database::Statement;

/// An album in a user's collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Album {
    /// Given by the database, from 1.
    pub(crate) id: i64,
    /// Whose it is: an id of the other service's, unchecked here.
    pub(crate) user_id: i64,
    /// Unique for a user.
    pub(crate) title: String,
    /// Who made it.
    pub(crate) artist: String,
    /// When it came out.
    pub(crate) year: i64,
}

/// An album that has no id yet.
#[derive(Clone, Debug)]
pub(crate) struct NewAlbum {
    pub(crate) user_id: i64,
    pub(crate) title: String,
    pub(crate) artist: String,
    pub(crate) year: i64,
}

type Row = (i64, i64, String, String, i64);

/// Tables and seed data.
pub const MIGRATIONS: Migrations = Migrations {
    table: "_albums_migrations",
    sqlite: &[
        Migration {
            version: 1,
            description: "albums",
            sql: include_str!("../migrations/sqlite/1_albums.sql"),
        },
        SEED,
    ],
    postgres: &[
        Migration {
            version: 1,
            description: "albums",
            sql: include_str!("../migrations/postgres/1_albums.sql"),
        },
        SEED,
    ],
};

const SEED: Migration =
    Migration { version: 2, description: "seed", sql: include_str!("../migrations/2_seed.sql") };

const LIST: Statement = Statement {
    operation: "SELECT",
    collection: "albums",
    summary: "SELECT albums",
    text: "SELECT id, user_id, title, artist, year FROM albums ORDER BY id LIMIT $1 OFFSET $2",
};

const LIST_OF_USER: Statement = Statement {
    text: "SELECT id, user_id, title, artist, year FROM albums WHERE user_id = $3 ORDER BY id LIMIT $1 OFFSET $2",
    ..LIST
};

const FIND: Statement =
    Statement { text: "SELECT id, user_id, title, artist, year FROM albums WHERE id = $1", ..LIST };

const ADD: Statement = Statement {
    operation: "INSERT",
    collection: "albums",
    summary: "INSERT albums",
    text: "INSERT INTO albums (user_id, title, artist, year) VALUES ($1, $2, $3, $4) RETURNING id",
};

#[derive(Clone, Debug)]
pub(crate) struct Albums {
    database: Database,
}

impl Albums {
    pub(crate) fn new(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    pub(crate) async fn list(&self, user_id: Option<i64>, page: Page) -> Result<Vec<Album>, sqlx::Error> {
        let Page { limit, offset } = page;
        let rows: Vec<Row> = match user_id {
            None => {
                let rows = async {
                    on_pool!(self.database, pool =>
                        sqlx::query_as(LIST.text).bind(limit).bind(offset).fetch_all(pool))
                };
                self.database.call(&LIST, rows).await?
            }
            Some(user_id) => {
                let rows = async {
                    on_pool!(self.database, pool =>
                        sqlx::query_as(LIST_OF_USER.text).bind(limit).bind(offset).bind(user_id).fetch_all(pool))
                };
                self.database.call(&LIST_OF_USER, rows).await?
            }
        };
        Ok(rows.into_iter().map(Album::from).collect())
    }

    pub(crate) async fn find(&self, id: i64) -> Result<Option<Album>, sqlx::Error> {
        let row = async {
            on_pool!(self.database, pool => sqlx::query_as(FIND.text).bind(id).fetch_optional(pool))
        };
        let row: Option<Row> = self.database.call(&FIND, row).await?;
        Ok(row.map(Album::from))
    }

    /// An error that is a violation of uniqueness means that the user has an album of this title.
    pub(crate) async fn add(&self, album: NewAlbum) -> Result<Album, sqlx::Error> {
        let NewAlbum { user_id, title, artist, year } = album;
        let id = async {
            on_pool!(self.database, pool =>
                sqlx::query_as(ADD.text).bind(user_id).bind(&title).bind(&artist).bind(year).fetch_one(pool))
        };
        let (id,): (i64,) = self.database.call(&ADD, id).await?;
        Ok(Album { id, user_id, title, artist, year })
    }
}

impl From<Row> for Album {
    fn from((id, user_id, title, artist, year): Row) -> Self {
        Self { id, user_id, title, artist, year }
    }
}
