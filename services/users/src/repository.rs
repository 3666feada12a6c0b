//! All SQL of this service, the same for both databases.

use demo::{Database, Migration, Migrations, Page, on_pool};
use serde::Serialize;
use telemetry::database::Statement;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct User {
    /// Given by the database, from 1.
    pub(crate) id: i64,
    /// Unique.
    pub(crate) name: String,
    /// Unchecked but for its form.
    pub(crate) email: String,
}

type Row = (i64, String, String);

/// Tables and seed data.
pub const MIGRATIONS: Migrations = Migrations {
    table: "_users_migrations",
    sqlite: &[
        Migration { version: 1, description: "users", sql: include_str!("../migrations/sqlite/1_users.sql") },
        SEED,
    ],
    postgres: &[
        Migration {
            version: 1,
            description: "users",
            sql: include_str!("../migrations/postgres/1_users.sql"),
        },
        SEED,
    ],
};

const SEED: Migration =
    Migration { version: 2, description: "seed", sql: include_str!("../migrations/2_seed.sql") };

const LIST: Statement = Statement {
    operation: "SELECT",
    collection: "users",
    summary: "SELECT users",
    text: "SELECT id, name, email FROM users ORDER BY id LIMIT $1 OFFSET $2",
};

const FIND: Statement = Statement { text: "SELECT id, name, email FROM users WHERE id = $1", ..LIST };

const FIND_BY_NAME: Statement =
    Statement { text: "SELECT id, name, email FROM users WHERE name = $1", ..LIST };

const ADD: Statement = Statement {
    operation: "INSERT",
    collection: "users",
    summary: "INSERT users",
    text: "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id",
};

#[derive(Clone, Debug)]
pub(crate) struct Users {
    database: Database,
}

impl Users {
    pub(crate) fn new(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    pub(crate) async fn list(&self, Page { limit, offset }: Page) -> Result<Vec<User>, sqlx::Error> {
        let rows = async {
            on_pool!(self.database, pool =>
                sqlx::query_as(LIST.text).bind(limit).bind(offset).fetch_all(pool))
        };
        let rows: Vec<Row> = self.database.call(&LIST, rows).await?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    pub(crate) async fn find(&self, id: i64) -> Result<Option<User>, sqlx::Error> {
        let row = async {
            on_pool!(self.database, pool => sqlx::query_as(FIND.text).bind(id).fetch_optional(pool))
        };
        let row: Option<Row> = self.database.call(&FIND, row).await?;
        Ok(row.map(User::from))
    }

    pub(crate) async fn find_by_name(&self, name: &str) -> Result<Option<User>, sqlx::Error> {
        let row = async {
            on_pool!(self.database, pool => sqlx::query_as(FIND_BY_NAME.text).bind(name).fetch_optional(pool))
        };
        let row: Option<Row> = self.database.call(&FIND_BY_NAME, row).await?;
        Ok(row.map(User::from))
    }

    /// An error that is a violation of uniqueness means that the name is taken.
    pub(crate) async fn add(&self, name: String, email: String) -> Result<User, sqlx::Error> {
        let id = async {
            on_pool!(self.database, pool => sqlx::query_as(ADD.text).bind(&name).bind(&email).fetch_one(pool))
        };
        let (id,): (i64,) = self.database.call(&ADD, id).await?;
        Ok(User { id, name, email })
    }
}

impl From<Row> for User {
    fn from((id, name, email): Row) -> Self {
        Self { id, name, email }
    }
}
